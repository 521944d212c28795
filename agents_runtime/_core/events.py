"""Observability: what an agent tells about itself, and who listens.

Events go to the agent's `observability`, which by default hands them to the subscribers in this process. Without
subscribers an event is never even made. An event is told after the fact, and a listener that raises harms nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json

logger = logging.getLogger("agents_runtime")

ALL = "all"
CHANNELS = (
    "agent_tool",
    "channel",
    "chat",
    "email",
    "fiber",
    "lifecycle",
    "mcp",
    "message",
    "rpc",
    "schedule",
    "state",
    "stream",
    "task",
    "transcript",
    "workflow",
)
_CHANNEL_OF_PREFIX = {
    "mcp": "mcp",
    "workflow": "workflow",
    "fiber": "fiber",
    "task": "task",
    "stream": "stream",
    "transcript": "transcript",
    "chat": "chat",
    "agent_tool": "agent_tool",
    "schedule": "schedule",
    "queue": "schedule",
    "message": "message",
    "tool": "message",
    "submission": "message",
    "action": "message",
    "rpc": "rpc",
    "state": "state",
    "email": "email",
    "channel": "channel",
    "notice": "channel",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something an agent did.

    Attributes:
        type: such as `state:update`, `rpc`, `rpc:error`, `connect`, `disconnect`, `destroy`.
        agent: the agent's class.
        name: the agent's name.
        payload: JSON values, by the names the JavaScript SDK uses.
        timestamp: milliseconds since the epoch.
    """

    type: str
    agent: str
    name: str
    payload: Mapping[str, Json]
    timestamp: int

    @property
    def channel(self) -> str:
        """The channel it belongs to, such as `rpc` or `lifecycle`."""
        return channel_of(self.type)


Listener = Callable[[Event], None]


class Observability(Protocol):
    """Where an agent's events go."""

    def emit(self, event: Event) -> None:
        """Take note of an event. Must be quick; what it raises is logged."""
        ...


def channel_of(event_type: str) -> str:
    """The channel of an event type."""
    if event_type.startswith("chat:transcript:"):
        return "transcript"
    return _CHANNEL_OF_PREFIX.get(event_type.partition(":")[0], "lifecycle")


class Subscribers:
    """The default observability: hands events to the functions subscribed in this process."""

    def __init__(self) -> None:
        self._listeners: dict[str, tuple[Listener, ...]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nobody listens."""
        return not self._listeners

    def subscribe(self, channel: str, listener: Listener) -> Callable[[], None]:
        """Call `listener` for every event of the channel; returns the function that stops it."""
        known = channel.removeprefix("agents:")
        if known != ALL and known not in CHANNELS:
            raise UsageError(f"there is no channel {channel!r}: use {ALL!r} or one of {', '.join(CHANNELS)}")
        self._listeners[known] = (*self._listeners.get(known, ()), listener)

        def unsubscribe() -> None:
            left = list(self._listeners.get(known, ()))
            if listener in left:
                left.remove(listener)
            if left:
                self._listeners[known] = tuple(left)
            else:
                self._listeners.pop(known, None)

        return unsubscribe

    def emit(self, event: Event) -> None:
        """Tell everyone who subscribed to the event's channel, or to all."""
        for listener in (*self._listeners.get(event.channel, ()), *self._listeners.get(ALL, ())):
            tell(listener, event)


def tell(listener: Listener, event: Event) -> None:
    """Call `listener`; what it raises is logged."""
    try:
        listener(event)
    except Exception:
        logger.exception("a listener failed on the event %s of %s %r", event.type, event.agent, event.name)


subscribers = Subscribers()


def subscribe(channel: str, callback: Listener) -> Callable[[], None]:
    """Call `callback` for every event of a channel, of all agents in this process.

    Events of an agent come in the order they happened; a callback that raises is logged and called again next time.

    Args:
        channel: `"all"`, or one of `rpc`, `state`, `lifecycle`, `schedule`, `message` and so on.
        callback: takes one `Event`. It runs inside the agent's event: it must be quick.

    Returns:
        A function that ends the subscription.
    """
    return subscribers.subscribe(channel, callback)


class Emitter:
    """One agent's way to tell what it does."""

    __slots__ = ("_agent", "_name", "_now_ms", "_sink")

    def __init__(
        self,
        agent: str,
        name: Callable[[], str],
        now_ms: Callable[[], int],
        sink: Callable[[], Observability | None],
    ) -> None:
        self._agent = agent
        self._name = name
        self._now_ms = now_ms
        self._sink = sink

    def __call__(self, event_type: str, payload: Mapping[str, Json]) -> None:
        sink = self._sink()
        if sink is None or (sink is subscribers and subscribers.is_empty):
            return
        tell(sink.emit, Event(event_type, self._agent, self._name(), payload, self._now_ms()))
