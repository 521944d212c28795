"""From an upgrade request to a connection that was greeted: the accept sequence, in the order clients rely on.

Nothing a client sends is handled before its `on_connect` finished, because the upgrade is answered only then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from agents_runtime._core import wire
from agents_runtime._core.ids import nanoid
from agents_runtime._core.jsonx import size_bytes
from agents_runtime._core.peer import CurrentAgent
from agents_runtime.connections.connection import MAX_ATTACHMENT_BYTES, Connection
from agents_runtime.connections.tags import MAX_TAG_CHARS, connection_tags
from agents_runtime.context import CURRENT, run_in

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._platform.ports import Entropy, Sockets
    from agents_runtime.connections.registry import ConnectionRegistry

Emit = Callable[[str, "Mapping[str, Json]"], None]


class UpgradeRequest(Protocol):
    """A `workers.Request` that asks for a WebSocket."""

    @property
    def url(self) -> str:
        """The absolute URL."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectionContext:
    """What is known about a connection while it is made.

    Attributes:
        request: the upgrade request, with its URL and headers.
    """

    request: Any


class ConnectHooks(Protocol):
    """What the user may say about a new connection."""

    def get_connection_tags(self, connection: Connection, context: ConnectionContext, /) -> object:
        """Tags, or something to await that gives them."""
        ...

    def should_connection_be_readonly(self, connection: Connection, context: ConnectionContext, /) -> bool:
        """Whether it may not change the state."""
        ...

    def should_send_protocol_messages(self, connection: Connection, context: ConnectionContext, /) -> bool:
        """Whether it gets the agent's own frames."""
        ...

    def on_connect(self, connection: Connection, context: ConnectionContext, /) -> object:
        """Greet it."""
        ...


class Refusal(Exception):
    """Raised to answer an upgrade with a WebSocket that closes at once: browsers can read its code, but no status."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class Handshake:
    """Accepts the connections of one agent."""

    def __init__(
        self,
        hooks: ConnectHooks,
        registry: ConnectionRegistry,
        sockets: Sockets,
        entropy: Entropy,
        greeting: Callable[[Connection], Iterable[str]],
        emit: Emit,
        fail: Callable[[Exception, Connection], Awaitable[object]],
        *,
        ping: tuple[str, str] | None = None,
    ) -> None:
        self._ping = ping
        self._hooks = hooks
        self._registry = registry
        self._sockets = sockets
        self._entropy = entropy
        self._greeting = greeting
        self._emit = emit
        self._fail = fail

    async def accept(self, request: UpgradeRequest) -> Any:  # noqa: ANN401 - the platform's response
        """Make the connection and return the response (101) that opens it.

        When `on_connect` raises, the connection is closed with 1011 and forgotten; the client gets no other frame.

        Raises:
            Refusal: the client asks for what it cannot have.
            Exception: what a hook before the accept raised. Nothing was accepted.
        """
        url = request.url
        connection = Connection(self._hooks, self._checked_id(url), url, [])
        context = ConnectionContext(request)
        scope = CurrentAgent(self._hooks, connection, request)
        given = await run_in(scope, self._hooks.get_connection_tags, connection, context)
        connection.tags = connection_tags(connection.id, given)
        attachment = connection.attachment()
        if size_bytes(attachment) > MAX_ATTACHMENT_BYTES:
            raise Refusal(wire.BAD_CONNECTION_CODE, "The URL is too long to be kept with the connection")
        self._registry.known()  # read before there is one more
        if self._ping is not None:
            self._sockets.set_auto_response(*self._ping)
            self._ping = None
        socket, response = self._sockets.accept(connection.tags, attachment)
        connection.attach(socket)
        connection.hold()
        try:
            self._registry.add(connection, socket.key)
            self._admit(connection, context, scope)
            self._emit("connect", {"connectionId": connection.id})
            await run_in(scope, self._hooks.on_connect, connection, context)
        except Exception as error:  # whatever a hook raises ends this connection, and only this one
            self._registry.remove(socket.key)
            connection.turn_away(wire.SETUP_FAILED_CODE, wire.SETUP_FAILED)
            await self._fail(error, connection)
        connection.release()
        return response

    def _checked_id(self, url: str) -> str:
        query = parse_query(url)
        if query.get(wire.TRANSPORT_PARAMETER, "") not in ("", wire.DEFAULT_TRANSPORT):
            raise Refusal(wire.UNSUPPORTED_TRANSPORT_CODE, wire.UNSUPPORTED_TRANSPORT)
        connection_id = query.get(wire.CONNECTION_ID_PARAMETER) or nanoid(self._entropy.random_bytes)
        if len(connection_id) > MAX_TAG_CHARS:
            raise Refusal(wire.BAD_CONNECTION_CODE, f"A connection id has at most {MAX_TAG_CHARS} characters")
        return connection_id

    def _admit(self, connection: Connection, context: ConnectionContext, scope: CurrentAgent) -> None:
        """Ask the gating hooks, then greet. Never waits, so that no frame of another event comes in between."""
        previous = CURRENT.get()
        CURRENT.set(scope)
        try:
            connection.is_readonly = bool(self._hooks.should_connection_be_readonly(connection, context))
            sends_protocol = bool(self._hooks.should_send_protocol_messages(connection, context))
            connection.sends_protocol = False  # or a state set for the first time by the greeting would come twice
            greeting = tuple(self._greeting(connection)) if sends_protocol else ()
            connection.sends_protocol = sends_protocol
            if connection.is_readonly or not sends_protocol:
                connection.save_flags()
            for frame in greeting:
                connection.send_text(frame)
        finally:
            CURRENT.set(previous)


def names_agent(uri: str | None, name: str) -> bool:
    """Whether whoever knows the URL knows the agent's name."""
    if uri is None or name in uri:
        return True
    from urllib.parse import unquote

    return name in unquote(uri)


def parse_query(url: str) -> dict[str, str]:
    """The parameters of a URL's query, the first of each name."""
    _, mark, query = url.partition("#")[0].partition("?")
    if not mark:
        return {}
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            from urllib.parse import unquote_plus

            name, value = unquote_plus(name), unquote_plus(value)
        found.setdefault(name, value)
    return found
