"""The event streams of one session: what is said on them is stored first, then sent to whoever listens.

A stream that answers a POST begins quietly. If all its answers are there at once they go out together, and nothing is
stored, since nobody could ask for them again. Otherwise the stream goes live: every event has an id from then on, and
a client that lost its connection goes on with a GET after the last id it has seen.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from agents_runtime._core.ids import nanoid
from agents_runtime._core.jsonx import dumps
from agents_runtime.errors import SocketClosed
from agents_runtime.mcp.protocol.sse import KEEPALIVE, encode_event
from agents_runtime.mcp.sessions.store import MAX_REPLAY, TRIM_EVERY

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, Socket, Sockets
    from agents_runtime.mcp.protocol.messages import RequestId
    from agents_runtime.mcp.sessions.store import EventStore, SessionStore

logger = logging.getLogger("agents_runtime")

STANDALONE = "_GET_stream"
"""The stream for what belongs to no request; its id is that of the JavaScript SDK."""

TAG = "mcp:"
"""How the sockets of a stream are tagged; its id follows."""

KEEPALIVE_S = 25.0
RETRY_MS = 1_000
"""How long clients are asked to wait before they connect again."""

RETAIN_MS = 600_000
"""How long the events of a stream stay that has said all."""

RETAIN_STREAMS = 64
MAX_UNREAD_FRAMES = 1_024
"""So many frames may wait for a slow reader. Then it is cut off; it can go on where it was."""

MAX_EARLY = 512
"""So many notifications may come before the first of them is sent."""

REPLAY_CHARS = 64 * 1024
"""How much is replayed in one frame of a socket."""

TAKEN_OVER = (1000, "Taken over by another connection")


class Outlet(Protocol):
    """Someone who listens to a stream."""

    def send(self, frame: str) -> None:
        """Send a server-sent event, as text."""
        ...

    def close(self) -> None:
        """Say that there is no more."""
        ...


class DirectOutlet:
    """The body of the response to a POST."""

    def __init__(self, clock: Clock, committed: Callable[[], Awaitable[None]]) -> None:
        self._clock = clock
        self._committed = committed
        self._frames: deque[str] = deque()
        self._news = asyncio.Event()
        self._is_closed = False

    def send(self, frame: str) -> None:
        """Send an event once it is stored durably."""
        if len(self._frames) >= MAX_UNREAD_FRAMES:
            self.close()  # what waits is still read, so that the reader knows where to go on
        elif not self._is_closed:
            self._frames.append(frame)
            self._news.set()

    def close(self) -> None:
        """End the body."""
        self._is_closed = True
        self._news.set()

    async def frames(self, gone: Callable[[], None]) -> AsyncIterator[str]:
        """The body, piece by piece; `gone` is called when it has ended or nobody reads it any more."""
        pulse = asyncio.ensure_future(self._keep_alive())
        try:
            while True:
                while self._frames:
                    text = "".join(self._frames)
                    self._frames.clear()
                    await self._committed()
                    yield text
                if self._is_closed:
                    return
                self._news.clear()
                await self._news.wait()
        finally:
            pulse.cancel()
            self._is_closed = True
            gone()

    async def _keep_alive(self) -> None:
        while True:
            await self._clock.sleep(KEEPALIVE_S)
            self.send(KEEPALIVE)


class SocketOutlet:
    """A hibernating WebSocket, whose other end writes what it gets to the body of a response."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    def send(self, frame: str) -> None:
        """Send an event."""
        with suppress(SocketClosed):
            self._socket.send(frame)

    def close(self) -> None:
        """End the body."""
        self._socket.close(1000, "")


class Stream:
    """A stream that answers a POST."""

    def __init__(self, streams: Streams, stream_id: str, requests: tuple[RequestId, ...], *, is_primed: bool) -> None:
        self.id = stream_id
        self.open = dict.fromkeys(requests)
        self.is_live = False
        self.is_let_go = False
        self._has_dropped = False
        self._is_primed = is_primed
        self._streams = streams
        self._early: list[Mapping[str, Any]] = []

    @property
    def is_done(self) -> bool:
        """Whether everything is answered."""
        return not self.open

    @property
    def is_busy(self) -> bool:
        """Whether something was said that is no answer: then it should not wait any longer."""
        return self.is_let_go or any("method" in message for message in self._early)

    def let_go(self) -> None:
        """End the connection for now, as soon as the client knows how to come back."""
        if self.is_live:
            self._streams.let_go(self.id)
        else:
            self.is_let_go = True

    def say(self, message: Mapping[str, Any]) -> None:
        """Send a message. Of notifications that come in a rush, before the first is sent, the last are dropped.

        The log says so once.
        """
        if self.is_live:
            self._streams.emit(self.id, message)
        elif "id" in message or len(self._early) < MAX_EARLY:
            self._early.append(message)
        elif not self._has_dropped:
            self._has_dropped = True
            logger.warning("more than %d notifications of one MCP request came at once; some are dropped", MAX_EARLY)

    def answer(self, request_id: RequestId, message: Mapping[str, Any] | None) -> None:
        """Send the answer to one of its requests; None: there will be none."""
        if request_id not in self.open:
            return
        del self.open[request_id]
        if message is not None:
            self.say(message)
        if self.is_live:
            self._streams.answered(self)

    def at_once(self) -> str:
        """All that was said so far, as events without ids. Only while it is not live."""
        return "".join(encode_event(dumps(message), event="message") for message in self._early)

    def go_live(self) -> None:
        """Store what is said from now on, and what was said before."""
        self.is_live = True
        self._streams.begin(self, is_primed=self._is_primed)
        early, self._early = self._early, []
        for message in early:
            self._streams.emit(self.id, message)
        if early:
            self._streams.answered(self)
        if self.is_let_go:
            self._streams.let_go(self.id)


class Streams:
    """All streams of one session."""

    def __init__(
        self,
        store: SessionStore,
        events: EventStore | None,
        sockets: Sockets,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._events = events
        self._sockets = sockets
        self._clock = clock
        self._random_bytes = random_bytes
        self._live: dict[str, Stream] = {}
        self._outlets: dict[str, Outlet] = {}

    def make(self, requests: tuple[RequestId, ...], *, is_primed: bool) -> Stream:
        """Make the stream that answers these requests."""
        return Stream(self, nanoid(self._random_bytes), requests, is_primed=is_primed)

    def begin(self, stream: Stream, *, is_primed: bool) -> None:
        """Take note that a stream is live."""
        self._live[stream.id] = stream
        if self._events is None:
            return
        self._clean_up()
        self._store.begin(stream.id, tuple(stream.open))
        if is_primed:
            number = self._events.append(stream.id, "")
            self._deliver(stream.id, encode_event("", id=f"{stream.id}:{number}", retry_ms=RETRY_MS))

    def emit(self, stream_id: str, message: Mapping[str, Any]) -> None:
        """Store a message, and send it to whoever listens."""
        data = dumps(message, "message")
        event_id = None if self._events is None else f"{stream_id}:{self._events.append(stream_id, data)}"
        self._deliver(stream_id, encode_event(data, event="message", id=event_id))

    def answered(self, stream: Stream) -> None:
        """Take note of what a stream has left to answer; end it when that is nothing."""
        if self._events is not None:
            self._store.answered(stream.id, tuple(stream.open), self._clock.now_ms())
        if stream.is_done:
            self._live.pop(stream.id, None)
            self._end(stream.id)

    def settle_lost(self, answer: Callable[[RequestId], Mapping[str, Any]]) -> None:
        """Answer the requests whose work was lost with the memory of the object. Called at the start of each life."""
        if self._events is None:
            return
        for row in self._store.unfinished():
            if row.stream in self._live:
                continue
            for request_id in row.open_requests:
                self.emit(row.stream, answer(request_id))
            self._store.answered(row.stream, (), self._clock.now_ms())
            self._end(row.stream)

    # Who listens

    def attach(self, stream_id: str, outlet: Outlet) -> None:
        """Let `outlet` have what is said from now on, instead of whoever had it before."""
        self._take_over(stream_id)
        self._outlets[stream_id] = outlet

    def detach(self, stream_id: str, outlet: Outlet) -> None:
        """Take note that nobody listens any more."""
        if self._outlets.get(stream_id) is outlet:
            del self._outlets[stream_id]

    def let_go(self, stream_id: str) -> None:
        """End the connection of whoever listens, although more will be said: they connect again."""
        self._end(stream_id)

    def knows(self, stream_id: str) -> bool:
        """Whether there is such a stream, or was not long ago."""
        return stream_id == STANDALONE or stream_id in self._live or self._store.find(stream_id) is not None

    def can_replay(self) -> bool:
        """Whether events are stored."""
        return self._events is not None

    def accept(self, stream_id: str, after: int | None) -> Any:  # noqa: ANN401 - the platform's response
        """Accept a socket that listens to a stream, and send it what it has missed. Gives the answer to its upgrade."""
        self._take_over(stream_id)
        socket, response = self._sockets.accept([TAG + stream_id], dumps({"mcp": stream_id}))
        outlet = SocketOutlet(socket)
        if after is not None and self._events is not None:
            for frame in _replayed(stream_id, self._events.after(stream_id, after, MAX_REPLAY + TRIM_EVERY)):
                outlet.send(frame)
        if stream_id != STANDALONE and stream_id not in self._live:
            outlet.close()
        else:
            self._outlets[stream_id] = outlet
        return response

    def has_listeners(self) -> bool:
        """Whether anybody listens to anything."""
        return bool(self._outlets) or any(tag.startswith(TAG) for socket in self._sockets.all() for tag in socket.tags)

    def close_all(self) -> None:
        """End every connection: the session is over."""
        for stream_id in tuple(self._outlets):
            self._end(stream_id)
        for socket in self._sockets.all():
            if any(tag.startswith(TAG) for tag in socket.tags):
                socket.close(1000, "The session was ended")

    def _take_over(self, stream_id: str) -> None:
        for socket in self._sockets.all(TAG + stream_id):
            socket.close(*TAKEN_OVER)
        outlet = self._outlets.pop(stream_id, None)
        if isinstance(outlet, DirectOutlet):
            outlet.close()

    def _deliver(self, stream_id: str, frame: str) -> None:
        outlet = self._outlet(stream_id)
        if outlet is not None:
            outlet.send(frame)

    def _end(self, stream_id: str) -> None:
        outlet = self._outlet(stream_id)
        if outlet is not None:
            outlet.close()
        self._outlets.pop(stream_id, None)

    def _outlet(self, stream_id: str) -> Outlet | None:
        """Who listens; after a sleep that is known from the sockets alone."""
        outlet = self._outlets.get(stream_id)
        if isinstance(outlet, DirectOutlet):
            return outlet
        sockets = self._sockets.all(TAG + stream_id)
        return SocketOutlet(sockets[0]) if sockets else None

    def _clean_up(self) -> None:
        """Forget the streams that have ended long ago, or of which there are too many."""
        if self._events is not None:
            for stream_id in self._store.forget_finished(self._clock.now_ms() - RETAIN_MS, RETAIN_STREAMS):
                self._events.forget(stream_id)


def _replayed(stream_id: str, events: list[tuple[int, str]]) -> Iterator[str]:
    """Stored events as they were sent, several together."""
    text = ""
    for number, data in events:
        text += encode_event(data, event="message" if data else None, id=f"{stream_id}:{number}")
        if len(text) > REPLAY_CHARS:
            yield text
            text = ""
    if text:
        yield text


def parse_event_id(text: str) -> tuple[str, int] | None:
    """The stream and the number in an event's id; None when it is no id of ours."""
    stream, colon, number = text.rpartition(":")
    if not colon or not stream or not number.isascii() or not number.isdigit() or len(number) > 15:
        return None
    return stream, int(number)
