"""`agent.mcp`: the MCP servers of one agent, and what they offer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, cast

from agents_runtime._core.jsonx import plain
from agents_runtime.errors import AgentError, RemoteError, UsageError
from agents_runtime.mcp.client.adding import Wanted, binding_name, new_id, read_wanted, row_of
from agents_runtime.mcp.client.connection import ServerConnection, State
from agents_runtime.mcp.client.elicitation import Elicitation, ElicitationHandler
from agents_runtime.mcp.client.errors import McpConnectionFailed
from agents_runtime.mcp.client.home import Home
from agents_runtime.mcp.client.session import REQUEST_TIMEOUT_S, OnProgress
from agents_runtime.mcp.client.store import ServerRow, ServerStore
from agents_runtime.mcp.client.tools import McpTool, ai_tools
from agents_runtime.mcp.client.urls import normalized
from agents_runtime.mcp.client.waiting import within

if TYPE_CHECKING:
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime._core.wire import McpServerList
    from agents_runtime.mcp.authorizing import Authorizing
    from agents_runtime.mcp.protocol.messages import Params

logger = logging.getLogger("agents_runtime")

FRESH_MS = 5 * 60 * 1000
"""For so long an agent that wakes takes what a server offered for what it offers, and asks it only when it is used."""

MAX_SERVERS = 100

Some = str | Collection[str] | None
"""One, several, or any."""


class AddedServer(TypedDict):
    """What became of a server that was added: `ready`, `connected` or `authenticating`, then with where to consent."""

    id: str
    state: State
    auth_url: str | None


class McpClient:
    """The MCP servers of one agent. Use it as `self.mcp`.

    Servers, and what they offer, are stored. An agent that wakes knows them at once and connects again in the
    background, or when they are used. Items are as the server sent them, with `serverId` added.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        info: Params,
        authorizing: Authorizing,
        changed: Callable[[], None],
    ) -> None:
        platform = surroundings.platform
        self._platform = platform
        self._store = ServerStore(platform.sql, platform.kv)
        self._authorizing = authorizing
        self._changed = changed
        self._elicitation = Elicitation(surroundings.call)
        self._home = Home(
            platform,
            self._store,
            self._elicitation,
            authorizing.at,
            changed,
            surroundings.emit,
            info,
        )
        self._connections: dict[str, ServerConnection] = {}
        self._connecting: dict[ServerConnection, asyncio.Future[None]] = {}
        for row in self._store.all():
            self._load(row)

    def _load(self, row: ServerRow) -> ServerConnection:
        connection = self._connections[row.id] = ServerConnection(self._home, row)
        if row.auth_url is not None:
            return connection
        if (stored := self._store.catalogue(row.id)) is not None:
            connection.restore(*stored)
        if (failure := self._store.failure(row.id)) is not None:
            connection.restore_failure(failure)
        return connection

    # The servers

    async def add(self, given: tuple[object, ...], keywords: Mapping[str, object]) -> AddedServer:
        """Add a server and connect to it. See `Agent.add_mcp_server`."""
        wanted = read_wanted(given, keywords, lambda target: binding_name(self._platform.namespaces(), target))
        known = self._same(wanted)
        if known is None:
            known = self._insert(wanted)
        else:
            known = self._renamed(known, wanted.id)
            if known.state == "authenticating" and self._authorizing.is_redeemable(known):
                return self._added(known)
            if known.state in ("ready", "connected", "discovering"):
                return self._added(known)
            self._authorizing.redirect(known, wanted)
        await known.connect()
        return self._added(known)

    def _added(self, connection: ServerConnection) -> AddedServer:
        is_waiting = connection.state == "authenticating"
        auth_url = connection.row.auth_url if is_waiting else None
        return {"id": connection.row.id, "state": connection.state, "auth_url": auth_url}

    def _same(self, wanted: Wanted) -> ServerConnection | None:
        url = normalized(wanted.url) if "://" in wanted.url else wanted.url
        for connection in self._connections.values():
            row = connection.row
            if row.name == wanted.name and url == (normalized(row.server_url) if "://" in row.server_url else url):
                return connection
        return None

    def _insert(self, wanted: Wanted) -> ServerConnection:
        if len(self._connections) >= MAX_SERVERS:
            raise UsageError(f"an agent has at most {MAX_SERVERS} MCP servers: remove one with remove_mcp_server")
        server_id = wanted.id or new_id(self._platform.entropy.random_bytes)
        self._check_free(server_id)
        row = row_of(wanted, server_id, self._authorizing.callback_url(wanted))
        self._store.put(row)
        connection = self._load(row)
        self._changed()
        return connection

    def _check_free(self, server_id: str) -> None:
        other = self._connections.get(server_id)
        if other is not None:
            raise UsageError(f"the id {server_id!r} belongs to the MCP server {other.row.name!r} already")

    def _renamed(self, connection: ServerConnection, server_id: str | None) -> ServerConnection:
        """The connection, under the id that is wanted now."""
        old_id = connection.row.id
        if server_id is None or server_id == old_id:
            return connection
        self._check_free(server_id)
        self._authorizing.move(connection, server_id)
        connection.row = self._store.rename(connection.row, server_id)
        self._connections = {(server_id if key == old_id else key): value for key, value in self._connections.items()}
        if connection.discovered_ms is not None:
            self._store.keep_catalogue(server_id, connection.catalogue, connection.discovered_ms)
        self._changed()
        return connection

    async def remove(self, server: str) -> None:
        """Remove a server, by id or by name: end its session, and forget it and all that was granted for it."""
        connection = self.find(server)
        del self._connections[connection.row.id]
        self._changed()
        try:
            await within(self._platform.clock, 5, "the end of the session", connection.close(ends_session=True))
        except RemoteError as error:
            logger.debug("the session with the MCP server %r was not ended: %s", server, error)
        self._authorizing.forget(connection)
        self._store.delete(connection.row.id)

    async def connect_to_server(self, server: str) -> State:
        """Connect to a server again, by id or name, after it failed. Raises McpConnectionFailed if it fails again."""
        connection = self.find(server)
        await connection.connect()
        return connection.state

    async def discover(self, server: str) -> State:
        """Read again what a server offers, by id or name; returns its state."""
        connection = self.find(server)
        if not connection.is_open:
            await connection.connect()
        else:
            await connection.discover()
        return connection.state

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

    async def wait_for_connections(self, timeout: float | None = None) -> None:
        """Return when no server is being connected to any more, or after `timeout` seconds. Never raises for a server.

        Servers that wait for somebody's consent are not waited for.
        """
        self.wake()
        if self._connecting:
            waiting = asyncio.gather(*self._connecting.values())
            if timeout is None:
                await waiting
                return
            try:
                await within(self._platform.clock, timeout, "the MCP servers", _all_of(waiting))
            except RemoteError:
                return

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
            on_progress: called with the progress, the total or None, and a message or None.

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

    def configure_elicitation_handlers(
        self, *, form: ElicitationHandler | None = None, url: ElicitationHandler | None = None
    ) -> None:
        """Answer servers that ask for a person's input while they work. Call it in `on_start`: it is not stored.

        A handler, sync or async, takes the request and the server's id and returns `{"action": "accept", "content":
        {...}}`, or the action `"decline"` or `"cancel"`. Fields that the content leaves out get the defaults of the
        request's schema. Servers connected to before learn of it when they are connected to again.
        """
        self._elicitation.form, self._elicitation.url = form, url

    # The agent's life

    def wake(self) -> None:
        """Go on in the background with the servers of earlier lives: those with old lists, and with a consent given."""
        now_ms = self._platform.clock.now_ms()
        for connection in self._connections.values():
            known_ms = connection.failed_ms or connection.discovered_ms
            is_fresh = known_ms is not None and now_ms - known_ms < FRESH_MS
            if connection.state == "authenticating":
                self._authorizing.resume(connection, self._connect_later)
            elif not connection.is_open and not is_fresh:
                self._connect_later(connection)

    def _connect_later(self, connection: ServerConnection) -> None:
        if connection not in self._connecting:
            done = self._connecting[connection] = asyncio.get_running_loop().create_future()
            self._platform.spawn(self._connect(connection, done))

    async def _connect(self, connection: ServerConnection, done: asyncio.Future[None]) -> None:
        try:
            await connection.connect()
        except McpConnectionFailed as error:
            logger.warning("%s", error)
        except asyncio.CancelledError:
            if connection.row.id in self._connections:
                raise
        finally:
            del self._connecting[connection]
            done.set_result(None)

    async def answer(self, request: object) -> object | None:
        """Answer a person who comes back with a consent; None if the request is something else."""
        return await self._authorizing.answer(request, self._connections, self._connect_later)

    async def close(self) -> None:
        """Let go of every connection. What is stored stays."""
        for connection in tuple(self._connections.values()):
            try:
                await connection.close(ends_session=False)
            except AgentError as error:
                logger.debug("a connection was not closed: %s", error)


async def _all_of(waiting: asyncio.Future[list[Any]]) -> None:
    await asyncio.shield(waiting)


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
