"""`agent.mcp`: the MCP servers of one agent, and what they offer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from agents_runtime.errors import AgentError, RemoteError, UsageError
from agents_runtime.mcp.client.adding import Wanted, binding_name, new_id, read_wanted, row_of
from agents_runtime.mcp.client.connection import ServerConnection, State
from agents_runtime.mcp.client.elicitation import Elicitation, ElicitationHandler
from agents_runtime.mcp.client.errors import McpConnectionFailed
from agents_runtime.mcp.client.home import Home
from agents_runtime.mcp.client.store import ServerRow, ServerStore
from agents_runtime.mcp.client.urls import normalized
from agents_runtime.mcp.client.using import McpUse
from agents_runtime.mcp.client.waiting import within

if TYPE_CHECKING:
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime.mcp.authorizing import Authorizing
    from agents_runtime.mcp.protocol.messages import Params

logger = logging.getLogger("agents_runtime")

FRESH_MS = 5 * 60 * 1000
"""For so long an agent that wakes takes what a server offered for what it offers, and asks it only when it is used."""

MAX_SERVERS = 100


class AddedServer(TypedDict):
    """What became of a server that was added: `ready`, `connected` or `authenticating`, then with where to consent."""

    id: str
    state: State
    auth_url: str | None


class McpClient(McpUse):
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
        super().__init__()
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

    # Answering them

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
