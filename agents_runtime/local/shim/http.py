"""What `_platform.base` asks of the shim: classes, the current environment, and header changes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agents_runtime.local.shim import headers as header_fields
from agents_runtime.local.shim.request import Request
from agents_runtime.local.shim.response import Response
from agents_runtime.local.shim.runtime import current_environment
from agents_runtime.local.shim.streams import Chunk, ReadableStream

if TYPE_CHECKING:
    from agents_runtime.local.sockets import ClientEnd

__all__ = [
    "Request",
    "Response",
    "current_environment",
    "headers_of",
    "read_body",
    "socket_frames",
    "stream_response",
    "upgrade_request",
    "with_headers",
    "with_url",
    "without_headers",
]

MAX_UNREAD_FRAMES = 1_024
"""So many frames of a socket may wait for a slow reader."""


def stream_response(chunks: AsyncIterable[Chunk], status: int, headers: Mapping[str, str]) -> Response:
    """A response whose body is produced while it is sent."""
    return Response(ReadableStream(chunks), status=status, headers=dict(headers))


async def read_body(request: Request, limit: int) -> bytes | None:
    """The body of a request, None when it is longer than `limit` bytes."""
    body = request.take_body() or b""
    if isinstance(body, bytes):
        return body if len(body) <= limit else None
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in body:
            size += len(chunk)
            if size > limit:
                return None
            chunks.append(chunk)
    finally:
        close: Any = getattr(body, "aclose", None)
        if close is not None:
            await close()
    return b"".join(chunks)


class SocketFrames:
    """The text frames of the WebSocket that a response carries, until it closes."""

    def __init__(self, end: ClientEnd) -> None:
        self._end = end
        self._frames: deque[str] = deque()
        self._news = asyncio.Event()
        self._is_closed = False
        end.attach(self)

    def send(self, data: str | bytes) -> None:
        """Take a frame from the object."""
        if len(self._frames) >= MAX_UNREAD_FRAMES:
            self.close()
        elif isinstance(data, str) and not self._is_closed:
            self._frames.append(data)
            self._news.set()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Take note that no more frames arrive."""
        self._is_closed = True
        self._news.set()

    def __aiter__(self) -> SocketFrames:
        return self

    async def __anext__(self) -> str:
        while not self._frames:
            if self._is_closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._frames.popleft()

    async def aclose(self) -> None:
        """Close the socket."""
        self.close()
        self._end.receive_close(1000, "", True)


def socket_frames(response: Response) -> SocketFrames:
    """The text frames of the WebSocket that a response carries. Closing them closes the socket."""
    return SocketFrames(response.web_socket)


def with_headers(response: Response, headers: Mapping[str, str]) -> Response:
    """The response with these headers set; one it already has is replaced. The body is not read."""
    fields = [header_fields.checked_field(name, value) for name, value in headers.items()]
    kept = header_fields.without(response.raw_headers(), {name for name, _ in fields})
    return response.replaced(fields=kept + fields, body=response.give_body())


def without_headers(request: Request, names: Sequence[str]) -> Request:
    """The request without these headers. The body is not read."""
    fields = header_fields.without(request.raw_headers(), {name.lower() for name in names})
    return request.replaced(fields=fields, body=request.give_body())


def with_url(request: Request, url: str) -> Request:
    """The request with another URL. The body is not read."""
    return request.replaced(url=url, body=request.give_body())


def upgrade_request(url: str, headers: Sequence[tuple[str, str]]) -> Request:
    """A request for a WebSocket."""
    return Request.from_server("GET", url, [(name, value) for name, value in headers])


def headers_of(request: Request) -> list[tuple[str, str]]:
    """All headers of a request."""
    return list(request.raw_headers())
