"""One MCP server: its state, the session with it, and what it offers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

from agents_runtime._core.retry import resolve_retry, retrying
from agents_runtime.errors import AgentError, UsageError
from agents_runtime.mcp.client.background import Background
from agents_runtime.mcp.client.catalogue import MAX_PAGES, Catalogue, capabilities_of, discover, instructions_of
from agents_runtime.mcp.client.era import open_session
from agents_runtime.mcp.client.errors import (
    McpConnectionFailed,
    McpUnauthorized,
    SessionLost,
    error_text,
    http_status_of,
    may_pass,
)
from agents_runtime.mcp.client.listening import Listening
from agents_runtime.mcp.client.policy import CONNECT_RETRY, listen_s, versions_of
from agents_runtime.mcp.client.session import Client, OnProgress, Session
from agents_runtime.mcp.client.store import Failure
from agents_runtime.mcp.client.transports import make_transport, ways_to
from agents_runtime.mcp.protocol.messages import McpError, Notification, Params
from agents_runtime.mcp.protocol.versions import is_modern

if TYPE_CHECKING:
    from agents_runtime.mcp.client.home import Home
    from agents_runtime.mcp.client.store import ServerRow
    from agents_runtime.mcp.client.transport import Kind, Transport

logger = logging.getLogger("agents_runtime")

State = Literal["authenticating", "connecting", "connected", "discovering", "ready", "failed"]
"""`connected` without a discovery after it: the server is there, and its lists could not be read."""

_OLDER_TRANSPORT = (404, 405, 501)


class ServerConnection:
    """The connection to one server. What it knows is stored too; in memory are the session and its streams."""

    def __init__(self, home: Home, row: ServerRow) -> None:
        self._home = home
        self.row = row
        self.state: State = "authenticating" if row.auth_url else "connecting"
        self.error: str | None = None
        self.catalogue = Catalogue()
        self.discovered_ms: int | None = None
        self.failed_ms: int | None = None
        self._session: Session | None = None
        self._opening: asyncio.Future[None] | None = None
        self._spawn = Background(home.platform.spawn)
        self._listening = Listening(home.platform.clock, listen_s(row), self._spawn, self._refresh)
        self._is_closed = False

    # What is seen of it

    def snapshot(self) -> Params:
        """The server, as clients of the agent are told of it."""
        return {
            "name": self.row.name,
            "server_url": self.row.server_url,
            "auth_url": self.row.auth_url,
            "state": self.state,
            "error": self.error,
            "instructions": self.catalogue.instructions,
            "capabilities": self.catalogue.capabilities,
        }

    @property
    def is_open(self) -> bool:
        """Whether there is a session in this life that can be used."""
        return self._session is not None and not self._session.is_over

    @property
    def is_connecting(self) -> bool:
        """Whether a session is being opened."""
        return self._opening is not None

    def become(self, state: State, error: object = None) -> None:
        """Change the state, and tell everyone."""
        text = None if error is None else error_text(error)
        if (state, text) != (self.state, self.error):
            self.state, self.error = state, text
            self._home.changed()

    def fail(self, error: object, state: Literal["failed", "connected"] = "failed") -> None:
        """Take note, also for later lives, that the server cannot be used and why."""
        self.become(state, error)
        if not self._is_closed:
            self.failed_ms = self._home.platform.clock.now_ms()
            failure = Failure(self.error or "", self.failed_ms, is_connected=state == "connected")
            self._home.store.keep_failure(self.row.id, failure)

    def restore_failure(self, failure: Failure) -> None:
        """Take the failure of an earlier life for this one's."""
        self.state = "connected" if failure.is_connected else "failed"
        self.error, self.failed_ms = failure.error, failure.at_ms

    def restore(self, catalogue: Catalogue, at_ms: int) -> None:
        """Take what was read in an earlier life for what the server offers."""
        self.catalogue, self.discovered_ms = catalogue, at_ms
        self.state = "ready"

    # Connecting

    async def connect(self) -> None:
        """Open a session and read what the server offers, trying again where that may help.

        Returns also when a person has to give consent first: the state says so.

        Raises:
            McpConnectionFailed: the state is `failed`.
        """
        if self._opening is not None:
            await asyncio.shield(self._opening)
            if self.state == "failed":
                raise McpConnectionFailed(self.row.name, self.error or "it failed")
            return
        opening = self._opening = asyncio.get_running_loop().create_future()
        try:
            await self._connect()
        except McpUnauthorized as error:
            self._unauthorized(error)
            if error.auth_url is None:
                raise McpConnectionFailed(self.row.name, self.error or "") from error
        except (AgentError, ModuleNotFoundError) as error:
            await self._drop(ends_session=False)
            self.fail(error)
            self._emit("connect", {"error": self.error, **self._where()})
            raise McpConnectionFailed(self.row.name, self.error or "") from error
        finally:
            self._opening = None
            opening.set_result(None)

    async def _connect(self) -> None:
        self.become("connecting")
        self._emit("preconnect", {"serverId": self.row.id})
        platform = self._home.platform
        policy = resolve_retry(cast("Params | None", self.row.options.get("retry")), CONNECT_RETRY)
        await retrying(self._open, policy, platform.clock, platform.entropy, may_pass)
        if self._is_closed:
            await self._drop(ends_session=True)
            raise UsageError(f"the MCP server {self.row.name!r} was removed while it was being connected to")
        self.become("connected")
        self._emit("connect", self._where())
        await self.discover()

    async def _open(self, attempt: int) -> None:
        """Open a session over the first transport that the server speaks."""
        await self._retire()
        ways = ways_to(self.row)
        for number, way in enumerate(ways):
            session = self._new_session(self._transport(way))
            try:
                await open_session(session, versions_of(self.row))
            except BaseException as error:
                await session.transport.close(ends_session=False)
                is_older = http_status_of(error) in _OLDER_TRANSPORT
                if not is_older or number + 1 == len(ways):
                    raise
                continue
            self._adopt(session)
            return

    def _transport(self, kind: Kind) -> Transport:
        authorization = None if kind == "rpc" else self._home.authorize(self)
        return make_transport(self._home.platform, self.row, kind, authorization, self._spawn)

    def _new_session(self, transport: Transport) -> Session:
        home = self._home
        given = self.row.client.get("capabilities")
        capabilities = {**home.elicitation.capability(), **(cast("Params", given) if isinstance(given, dict) else {})}
        client = Client(
            self.row.id,
            home.info,
            capabilities,
            home.elicitation,
            self._told,
            self._spawn,
            home.platform.clock,
        )
        is_shared = transport.kind == "rpc"
        first_id = int.from_bytes(home.platform.entropy.random_bytes(6), "big") if is_shared else 0
        return Session(client, transport, first_id=first_id)

    def _adopt(self, session: Session) -> None:
        self._session = session
        transport = session.transport
        if transport.kind == "streamable-http":
            discovered = session.server if session.is_modern else None
            self.keep(self.row.with_session(transport.session_id, transport.version, discovered))

    def keep(self, row: ServerRow) -> None:
        """Store a changed row."""
        if row != self.row and not self._is_closed:
            self.row = row
            self._home.store.put(row)

    def _attach(self) -> Session | None:
        """The session of an earlier life, without asking the server; None if there is none to go on with."""
        transport = self.row.transport
        version, session_id = transport.get("protocolVersion"), transport.get("sessionId")
        if not isinstance(version, str) or self.discovered_ms is None or ways_to(self.row)[0] != "streamable-http":
            return None
        if not is_modern(version) and not isinstance(session_id, str):
            return None
        made = self._transport("streamable-http")
        made.version = version
        made.session_id = None if is_modern(version) else cast("str", session_id)
        session = self._new_session(made)
        session.server = {
            "capabilities": self.catalogue.capabilities or {},
            "instructions": self.catalogue.instructions,
        }
        return session

    async def _usable(self) -> Session:
        """A session to ask, opened if there is none.

        Raises:
            McpConnectionFailed: there is none to be had.
            McpUnauthorized: a person has to give consent first.
        """
        if self._session is not None and self._session.is_over:
            await self._drop(ends_session=False)
        if self._session is None and self._opening is None and self.state != "failed":
            self._session = self._attach()
        if self._session is None:
            await self.connect()
        if self._session is None:
            if self.state == "authenticating":
                raise McpUnauthorized(self.row.auth_url)
            raise McpConnectionFailed(self.row.name, self.error or "it is closed")
        return self._session

    # Asking

    async def request(
        self,
        method: str,
        params: Mapping[str, Any],
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        on_progress: OnProgress | None = None,
    ) -> Params:
        """Ask the server. A session that it has ended is opened anew, once.

        Raises:
            McpError: the server answered with an error.
            McpUnauthorized: a person has to give consent first.
            RemoteError: it cannot be reached, broke the protocol, or did not answer in time.
        """
        session = await self._usable()
        await self._listening.start(session, self._let_go)
        given = headers or {}
        try:
            ask = partial(Session.request, method=method, params=params, timeout_s=timeout_s, on_progress=on_progress)
            try:
                return await ask(session, headers=given)
            except SessionLost:
                if self._session is session:
                    await self._retire()
                if self._session is None:
                    await self.connect()
                return await ask(await self._usable(), headers=given)
        except McpUnauthorized as error:
            self._unauthorized(error)
            raise
        finally:
            self._listening.used()

    async def call_tool(
        self, name: str, arguments: Mapping[str, Any], *, timeout_s: float, on_progress: OnProgress | None
    ) -> Params:
        """Call a tool; see `request`."""
        session = await self._usable()
        headers = self.catalogue.headers_for(name, arguments) if session.is_modern else {}
        params = {"name": name, "arguments": dict(arguments)}
        return await self.request("tools/call", params, timeout_s=timeout_s, headers=headers, on_progress=on_progress)

    # What it offers

    async def discover(self) -> None:
        """Read what the server offers. When that fails, the state says why, and what was known stays."""
        session = self._session
        if session is None:
            raise UsageError(f"the MCP server {self.row.name!r} is not connected")
        self.become("discovering")
        try:
            limit = self.row.client.get("listMaxPages")
            found = await discover(session, max_pages=limit if isinstance(limit, int) and limit > 0 else MAX_PAGES)
        except McpUnauthorized:
            raise
        except SessionLost:
            self.fail("the server ended the session while its lists were read", "connected")
        except AgentError as error:
            self.fail(error, "connected")
            self._emit("discover", {"error": self.error, **self._where()})
        else:
            server = session.server
            self._know(Catalogue(instructions_of(server), capabilities_of(server), **found))
            self.become("ready")
            self._emit("discover", self._where())
            await self._listening.start(session, self._let_go)

    async def _refresh(self, kinds: Iterable[str]) -> None:
        session = self._session
        if session is None or self.state != "ready":
            return
        try:
            found = await discover(session, kinds)
        except AgentError as error:
            logger.warning("the changed lists of the MCP server %s could not be read: %s", self.row.id, error)
            return
        self._know(replace(self.catalogue, **found))
        self._home.changed()

    def _know(self, catalogue: Catalogue) -> None:
        if not self._is_closed:
            self.catalogue, self.discovered_ms, self.failed_ms = catalogue, self._home.platform.clock.now_ms(), None
            self._home.store.keep_catalogue(self.row.id, catalogue, self.discovered_ms)

    def _told(self, notice: Notification) -> None:
        self._listening.told(notice)

    # The end

    async def close(self, *, ends_session: bool) -> None:
        """Let go of everything. The row stays."""
        self._is_closed = True
        await self._drop(ends_session=ends_session)
        self._spawn.end()
        self._emit("close", {**self._where()})

    async def _drop(self, *, ends_session: bool) -> None:
        session, self._session = self._session, None
        self._listening.stop()
        if session is None and ends_session:
            session = self._attach()
        if session is None:
            return
        session.fail("the connection was closed")
        try:
            await session.transport.close(ends_session=ends_session)
        except (AgentError, McpError) as error:
            logger.debug("the session with the MCP server %s was not ended: %s", self.row.id, error)

    async def _retire(self) -> None:
        """Make room for another session. What is under way on this one goes on, where that needs nobody."""
        if self._session is None or self._session.transport.kind != "streamable-http":
            await self._drop(ends_session=False)
            return
        self._session = None
        self._listening.stop()

    async def _let_go(self) -> None:
        """Close what keeps the agent in memory; a session that can be gone on with stays."""
        session = self._session
        if session is not None and session.transport.kind == "sse":
            self._session = None
            session.fail("the connection was not used and was closed")
            await session.transport.close(ends_session=True)

    def _unauthorized(self, error: McpUnauthorized) -> None:
        session, self._session = self._session, None
        self._listening.stop()
        if session is not None and session.transport.kind != "streamable-http":  # each of its requests stands alone
            session.fail("the server asks for authorization")
            self._spawn(session.transport.close(ends_session=False))
        if error.auth_url is None:
            self.fail(error)
            return
        self.row = replace(self.row, auth_url=error.auth_url)
        self.become("authenticating")
        self._home.changed()
        client = {} if self.row.client_id is None else {"clientId": self.row.client_id}
        self._emit("authorize", {"serverId": self.row.id, "authUrl": error.auth_url, **client})

    # Events

    def _where(self) -> Params:
        session = self._session
        transport: Params = {} if session is None else {"transport": session.transport.kind}
        return {"url": self.row.server_url, "state": self.state, **transport}

    def _emit(self, what: str, payload: Params) -> None:
        self._home.emit(f"mcp:client:{what}", payload)
