"""The `@tool` methods of an agent, served to MCP clients by the agent itself, for the handler in front of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agents_runtime._core.capability import Capability
from agents_runtime._platform.base import header_of
from agents_runtime.context import is_awaitable
from agents_runtime.errors import UsageError
from agents_runtime.mcp.server.endpoint import Endpoint
from agents_runtime.mcp.server.http import Manner
from agents_runtime.mcp.server.register import register_mcp_tools
from agents_runtime.mcp.server.requests_state import Sealer
from agents_runtime.mcp.server.server import McpServer
from agents_runtime.mcp.server.to_agent import HEADER, read_errand

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Platform

KEY_SIZE = 32
SEALING_KEY = "cf_agents_mcp:key"
"""Where the key is kept that seals what clients bring back."""


class AgentTools(Capability):
    """What one agent offers to MCP clients.

    Args:
        agent: whose methods.
        platform: its view of the machine.
        run: calls a function as the agent.
    """

    def __init__(self, agent: object, platform: Platform, run: Callable[..., Any]) -> None:
        self._agent = agent
        self._platform = platform
        self._run = run
        self._server: McpServer | None = None

    async def on_request(self, request: Any) -> Any:  # noqa: ANN401 - the platform's request and response
        """Answer what the handler passed on; None if it is not from there."""
        said = header_of(request, HEADER)
        if said is None:
            return None
        errand = read_errand(said)
        server = await self._made()
        manner = Manner(self._platform.clock, errand.mode, errand.keepalive_s)

        async def give() -> McpServer:
            return server

        endpoint = Endpoint(give, server.changes, manner, serves_legacy=errand.serves_legacy)
        return await self._run(endpoint.answer, request, errand.auth)

    async def _made(self) -> McpServer:
        """The server: that in `mcp_server`, or a new one; with the agent's `@tool` methods."""
        if self._server is not None:
            return self._server
        given: Any = getattr(self._agent, "mcp_server", None)
        if callable(given):
            given = given()
            given = await given if is_awaitable(given) else given
        server = McpServer(type(self._agent).__name__) if given is None else given
        if not isinstance(server, McpServer):
            raise UsageError(f"{type(self._agent).__name__}.mcp_server must give an McpServer, not {server!r}"[:300])
        if given is None:
            register_mcp_tools(server, self._agent)
        if server.sealer is None:
            server.sealer = self._sealer()
        self._server = server
        return server

    def _sealer(self) -> Sealer:
        kept: object = self._platform.kv.get(SEALING_KEY)
        if not isinstance(kept, str):
            kept = self._platform.entropy.random_bytes(KEY_SIZE).hex()
            self._platform.kv.put(SEALING_KEY, kept)
        return Sealer(bytes.fromhex(kept), self._platform.clock)
