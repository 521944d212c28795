"""All WebSockets of one server: their limits, their shared write turn, their keep-alive.

Frames sent in one turn of the event loop leave together: each socket is written once, and one callback serves them
all. A text sent to many sockets is encoded once, since a broadcast passes the same `str` to each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from agents_runtime.local.shim.content import encode as encode_text

if TYPE_CHECKING:
    from agents_runtime.local.server.handshake import Handshake
    from agents_runtime.local.server.limits import Limits
    from agents_runtime.local.server.websocket import SocketProtocol
    from agents_runtime.local.shim.response import Response

Upgrade = Callable[["Handshake"], Awaitable["Response"]]
"""Asks the worker to open a WebSocket. Never raises: a failure is a response too."""

KEEP_ALIVE_SLICES = 8
"""The sockets are looked after in so many groups, one after the other, rather than all at once."""

_TEXT_HEADS = tuple(bytes((0x81, size)) for size in range(126))


def encode_frame(data: str | bytes) -> bytes:
    """One message as one unmasked frame. Half of a surrogate pair is replaced, as on the platform."""
    if isinstance(data, str):
        payload = encode_text(data)
        size = len(payload)
        if size < 126:
            return _TEXT_HEADS[size] + payload
        first = b"\x81"
    else:
        payload, size, first = data, len(data), b"\x82"
        if size < 126:
            return first + bytes((size,)) + payload
    if size < 65_536:
        return b"".join((first, b"\x7e", size.to_bytes(2, "big"), payload))
    return b"".join((first, b"\x7f", size.to_bytes(8, "big"), payload))


class SocketPool:
    """The WebSockets of one server."""

    def __init__(self, upgrade: Upgrade, limits: Limits) -> None:
        self.upgrade = upgrade
        self.limits = limits
        self._slices: list[set[SocketProtocol]] = [set() for _ in range(KEEP_ALIVE_SLICES)]
        self._turn = 0
        self._waiting: list[SocketProtocol] = []
        self._last_data: str | bytes | None = None
        self._last_frame = b""
        self._empty: asyncio.Event | None = None

    def __len__(self) -> int:
        return sum(map(len, self._slices))

    def add(self, socket: SocketProtocol) -> None:
        """Look after a socket from now on."""
        min(self._slices, key=len).add(socket)

    def discard(self, socket: SocketProtocol) -> None:
        """Forget a socket whose connection ended."""
        for group in self._slices:
            group.discard(socket)
        if self._empty is not None and not len(self):
            self._empty.set()

    def encode(self, data: str | bytes) -> bytes:
        """The frame for a message; the one just encoded is not encoded again."""
        if data is self._last_data:
            return self._last_frame
        self._last_data = data
        self._last_frame = frame = encode_frame(data)
        return frame

    def write_soon(self, socket: SocketProtocol) -> None:
        """Write what `socket` has to say at the end of this turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._write_all)
        self._waiting.append(socket)

    def _write_all(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._last_data, self._last_frame = None, b""
        for socket in waiting:
            socket.flush()

    def look_after(self) -> None:
        """Check the next group for silence; called `KEEP_ALIVE_SLICES` times per `ping_interval_s`."""
        self._turn = (self._turn + 1) % KEEP_ALIVE_SLICES
        for socket in list(self._slices[self._turn]):
            socket.check_silence()

    async def drain(self, grace_s: float) -> None:
        """Wait until all sockets are closed; those left after `grace_s` are cut off."""
        self._empty = asyncio.Event()
        if len(self):
            try:
                await asyncio.wait_for(self._empty.wait(), grace_s)
            except TimeoutError:
                for group in self._slices:
                    for socket in list(group):
                        socket.abort()
