"""The list of MCP servers that every new connection is told about. An agent has none so far, and says so."""

from __future__ import annotations

from agents_runtime._core import wire
from agents_runtime._core.capability import Capability
from agents_runtime._core.jsonx import dumps


class McpServers(Capability):
    """The MCP servers of one agent."""

    def list(self) -> wire.McpServerList:
        """The servers, and the tools, prompts and resources they offer."""
        return {"prompts": [], "resources": [], "servers": {}, "tools": []}

    def greeting(self) -> tuple[str, ...]:
        """The server list for a new connection; sent also when it is empty, as the JS clients expect."""
        return (wire.mcp_servers(dumps(self.list())),)
