"""A request body as it arrives: small ones at once, large ones as a stream, none beyond the limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from agents_runtime.errors import PeerError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

WHOLE_BYTES = 64 * 1024
"""A body announced to be at most so long is read before the worker is asked."""


class ClientGone(ConnectionError):
    """Raised when the client went away before its body was complete."""


class BodyTooLarge(PeerError):
    """Raised when a request body is longer than the server takes."""

    code = "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the request body is longer than {limit_bytes} bytes")


class RequestBody:
    """The chunks of a body, in order. Iterate once.

    Attributes:
        is_done: everything has arrived.
        is_too_large: the limit was passed; iterating raised `BodyTooLarge`.
    """

    def __init__(self, receive: Receive, limit_bytes: int) -> None:
        self._receive = receive
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self.is_done = False
        self.is_too_large = False

    def __aiter__(self) -> RequestBody:
        return self

    async def __anext__(self) -> bytes:
        while not self.is_done:
            chunk = await self._next()
            if chunk:
                return chunk
        raise StopAsyncIteration

    async def read_whole(self) -> bytes:
        """Everything, in one piece."""
        chunk = await self._next()
        if self.is_done:
            return chunk
        chunks = [chunk]
        while not self.is_done:
            chunks.append(await self._next())
        return b"".join(chunks)

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientGone("the client went away before its request was complete")
        chunk: bytes = message.get("body", b"")
        self._size_bytes += len(chunk)
        if self._size_bytes > self._limit_bytes:
            self.is_too_large = True
            raise BodyTooLarge(self._limit_bytes)
        self.is_done = not message.get("more_body", False)
        return chunk
