"""What agents offer for using MCP servers. The work is done by `McpClient`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents_runtime._core.capability import capability
    from agents_runtime._core.retry import RetryLike
    from agents_runtime.mcp.client.manager import AddedServer, McpClient
    from agents_runtime.mcp.oauth.options import McpOAuthClient
    from agents_runtime.mcp.servers import McpServerList, McpServers


class McpTransportOptions(TypedDict, total=False):
    """How a server is reached: which transport, by default the newest that works, and headers for every request."""

    type: Literal["auto", "streamable-http", "http", "sse"]
    headers: Mapping[str, str]
    skip_issuer_metadata_validation: bool


class McpVerbs:
    """The verbs of an agent's MCP servers."""

    __slots__ = ()

    if TYPE_CHECKING:
        _mcp_servers: capability[McpServers]

    @property
    def mcp(self) -> McpClient:
        """The MCP servers and what they offer: `self.mcp.list_tools()`, `await self.mcp.call_tool(...)`."""
        return self._mcp_servers.client

    @overload
    async def add_mcp_server(
        self,
        name: str,
        url: str,
        /,
        callback_host: str | None = None,
        agents_prefix: str | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        id: str | None = None,
        callback_path: str | None = None,
        client: Mapping[str, Any] | None = None,
        transport: McpTransportOptions | str | None = None,
        headers: Mapping[str, str] | None = None,
        retry: RetryLike = None,
        listen_seconds: float = 300,
    ) -> AddedServer: ...
    @overload
    async def add_mcp_server(
        self, name: str, namespace: object, /, *, id: str | None = None, props: object = None
    ) -> AddedServer: ...
    @overload
    async def add_mcp_server(self, server: Mapping[str, Any], /) -> AddedServer: ...
    async def add_mcp_server(self, *given: object, **options: object) -> AddedServer:
        """Add an MCP server and connect to it: `await self.add_mcp_server("docs", "https://example.com/mcp")`.

        Also as a dict: `{"name": "docs", "url": ..., "transport": "http"}`. The server is stored, so the agent connects
        to it again whenever it wakes. Adding one again, with the same name and URL, connects to it if need be and
        changes no other option. In place of the URL there may be a Durable Object binding of this worker whose class is
        an `McpAgent`.

        Args:
            id: letters, digits, `-` and `_`; random if it is not given.
            callback_host: the origin where people come back to after they gave consent; that of the request being
                handled if it is not given.
            callback_path: the path there; the agent's own if it is not given.
            agents_prefix: what `route_agent_request` was given as prefix.
            client: `{"supportedProtocolVersions": [...], "capabilities": {...}, "listMaxPages": 64}`.
            transport: `auto`, `streamable-http` or `sse`, or a dict with `type` and `headers`.
            headers: sent with each request to the server, and stored.
            retry: how often connecting is tried; by default 3 times, up to 5 s apart.
            listen_seconds: how long, after the last use, a stream stays open on which the server tells of changes and
                asks. The agent stays in memory meanwhile. 0: none is opened.
            props: what an `McpAgent` is started with.

        Returns:
            `{"id", "state", "auth_url"}`. In the state `authenticating` a person has to visit `auth_url` first.

        Raises:
            McpConnectionFailed: the server could not be connected to. It stays, and adding it again tries again.
            UsageError: an argument is wrong, or the URL leads into a private network.
        """
        return await self._mcp_servers.client.add(given, options)

    async def remove_mcp_server(self, server: str, /) -> None:
        """Remove an MCP server, by id or by name, with all that was stored and granted for it.

        Raises:
            UsageError: there is none, or several have that name.
        """
        await self._mcp_servers.client.remove(server)

    def get_mcp_servers(self) -> McpServerList:
        """The MCP servers by id, and their tools, prompts and resources, as clients of the agent see them.

        Awaiting is optional.
        """
        return self._mcp_servers.list()

    def create_mcp_oauth_provider(self, callback_url: str, /) -> McpOAuthClient:
        """Say how the agent introduces itself to authorization servers. Override it to use a client of your own."""
        from agents_runtime.mcp.oauth.options import McpOAuthClient

        return McpOAuthClient()
