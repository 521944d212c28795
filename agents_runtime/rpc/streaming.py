"""The answer to one streaming call, chunk by chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents_runtime._core import wire
from agents_runtime._core.jsonx import dumps
from agents_runtime.errors import SocketClosed

if TYPE_CHECKING:
    from agents_runtime._core.peer import Peer

_NOTHING = object()


class StreamingResponse:
    """Answers a streaming call: send chunks, then end. The end is sent for you when the method returns.

    Everything returns False once the stream has ended or the client is gone; nothing is sent then.
    """

    __slots__ = ("_call_id", "_is_closed", "_peer")

    def __init__(self, call_id: str, peer: Peer) -> None:
        self._call_id = call_id
        self._peer = peer
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether the stream has ended or the client is gone."""
        return self._is_closed or not self._peer.is_open

    def send(self, chunk: object) -> bool:
        """Send one chunk, any JSON value."""
        if self._is_closed:
            return False
        return self._deliver(wire.rpc_chunk(self._call_id, dumps(chunk, "chunk")))

    def end(self, final: object = _NOTHING) -> bool:
        """End the stream, with a final result if one is given."""
        if self._is_closed:
            return False
        if final is _NOTHING:
            frame = wire.rpc_end(self._call_id)
        else:
            frame = wire.rpc_result(self._call_id, dumps(final, "result"))
        self._is_closed = True
        return self._deliver(frame)

    def error(self, message: str) -> bool:
        """End the stream with an error text for the client."""
        if self._is_closed:
            return False
        self._is_closed = True
        return self._deliver(wire.rpc_error(self._call_id, message))

    def _deliver(self, frame: str) -> bool:
        try:
            self._peer.send_text(frame)
        except SocketClosed:
            self._is_closed = True
            return False
        return True
