"""The Python side of the MCP benchmarks: the same tool as bench/js/mcp.js and bench/peers/mcp_server.py."""

from __future__ import annotations

from agents_runtime import McpAgent, McpServer, create_mcp_handler, tool
from workers import Response, WorkerEntrypoint

server = McpServer("bench", "1.0.0")


@server.tool
async def greet(name: str, times: int = 1) -> str:
    """Greet somebody, some times."""
    return " ".join([f"Hello, {name}!"] * times)


class Session(McpAgent):
    @tool
    async def greet(self, name: str, times: int = 1) -> str:
        """Greet somebody, some times."""
        return " ".join([f"Hello, {name}!"] * times)


stateless = create_mcp_handler(server)
sessions = Session.serve("/session")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if "/mcp" in request.url:
            return await stateless(request, self.env, self.ctx)
        return await sessions.fetch(request, self.env, self.ctx) or Response("Not found", status=404)
