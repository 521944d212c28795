"""An agent of the conformance suite that uses MCP servers."""

from __future__ import annotations

from typing import Any

from agents_runtime import Agent
from agents_runtime.errors import AgentError


class Toolbox(Agent):
    """Says what came of each call."""

    def on_start(self):
        self.mcp.configure_elicitation_handlers(form=lambda request, server_id: {"action": "accept", "content": {}})

    async def add(self, url: str, client: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> Any:
        try:
            retry = {"max_attempts": 1}
            given = {"client": client, "headers": headers, "retry": retry, "listen_seconds": 0}
            return await self.add_mcp_server({"name": "peer", "url": url, "id": "peer", **given})
        except AgentError as error:
            return f"{type(error).__name__}: {error}"

    async def add_peer(self) -> Any:
        return await self.add_mcp_server("Peer", self.env.CRATE, id="peer", props={"from": "toolbox"})

    async def use(self, name: str, arguments: dict[str, Any] | None = None, timeout: float = 20) -> Any:
        told: list[Any] = []
        try:
            progress = lambda *given: told.append(list(given))  # noqa: E731 - as short as can be
            result = await self.mcp.call_tool("peer", name, arguments, timeout=timeout, on_progress=progress)
        except AgentError as error:
            return f"{type(error).__name__}: {error}"
        return [result["content"][0]["text"], [each[0] for each in told]]

    async def read(self, uri: str) -> str:
        return (await self.mcp.read_resource("peer", uri))["contents"][0]["text"]

    async def waited(self) -> list[str]:
        await self.mcp.wait_for_connections(20)
        return [server["state"] for server in self.mcp.list_servers()]

    def tools(self) -> list[str]:
        return sorted(tool["name"] for tool in self.mcp.list_tools())

    def sessions(self) -> list[str]:
        return [row["server_options"] for row in self.sql("SELECT server_options FROM cf_agents_mcp_servers")]


class Crate(Agent):
    """Answers MCP over RPC, with as little as that takes."""

    async def handleMcpMessage(self, message: Any) -> Any:
        method, number = message.get("method"), message.get("id")
        if method == "initialize":
            result: Any = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "crate"},
            }
        elif method == "tools/list":
            result = {"tools": [{"name": "open", "inputSchema": {"type": "object", "default": None}}]}
        elif method == "tools/call":
            result = {"content": [{"type": "text", "text": f"{self.name} {message['params']['arguments']}"}]}
        else:
            return None
        return {"jsonrpc": "2.0", "id": number, "result": result}
