"""An agent and a server of the conformance suite that offer tools to MCP clients."""

from __future__ import annotations

import asyncio
from typing import Any

from agents_runtime import Agent, McpContext, McpServer, create_mcp_handler, get_mcp_auth_context, tool


def build_server() -> McpServer:
    server = McpServer("offered")

    @server.tool
    def add(a: int, b: int = 1) -> int:
        """Add."""
        return a + b

    @server.tool
    async def steps(context: McpContext) -> str:
        """Report two steps."""
        for step in (1, 2):
            context.progress(step, 2)
            await asyncio.sleep(0.01)
        return "done"

    @server.resource("notes://{id}")
    def note(id: str) -> dict[str, str]:  # noqa: A002 - what people write
        """A note."""
        return {"id": id}

    return server


class Offered(Agent):
    """Its tools are served by itself."""

    initial_state = {"count": 0}

    @tool
    async def count(self, by: int = 1) -> dict[str, Any]:
        """Count."""
        self.set_state({"count": self.state["count"] + by})
        auth = get_mcp_auth_context()
        return {"count": self.state["count"], "name": self.name, "user": auth.props["user"] if auth else None}

    @tool
    async def confirm(self, context: McpContext) -> str:
        """Ask first."""
        context.progress(1, 1)
        context.remember({"asked": True})
        answer = await context.elicit("Sure?", {"ok": "boolean"}, key="sure")
        return f"{answer.content['ok']} {context.remembered}"

    @tool
    async def steps(self, context: McpContext) -> str:
        """Report two steps."""
        for step in (1, 2):
            context.progress(step, 2)
            await asyncio.sleep(0.01)
        return "done"


offered = create_mcp_handler(build_server, route="/MCP", allowed_hosts="*")
to_agent = create_mcp_handler(
    {"agent": "OFFERED", "name": "ünï"}, route="/OFFERED", allowed_hosts="*", auth=lambda request: {"user": "Änn"}
)
