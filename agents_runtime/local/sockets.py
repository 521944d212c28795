"""WebSockets of the local host: both ends, hibernation, automatic answers.

A `ServerEnd` belongs to an object's address, not to its memory: it keeps tags and attachment while the object
is evicted and wakes it when a frame arrives. The object's code holds a `WebSocket`, which is valid for one life of
the object. The `ClientEnd` is what the worker's 101 response carries to the network, or to a test client.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from agents_runtime.errors import SocketClosed, UsageError
from agents_runtime.local.values import ArrayBuffer, JsException, decode, encode

if TYPE_CHECKING:
    from agents_runtime.local.life import Life

MAX_ATTACHMENT_BYTES = 16_384
MAX_TAGS = 10
MAX_TAG_CHARS = 256
MAX_AUTO_RESPONSE_BYTES = 2_048
"""Limits of the platform: spec of hibernatable WebSockets."""

ABNORMAL = 1006
NO_STATUS = 1005
OPEN, CLOSING, CLOSED = 1, 2, 3

_keys = itertools.count(1)


class Peer(Protocol):
    """What stands at the far side of a `ClientEnd`: a network connection or a test client."""

    def send(self, data: str | bytes) -> None: ...
    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake; 1005 sends no code, 1006 drops the connection without a close frame."""
        ...


class SocketOwner(Protocol):
    """The address a `ServerEnd` delivers to."""

    def socket_received(self, end: ServerEnd, data: str | bytes) -> None: ...
    def socket_closed(self, end: ServerEnd, code: int, reason: str, was_clean: bool) -> None: ...


class ClientEnd:
    """The far end of an accepted WebSocket. Frames sent before `attach` are kept and handed over in order."""

    __slots__ = ("_early", "_peer", "_server", "backlog", "on_drain")

    def __init__(self) -> None:
        self._peer: Peer | None = None
        self._early: list[tuple[str | bytes | None, int, str]] = []
        self._server: ServerEnd | None = None
        self.backlog = 0
        self.on_drain: Callable[[], None] | None = None

    def attach(self, peer: Peer) -> None:
        """Connect the far side and hand over what was sent so far."""
        self._peer = peer
        early, self._early = self._early, []
        for data, code, reason in early:
            if data is None:
                peer.close(code, reason)
            else:
                peer.send(data)

    def receive(self, data: str | bytes) -> None:
        """Take a frame from the far side; it is delivered in order and counts as backlog until handled."""
        if self._server is not None:
            self._server.receive(data)

    def receive_close(self, code: int, reason: str, was_clean: bool) -> None:
        """Take note that the far side closed, or vanished (1006, not clean)."""
        if self._server is not None:
            self._server.receive_close(code, reason, was_clean)

    def handled(self) -> None:
        """Count one frame off the backlog."""
        self.backlog -= 1
        if self.backlog == 0 and self.on_drain is not None:
            self.on_drain()

    def deliver(self, data: str | bytes) -> None:
        """Send a frame to the far side."""
        if self._peer is not None:
            self._peer.send(data)
        else:
            self._early.append((data, 0, ""))

    def deliver_close(self, code_and_reason: tuple[int, str]) -> None:
        """Start closing towards the far side."""
        if self._peer is not None:
            self._peer.close(*code_and_reason)
        else:
            self._early.append((None, *code_and_reason))


class ServerEnd:
    """The object's end: what survives hibernation."""

    __slots__ = ("attachment", "auto_response_ms", "client", "handle", "key", "owner", "state", "tags")

    def __init__(self, client: ClientEnd) -> None:
        self.client = client
        client._server = self  # pyright: ignore[reportPrivateUsage] - the two ends are one pair
        self.key = next(_keys)
        self.owner: SocketOwner | None = None
        self.tags: tuple[str, ...] = ()
        self.attachment: str | bytes | None = None
        self.auto_response_ms: int | None = None
        self.state = OPEN
        self.handle: WebSocket | None = None

    def receive(self, data: str | bytes) -> None:
        if self.owner is not None and self.state == OPEN:
            self.client.backlog += 1
            self.owner.socket_received(self, data)

    def receive_close(self, code: int, reason: str, was_clean: bool) -> None:
        if self.owner is not None and self.state != CLOSED:
            self.state = CLOSED if self.state == CLOSING else CLOSING
            self.owner.socket_closed(self, code, reason, was_clean)

    def drop(self, code: int, reason: str) -> None:
        """Close at once towards the client, telling the object nothing (its memory is gone)."""
        if self.state == CLOSED:
            return
        self.state = CLOSED
        self.owner = None
        self.handle = None
        self.client.deliver_close((code, reason))


class WebSocketPair:
    """Two connected ends: return `client` in a 101 response, accept `server` in the object."""

    def __init__(self) -> None:
        self.client = ClientEnd()
        self.server = ServerEnd(self.client)


class WebSocket:
    """The object's handle on a `ServerEnd`, for one life of the object: the platform's WebSocket, and the port's.

    Like a proxy on the platform it compares equal to any other handle of the same socket, and is not hashable.
    """

    __slots__ = ("_end", "_life", "key")

    def __init__(self, end: ServerEnd, life: Life) -> None:
        self._end = end
        self._life = life
        self.key = end.key

    __hash__ = None  # type: ignore[assignment] # the platform's proxies are unhashable, so ours are too

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WebSocket) and other._end is self._end

    @property
    def end(self) -> ServerEnd:
        """The end behind this handle."""
        return self._end

    @property
    def is_open(self) -> bool:
        return self._end.state == OPEN

    @property
    def readyState(self) -> int:
        return self._end.state

    @property
    def tags(self) -> Sequence[str]:
        return self._end.tags

    def send(self, data: str | bytes) -> None:
        """Send a frame once the writes made so far are committed."""
        end = self._end
        life = self._life
        if life.ended is not None:
            raise life.ended
        if end.state != OPEN:
            raise SocketClosed
        output = life.output
        if output.is_dirty:
            output.emit(end.client.deliver, data)
        else:
            end.client.deliver(data)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close after what was sent before. Codes that may not be sent become a close without a code."""
        end = self._end
        self._life.check_alive()
        if end.state == CLOSED:
            return
        answered = end.state == CLOSING
        end.state = CLOSED if answered else CLOSING
        if code in (NO_STATUS, ABNORMAL):
            code, reason = NO_STATUS, ""
        elif code != 1000 and not 3000 <= code <= 4999 and code not in (1001, 1002, 1003, *range(1007, 1015)):
            raise UsageError(f"{code} is not a code a WebSocket may be closed with: use 1000, or 3000 to 4999")
        self._life.output.emit(end.client.deliver_close, (code, reason))

    def read_attachment(self) -> str | None:
        kept = self.deserializeAttachment()
        return kept if isinstance(kept, str) else None

    def write_attachment(self, text: str) -> None:
        if len(text) * 4 > MAX_ATTACHMENT_BYTES and len(text.encode()) > MAX_ATTACHMENT_BYTES:
            raise ValueError(_attachment_error(len(text.encode())))
        self._end.attachment = text

    def serializeAttachment(self, value: Any) -> None:
        data = encode(value)
        if len(data) > MAX_ATTACHMENT_BYTES:
            raise JsException("Error", _attachment_error(len(data)))
        self._end.attachment = data

    def deserializeAttachment(self) -> Any:
        attachment = self._end.attachment
        return decode(attachment) if isinstance(attachment, bytes) else attachment


def _attachment_error(size: int) -> str:
    return (
        f"A WebSocket 'attachment' cannot be larger than {MAX_ATTACHMENT_BYTES} bytes. 'attachment' was {size} bytes."
    )


class AutoResponse:
    """A text frame answered without waking the object."""

    __slots__ = ("request", "response")

    def __init__(self, request: str, response: str) -> None:
        if len(request.encode()) > MAX_AUTO_RESPONSE_BYTES or len(response.encode()) > MAX_AUTO_RESPONSE_BYTES:
            raise UsageError(f"an automatic answer may have {MAX_AUTO_RESPONSE_BYTES} bytes each way at most")
        self.request = request
        self.response = response


class SocketTable:
    """All WebSockets of one address, and their delivery. Survives eviction of the object."""

    __slots__ = ("_ends", "auto_response")

    def __init__(self) -> None:
        self._ends: dict[int, ServerEnd] = {}
        self.auto_response: AutoResponse | None = None

    def __len__(self) -> int:
        return len(self._ends)

    def ends(self) -> list[ServerEnd]:
        return list(self._ends.values())

    def add(self, end: ServerEnd, owner: SocketOwner, tags: Sequence[str]) -> None:
        """Accept `end` for hibernation. Tags are checked as the platform does."""
        if end.owner is not None:
            raise JsException("Error", "Cannot call `acceptWebSocket()` if the WebSocket was already accepted")
        if len(tags) > MAX_TAGS:
            raise JsException("Error", f"a Hibernatable WebSocket cannot have more than {MAX_TAGS} tags")
        for tag in tags:
            if len(tag) > MAX_TAG_CHARS:
                raise JsException("Error", f"a tag is longer than {MAX_TAG_CHARS} characters: {tag[:40]!r}...")
        end.owner = owner
        end.tags = tuple(dict.fromkeys(tags))
        self._ends[end.key] = end

    def remove(self, end: ServerEnd) -> None:
        end.state = CLOSED
        end.handle = None
        self._ends.pop(end.key, None)

    def open_handles(self, life: Life, tag: str | None) -> list[WebSocket]:
        """Handles of the open sockets, newest first."""
        handles = [
            handle(end, life) for end in self._ends.values() if end.state == OPEN and (tag is None or tag in end.tags)
        ]
        handles.reverse()
        return handles

    def forget_handles(self) -> None:
        for end in self._ends.values():
            end.handle = None

    def drop_all(self, code: int, reason: str) -> None:
        for end in self.ends():
            end.drop(code, reason)
        self._ends.clear()

    def answer_automatically(self, end: ServerEnd, data: str | bytes, now_ms: int) -> bool:
        auto = self.auto_response
        if auto is None or data != auto.request:
            return False
        end.auto_response_ms = now_ms
        end.client.deliver(auto.response)
        end.client.handled()
        return True


def handle(end: ServerEnd, life: Life) -> WebSocket:
    """The one handle of `end` in this life."""
    if end.handle is None:
        end.handle = WebSocket(end, life)
    return end.handle


def to_platform(data: str | bytes) -> str | ArrayBuffer:
    """A received frame as the object sees it."""
    return data if isinstance(data, str) else ArrayBuffer(data)
