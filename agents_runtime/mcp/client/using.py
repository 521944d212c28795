"""What an agent does with its MCP servers: look at what they offer, and use it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core.jsonx import plain
from agents_runtime.errors import UsageError
from agents_runtime.mcp.client.session import REQUEST_TIMEOUT_S, OnProgress
from agents_runtime.mcp.client.tools import McpTool, ai_tools

if TYPE_CHECKING:
    from agents_runtime._core.wire import McpServerList
    from agents_runtime.mcp.client.connection import ServerConnection
    from agents_runtime.mcp.protocol.messages import Params

Some = str | Collection[str] | None
"""One, several, or any."""


class McpUse:
    """The servers of one agent, as they are used."""

    def __init__(self) -> None:
        self._connections: dict[str, ServerConnection] = {}

    def find(self, server: str) -> ServerConnection:
        """The connection to a server, by id or by name.

        Raises:
            UsageError: there is none, or several have the name.
        """
        connection = self._connections.get(server)
        if connection is not None:
            return connection
        named = [each for each in self._connections.values() if each.row.name == server]
        if len(named) == 1:
            return named[0]
        if named:
            ids = ", ".join(each.row.id for each in named)
            raise UsageError(f"several MCP servers are named {server!r}: say which by its id, {ids}")
        known = ", ".join(f"{each.row.id} ({each.row.name})" for each in self._connections.values()) or "none"
        raise UsageError(f"there is no MCP server {server!r}; there are {known}"[:500])

    # What they offer

    def list_servers(self) -> list[Params]:
        """Every server: `id`, name, URL, state, error, instructions and capabilities."""
        return [{"id": key, **connection.snapshot()} for key, connection in self._connections.items()]

    def list_tools(self, *, server_id: Some = None, server_name: Some = None, state: Some = None) -> list[Params]:
        """The tools of all servers, or of some, as the servers describe them."""
        return self._items("tools", server_id, server_name, state)

    def list_resources(self, *, server_id: Some = None, server_name: Some = None, state: Some = None) -> list[Params]:
        """The resources of all servers, or of some."""
        return self._items("resources", server_id, server_name, state)

    def list_resource_templates(
        self, *, server_id: Some = None, server_name: Some = None, state: Some = None
    ) -> list[Params]:
        """The templates of resources of all servers, or of some."""
        return self._items("templates", server_id, server_name, state)

    def list_prompts(self, *, server_id: Some = None, server_name: Some = None, state: Some = None) -> list[Params]:
        """The prompts of all servers, or of some."""
        return self._items("prompts", server_id, server_name, state)

    def get_ai_tools(
        self, *, server_id: Some = None, server_name: Some = None, state: Some = "ready"
    ) -> dict[str, McpTool]:
        """The tools for a model, by names unique among all servers. Each can be called: `await tool(city="Rome")`."""
        return ai_tools(self.list_tools(server_id=server_id, server_name=server_name, state=state), self.call_tool)

    def _items(self, kind: str, server_id: Some, server_name: Some, state: Some) -> list[Params]:
        return [
            {**item, "serverId": key}
            for key, connection in self._connections.items()
            if _fits(key, server_id) and _fits(connection.row.name, server_name) and _fits(connection.state, state)
            for item in getattr(connection.catalogue, kind)
        ]

    def overview(self) -> McpServerList:
        """The servers and what they offer, as clients of the agent get it."""
        return {
            "prompts": cast("list[Any]", self.list_prompts()),
            "resources": cast("list[Any]", self.list_resources()),
            "servers": {key: connection.snapshot() for key, connection in self._connections.items()},
            "tools": cast("list[Any]", self.list_tools()),
        }

    # Using them

    async def call_tool(
        self,
        server: str | Mapping[str, object],
        name: str | None = None,
        arguments: Mapping[str, object] | None = None,
        *,
        timeout: float = REQUEST_TIMEOUT_S,
        on_progress: OnProgress | None = None,
    ) -> Params:
        """Call a tool of a server, by the server's id or name, and return the whole result as the server sent it.

        A tool that failed gives a result with `isError`. Nothing is repeated: a call that broke off may have happened.

        Args:
            server: or all of it as a dict: `{"serverId": ..., "name": ..., "arguments": {...}}`.
            timeout: seconds.
            on_progress: called with the progress, the total or None, and a message or None. Sync or async.

        Raises:
            McpError: the server answered with an error: it does not know the tool, for example.
            McpUnauthorized: a person has to give consent first, at `.auth_url`.
            RemoteError: it cannot be reached, did not answer in time, or broke the protocol.
        """
        if isinstance(server, Mapping):
            server, name, arguments = _unfolded(server, "name", name, arguments)
        if not isinstance(name, str):
            raise UsageError("call_tool takes a server, the name of a tool, and its arguments")
        given = plain(dict(arguments or {}), "arguments")
        call = self.find(server).call_tool
        return await call(name, cast("Params", given), timeout_s=timeout, on_progress=on_progress)

    async def read_resource(
        self, server: str | Mapping[str, object], uri: str | None = None, *, timeout: float = REQUEST_TIMEOUT_S
    ) -> Params:
        """Read a resource of a server; returns `{"contents": [...]}`. Raises like `call_tool`."""
        if isinstance(server, Mapping):
            server, uri, _ = _unfolded(server, "uri", uri, None)
        if not isinstance(uri, str):
            raise UsageError("read_resource takes a server and the URI of a resource")
        return await self.find(server).request("resources/read", {"uri": uri}, timeout_s=timeout)

    async def get_prompt(
        self,
        server: str | Mapping[str, object],
        name: str | None = None,
        arguments: Mapping[str, str] | None = None,
        *,
        timeout: float = REQUEST_TIMEOUT_S,
    ) -> Params:
        """Fill in a prompt of a server; returns `{"messages": [...]}`. Raises like `call_tool`."""
        given: Mapping[str, object] | None = arguments
        if isinstance(server, Mapping):
            server, name, given = _unfolded(server, "name", name, arguments)
        if not isinstance(name, str):
            raise UsageError("get_prompt takes a server, the name of a prompt, and its arguments")
        params: Params = {"name": name}
        if given:
            params["arguments"] = plain(dict(given), "arguments")
        return await self.find(server).request("prompts/get", params, timeout_s=timeout)

    async def complete(
        self, server: str, reference: Mapping[str, object], argument: Mapping[str, str], *, timeout: float = 10
    ) -> Params:
        """Ask a server how an argument of a prompt or of a resource template may go on. Raises like `call_tool`."""
        params = {"ref": plain(dict(reference), "reference"), "argument": dict(argument)}
        return await self.find(server).request("completion/complete", params, timeout_s=timeout)


def _fits(value: str, wanted: Some) -> bool:
    return wanted is None or value == wanted or (not isinstance(wanted, str) and value in wanted)


def _unfolded(
    given: Mapping[str, object], key: str, name: str | None, arguments: Mapping[str, object] | None
) -> tuple[str, str | None, Mapping[str, object] | None]:
    """The dict form of JavaScript."""
    server = given.get("serverId", given.get("server_id", given.get("server")))
    if not isinstance(server, str):
        raise UsageError(f'{{"serverId": ..., "{key}": ...}} says which server')
    found = given.get(key, name)
    inner = given.get("arguments", arguments)
    return server, found if isinstance(found, str) else None, cast("Mapping[str, object] | None", inner)
