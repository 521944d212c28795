"""Server-sent events: one event as text, and a decoder that takes bytes as they come."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from agents_runtime.errors import RemoteError

MAX_EVENT_SIZE = 16 * 1024 * 1024
"""The longest event that is read, in characters."""

KEEPALIVE = ": keepalive\n\n"
"""A comment: it keeps a connection open and means nothing."""


class EventTooLarge(RemoteError):
    """Raised when a server sends an event that is longer than is read.

    Attributes:
        limit: the most characters.
    """

    code = "event_too_large"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"the server sent an event of more than {limit:,} characters")


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event.

    Attributes:
        data: its text; empty for an event that only carries an id or a retry time.
        event: its type.
        id: what to continue from with `Last-Event-ID`; None when it has none.
        retry_ms: how long the server wants a client to wait before it connects again.
    """

    data: str
    event: str = "message"
    id: str | None = None
    retry_ms: int | None = None


def encode_event(data: str, *, event: str | None = None, id: str | None = None, retry_ms: int | None = None) -> str:  # noqa: A002 - the field's name
    """One event as text. `event` and `id` must be free of line breaks; `data` need not be."""
    lines: list[str] = []
    if event is not None:
        lines.append(f"event: {event}\n")
    if id is not None:
        lines.append(f"id: {id}\n")
    if retry_ms is not None:
        lines.append(f"retry: {retry_ms}\n")
    if "\n" in data or "\r" in data:
        data = data.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\ndata: ")
    lines.append(f"data: {data}\n\n")
    return "".join(lines)


class SseDecoder:
    """From the bytes of a stream to its events, however they are cut.

    Attributes:
        last_event_id: the last id that was seen; empty before the first one.
    """

    def __init__(self, max_event_size: int = MAX_EVENT_SIZE) -> None:
        self.last_event_id = ""
        self._max_size = max_event_size
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._ended_in_return = False
        self._line: list[str] = []
        self._size = 0
        self._clear()

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that are complete with this chunk. One that has no data counts if it has an id or a retry time.

        Raises:
            EventTooLarge: nothing can be read from this stream any more.
        """
        text = self._decode(chunk)
        if not text:
            return []
        if self._ended_in_return and text[0] == "\n":
            text = text[1:]
        self._ended_in_return = text.endswith("\r") if text else False
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        *lines, rest = text.split("\n")
        found: list[SseEvent] = []
        for line in lines:
            self._line.append(line)
            whole = "".join(self._line)
            self._line.clear()
            if whole:
                self._count(len(line))
                self._field(whole)
            elif (event := self._event()) is not None:
                found.append(event)
        if rest:
            self._count(len(rest))
            self._line.append(rest)
        return found

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > self._max_size:
            raise EventTooLarge(self._max_size)

    def _clear(self) -> None:
        self._data: list[str] = []
        self._type = ""
        self._id: str | None = None
        self._retry_ms: int | None = None
        self._size = 0

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = self.last_event_id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) < 16:
            self._retry_ms = int(value)

    def _event(self) -> SseEvent | None:
        data = "\n".join(self._data)
        event = None
        if data or self._id is not None or self._retry_ms is not None:
            event = SseEvent(data, self._type or "message", self._id, self._retry_ms)
        self._clear()
        return event
