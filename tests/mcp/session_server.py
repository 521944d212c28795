"""One of everything again, at /session, in sessions that last; and tools whose calls become durable tasks.

A worker like any other. Clients of both eras use the same endpoint.
"""

import asyncio

from everything_prompts import add_prompts
from everything_questions import add_questions
from everything_server import PNG, add_contents, add_resources, add_workings, build_server, handler
from workers import Response, WorkerEntrypoint

from agents_runtime.mcp.protocol.messages import McpError
from agents_runtime.mcp.server.asking import Ask
from agents_runtime.mcp.server.context import McpContext
from agents_runtime.mcp.server.server import McpServer
from agents_runtime.mcp.sessions.tasks import continue_as_task
from agents_runtime.mcp_agent import McpAgent

__all__ = ["Default", "Everything", "Shared"]

CONFIRM = {"type": "object", "properties": {"confirm": {"type": "boolean"}}, "required": ["confirm"]}
NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def add_tasks(server: McpServer) -> None:
    @server.tool
    def greet(name: str) -> str:
        """Greet somebody at once."""
        return f"Hello, {name}!"

    @server.tool(task="optional")
    async def slow_compute(context: McpContext, seconds: float, label: str = "") -> str:
        """Compute for so many seconds."""
        context.progress(0, 1, f"computing {label}")
        await asyncio.sleep(seconds)
        return f"computed {label} for {seconds:g} s"

    @server.tool(task="required")
    async def failing_job() -> str:
        """Fail after a second."""
        await asyncio.sleep(1)
        raise ValueError("This job fails on purpose")

    @server.tool(task="required")
    async def protocol_error_job() -> str:
        """Break the protocol."""
        raise McpError(-32603, "This job breaks on purpose")

    @server.tool(task="required")
    async def confirm_delete(context: McpContext, filename: str) -> str:
        """Delete a file, if the user agrees."""
        answer = await context.elicit(f"Delete {filename}?", CONFIRM)
        return f"{filename} was {'deleted' if answer.accepted and answer.content['confirm'] else 'kept'}"

    @server.tool(task="required")
    async def multi_input(context: McpContext) -> str:
        """Ask for two things at once."""
        answers = await context.ask({"first": Ask.form("A name?", NAME), "second": Ask.form("Another one?", NAME)})
        return " and ".join(answer.content["name"] for answer in answers.values())

    @server.tool(task="later")
    async def test_tool_with_task(context: McpContext) -> str:
        """Ask for a name, and go on as a task."""
        answer = await context.elicit("What is your name?", NAME, key="user_name")
        continue_as_task()
        await asyncio.sleep(0.1)
        return f"Hello, {answer.content['name']}, from a task"


class Everything(McpAgent):
    """Everything, made anew for each session."""

    async def init(self):
        self.server = build_server()
        add_tasks(self.server)


class Shared(McpAgent):
    """A server that all sessions share, with the name that the JavaScript SDK looks for."""

    server = McpServer("shared", "1.0.0")
    add_contents(server)
    add_workings(server)
    add_resources(server)
    add_questions(server)
    add_prompts(server, PNG)


session = Everything.serve("/session", transport="auto")
shared = Shared.serve("/shared", binding="MCP_OBJECT")
sse = Everything.serve_sse("/sse")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = request.url.partition("://")[2].partition("/")[2].partition("?")[0]
        if path == "mcp":
            return await handler(request, self.env, self.ctx)
        for name, endpoint in (("session", session), ("shared", shared), ("sse", sse)):
            if path.partition("/")[0] == name:
                return await endpoint.fetch(request, self.env, self.ctx)
        return Response("ok" if path == "" else "Not found", status=200 if path == "" else 404)
