"""The `@tool` methods of an agent, served to MCP clients by the agent itself, for the handler in front of it."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agents_runtime._core.capability import Capability
from agents_runtime._platform.base import header_of, make_response
from agents_runtime.errors import UsageError
from agents_runtime.mcp.server.endpoint import Endpoint
from agents_runtime.mcp.server.exposure import OWN_SERVER
from agents_runtime.mcp.server.http import Manner
from agents_runtime.mcp.server.register import register_mcp_tools
from agents_runtime.mcp.server.requests_state import Sealer
from agents_runtime.mcp.server.server import McpServer
from agents_runtime.mcp.server.to_agent import HEADER, STALE, read_errand

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Platform

KEY_SIZE = 32
SECRET = "cf_agents_mcp:key"
"""Where the secret is kept that seals what clients bring back, and from which the handler's key is made."""


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
        errand = read_errand(said, self.errand_key())
        if errand is None:
            return make_response(None, STALE)
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
        given: Any = getattr(self._agent, OWN_SERVER, None)
        if callable(given):
            given = await self._run(given)
        if given is not None and not isinstance(given, McpServer):
            raise UsageError(f"{type(self._agent).__name__}.{OWN_SERVER} must give an McpServer, not {given!r}"[:300])
        server = McpServer(type(self._agent).__name__) if given is None else given.view()
        register_mcp_tools(server, self._agent)
        if server.sealer is None:
            server.sealer = self._sealer()
        self._server = server
        return server

    def errand_key(self) -> str:
        """What the handler signs its header with, in hexadecimal."""
        return hmac.digest(self._secret(), b"errand", "sha256").hex()

    def _sealer(self) -> Sealer:
        return Sealer(self._secret(), self._platform.clock)

    def _secret(self) -> bytes:
        kept: object = self._platform.kv.get(SECRET)
        if not isinstance(kept, str):
            kept = self._platform.entropy.random_bytes(KEY_SIZE).hex()
            self._platform.kv.put(SECRET, kept)
        return bytes.fromhex(kept)
