"""One client's WebSocket, with what is kept about it while the agent sleeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core.jsonx import Json, dumps, loads
from agents_runtime._core.peer import CurrentAgent, Payload, TextSender
from agents_runtime.errors import SocketClosed, UsageError

if TYPE_CHECKING:
    import asyncio

    from agents_runtime._platform.ports import Socket

MAX_ATTACHMENT_BYTES = 16_384
"""The platform's limit for what is kept with a socket."""

READONLY_FLAG = "_cf_readonly"
NO_PROTOCOL_FLAG = "_cf_no_protocol"
OPEN, CLOSED = 1, 3


class ConnectionStateTooLarge(UsageError):
    """Raised when the state of a connection does not fit beside its id, tags and URL. The old state stays."""

    code = "connection_state_too_large"

    def __init__(self, cause: ValueError) -> None:
        super().__init__(
            "what is kept with a connection must fit into 16,384 bytes: keep the rest in the agent's state or a table "
            f"({cause})"
        )


class NotAccepted(UsageError):
    """Raised when a connection is used before it is accepted, in `get_connection_tags`."""

    code = "not_accepted"

    def __init__(self) -> None:
        super().__init__("the connection is not accepted yet: send to it and keep state with it from on_connect on")


class Connection:
    """A client connected over a WebSocket. It survives the agent's sleep; the object standing for it does not.

    Do not keep it in attributes: after a wake the same client is another `Connection` with the same id.

    Attributes:
        id: chosen by the client (`_pk` in its URL), or random. Two connections may have one id; each is a
            `Connection` of its own.
        uri: the URL of the upgrade request.
        tags: the id, then the tags from `get_connection_tags`.
    """

    __slots__ = (
        "_held",
        "_socket",
        "_state",
        "id",
        "in_flight",
        "is_readonly",
        "scope",
        "send_text",
        "sends_protocol",
        "tags",
        "tasks",
        "uri",
    )

    def __init__(self, owner: object, connection_id: str, uri: str | None, tags: list[str]) -> None:
        self.id = connection_id
        self.uri = uri
        self.tags = tags
        self.is_readonly = False
        self.sends_protocol = True
        self.scope = CurrentAgent(owner, self)
        self.in_flight = 0
        self.tasks: set[asyncio.Task[Any]] = set()
        self.send_text: TextSender = _not_accepted
        self._socket: Socket | None = None
        self._held: list[str | bytes] | None = None
        self._state: Json = None

    @classmethod
    def restored(cls, owner: object, socket: Socket) -> Connection | None:
        """The connection of a socket accepted earlier; None when the agent did not accept it."""
        kept = _decoded(socket.read_attachment())
        identity: dict[str, Any] | None = kept.get("__pk")
        if not isinstance(identity, dict) or not {"id", "uri", "tags"} <= identity.keys():
            return None
        connection = cls(owner, identity["id"], identity["uri"], identity["tags"])
        connection.is_readonly = kept.get(READONLY_FLAG) is True
        connection.sends_protocol = kept.get(NO_PROTOCOL_FLAG) is not True
        connection._state = kept.get("__user")
        connection.attach(socket)
        return connection

    def attach(self, socket: Socket) -> None:
        """Stand for `socket` from now on."""
        self._socket = socket
        self.send_text = socket.send

    def hold(self) -> None:
        """Keep back what is sent until `release`: a client that is turned away in the end sees nothing but that."""
        self._held = []
        self.send_text = self._held.append

    def release(self) -> None:
        """Send what was kept back, in order."""
        held, self._held = self._held, None
        if held is None:
            return
        send = self.send_text = self._accepted().send
        with suppress(SocketClosed):
            for frame in held:
                send(frame)

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self._socket is not None and self._socket.is_open

    @property
    def ready_state(self) -> int:
        """The state of the WebSocket as browsers number it: 1 open, 3 closed."""
        return OPEN if self.is_open else CLOSED

    @property
    def state(self) -> Any:  # noqa: ANN401 - the user's own JSON
        """What was kept with this connection by `set_state`; None at first. Survives the agent's sleep.

        Change it with `set_state` only: a change inside the value is forgotten.
        """
        return self._state

    def set_state(self, state: object | Callable[[Any], object]) -> Any:  # noqa: ANN401 - the user's own JSON
        """Keep a JSON value with this connection, or what a function makes of the old one. Returns it.

        Survives the agent's sleep and ends with the connection. The client is told nothing.

        Raises:
            NotJson: the value cannot be written as JSON.
            UsageError: it is too large: everything kept with a connection must fit into 16,384 bytes.
        """
        value = state(self._state) if callable(state) else state
        self.save(loads(dumps(value, "connection.state")))
        return self._state

    def send(self, message: Payload) -> None:
        """Send a frame: text and bytes as they are, a mapping as JSON text.

        It leaves once everything written before is durable.

        Raises:
            SocketClosed: the connection is closing or closed.
        """
        if type(message) is str:
            self.send_text(message)
        else:
            send: Any = self.send_text
            send(frame_of(message))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection after what was sent before; repeating is harmless.

        The JS clients do not come back after 1008 and 4000 to 4999.
        """
        self.release()
        self._accepted().close(code, reason)

    def save(self, state: Json) -> None:
        """Keep `state` and the flags. Raises ConnectionStateTooLarge."""
        try:
            self._accepted().write_attachment(self.attachment(state))
        except ValueError as error:
            if isinstance(error, UsageError):
                raise
            raise ConnectionStateTooLarge(error) from error
        self._state = state

    def turn_away(self, code: int, reason: str) -> None:
        """Close it as if it had never been accepted: nothing kept back is sent, nothing is told when it is gone."""
        self._held = None
        self._accepted().write_attachment("{}")
        self.close(code, reason)

    def save_flags(self) -> None:
        """Keep what `is_readonly` and `sends_protocol` are now."""
        self.save(self._state)

    def attachment(self, state: Json = None) -> str:
        """What is kept with the socket while the agent sleeps."""
        kept: dict[str, Json] = {"__pk": {"id": self.id, "tags": [*self.tags], "uri": self.uri}, "__user": state}
        if self.is_readonly:
            kept[READONLY_FLAG] = True
        if not self.sends_protocol:
            kept[NO_PROTOCOL_FLAG] = True
        return dumps(kept, "connection")

    def _accepted(self) -> Socket:
        if self._socket is None:
            raise NotAccepted
        return self._socket

    def __repr__(self) -> str:
        return f"<Connection {self.id!r} {'open' if self.is_open else 'closed'}>"


def frame_of(message: object) -> str | bytes:
    """The frame for a message: text and bytes as they are, a mapping as JSON text."""
    if isinstance(message, str | bytes):
        return message
    if isinstance(message, bytearray):
        return bytes(message)
    if isinstance(message, Mapping):
        return dumps(cast("Mapping[str, object]", message), "message")
    raise UsageError(f"a message is a text, bytes or a mapping, not a {type(message).__name__}; use json.dumps for it")


def _decoded(attachment: str | None) -> dict[str, Any]:
    """What was kept with a socket; empty when it was not us who kept it."""
    if not attachment:
        return {}
    try:
        kept = loads(attachment)
    except ValueError:
        return {}
    return cast("dict[str, Any]", kept) if isinstance(kept, dict) else {}


def _not_accepted(data: str, /) -> None:
    raise NotAccepted
