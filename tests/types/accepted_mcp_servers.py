"""MCP servers as users write them."""

from __future__ import annotations

from typing import assert_type

from workers import Response

from agents_runtime import Agent, McpContext, McpServer, create_mcp_handler, get_mcp_auth_context, tool
from agents_runtime.mcp.server.asking import Elicited
from agents_runtime.mcp.tools.content import Image

server = McpServer("typed", instructions="Use it.")


@server.tool
def add(a: int, b: int = 1) -> int:
    return a + b


@server.tool(name="picture", annotations={"readOnlyHint": True})
async def draw(context: McpContext) -> list[str | Image]:
    context.progress(1, 2)
    await context.progress(2, 2)
    answer = await context.elicit("Sure?", {"ok": "boolean"})
    assert_type(answer, Elicited)
    assert_type(answer.accepted, bool)
    return ["here", Image(b"")]


@server.resource("notes://{note_id}", mime_type="text/plain")
def note(note_id: str) -> str:
    return note_id


@server.prompt()
def greet(name: str) -> str:
    return f"Greet {name}"


assert_type(add(1), int)
assert_type(note("1"), str)


class Support(Agent[dict[str, int]]):
    @tool
    async def count(self, by: int = 1) -> int:
        auth = get_mcp_auth_context()
        return by if auth is None else len(auth.scopes)

    @tool(description="Name it")
    def title(self) -> str:
        return self.name


async def use(support: Support) -> None:
    assert_type(await support.count(2), int)
    assert_type(support.title(), str)


def make() -> McpServer:
    return server


handlers = [
    create_mcp_handler(server),
    create_mcp_handler(make, allowed_hosts=["mcp.example.com"], auth=lambda request: {"user": "ada"}),
    create_mcp_handler({"agent": Support, "name": "main"}, auth=lambda request: Response("no", status=401)),
]
