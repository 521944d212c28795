"""What capabilities see of a connection, and what is known about the event being handled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio

Payload = str | bytes | Mapping[str, Any]
"""What may be sent: text and bytes as they are, a mapping as JSON text."""


class TextSender(Protocol):
    """Sends a finished text frame; raises `SocketClosed` when the connection is closing or closed."""

    def __call__(self, data: str, /) -> None:
        """Send `data`."""
        ...


class CurrentAgent:
    """Which agent is running, and for whom. Every field is None outside of an agent.

    Attributes:
        agent: the agent whose code runs.
        connection: whose message, call, connect or close is being handled.
        request: the HTTP request, or the upgrade request while connecting.
        email: the message being handled by `on_email`.
    """

    __slots__ = ("agent", "connection", "email", "request")

    agent: Any
    connection: Any
    request: Any
    email: Any

    def __init__(
        self, agent: object = None, connection: Peer | None = None, request: object = None, email: object = None
    ) -> None:
        self.agent = agent
        self.connection = connection
        self.request = request
        self.email = email

    def __repr__(self) -> str:
        known = (f"{name}={value!r}" for name in self.__slots__ if (value := getattr(self, name)) is not None)
        return f"CurrentAgent({', '.join(known)})"


class Peer(Protocol):
    """A connection, as the capabilities see it."""

    scope: CurrentAgent
    """What `get_current_agent()` returns while a message of this connection is handled."""
    in_flight: int
    """Calls of this connection that have not been answered."""
    tasks: set[asyncio.Task[None]]
    """Calls that end when the connection does."""

    @property
    def id(self) -> str:
        """The id the client chose, or a random one."""
        ...

    @property
    def uri(self) -> str | None:
        """The URL of the upgrade request."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """Tags given when connecting; the first is the id."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether frames can still be sent."""
        ...

    @property
    def is_readonly(self) -> bool:
        """Whether the state may not be changed by this connection."""
        ...

    @property
    def sends_protocol(self) -> bool:
        """Whether the agent's own frames go to this connection."""
        ...

    @property
    def state(self) -> Any:  # noqa: ANN401 - JSON of the user's own shape
        """What `set_state` kept; None at first."""
        ...

    def set_state(self, value: Any, /) -> object:  # noqa: ANN401 - as above
        """Keep a value with the connection, through the agent's sleep; or the result of a function of the old one."""
        ...

    @property
    def send_text(self) -> TextSender:
        """Sends a finished text frame without looking at it."""
        ...

    def send(self, message: Payload) -> None:
        """Send one frame."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection."""
        ...
