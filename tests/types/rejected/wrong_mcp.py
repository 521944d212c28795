"""What no MCP server or client takes."""

from __future__ import annotations

from typing import Any

from agents_runtime import Agent, McpContext, McpServer, create_mcp_handler, tool

server = McpServer("orders")
create_mcp_handler(server, legacy="sometimes")  # refused


class Support(Agent[dict[str, Any]]):
    @tool(task="perhaps")  # refused
    async def look_up(self, order_id: str, context: McpContext) -> str:
        context.progress("half", 2)  # refused
        return order_id

    async def use(self) -> None:
        await self.mcp.call_tool("docs", "search", ["tea"])  # refused
        await self.remove_mcp_server(5)  # refused
        self.mcp.list_tools(server=5)  # refused
