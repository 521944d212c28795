"""Agents that use MCP servers, and agents that are one, as users write them."""

from __future__ import annotations

from typing import Any, assert_type

from agents_runtime import Agent, McpAgent, McpContext, McpOAuthClient, McpServer, tool
from agents_runtime.mcp.client.manager import AddedServer


class Helper(Agent[dict[str, Any]]):
    async def learn(self, url: str) -> str:
        added = await self.add_mcp_server("docs", url, transport="streamable-http", headers={"x-key": "k"})
        assert_type(added, AddedServer)
        assert_type(await self.add_mcp_server({"name": "docs", "transport": "http", "url": url}), AddedServer)
        assert_type(added["auth_url"], str | None)
        assert_type(self.mcp.list_tools(server_name="docs"), list[dict[str, Any]])
        result = await self.mcp.call_tool("docs", "search", {"query": "tea"}, timeout=5)
        assert_type(result, dict[str, Any])
        state: str = self.get_mcp_servers()["servers"][added["id"]]["state"]
        later: str = (await self.get_mcp_servers())["servers"][added["id"]]["state"]
        await self.remove_mcp_server("docs")
        return state + later

    def create_mcp_oauth_provider(self, callback_url: str, /) -> McpOAuthClient:
        return McpOAuthClient()


class Notes(McpAgent[dict[str, int]]):
    server = McpServer("notes")

    @tool(task="optional")
    async def add(self, text: str, context: McpContext) -> int:
        context.progress(1, 1, text)
        assert_type(self.session_id, str)
        assert_type(self.state, dict[str, int])
        return len(text)


notes = Notes.serve("/mcp", transport="auto")
