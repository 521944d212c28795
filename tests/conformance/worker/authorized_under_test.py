"""An agent that a person lets in at an MCP server."""

from __future__ import annotations

from typing import Any

from agents_runtime import Agent


class Clerk(Agent):
    """Uses one server, under the id `work`."""

    async def join(self, url: str, host: str) -> Any:
        return dict(await self.add_mcp_server("work", url, callback_host=host, id="work"))

    async def state_of(self) -> str:
        return self.get_mcp_servers()["servers"]["work"]["state"]

    async def use(self, tool: str) -> str:
        result: Any = await self.mcp.call_tool("work", tool)
        return str(result["content"][0]["text"])

    async def keys(self) -> list[str]:
        prefix = f"/{self.name}/work/"
        return [key.removeprefix(prefix) for key in self._platform.kv.keys(prefix)]
