"""The transport of 2024-11-05: one stream for everything a session says, and an endpoint that takes what it is told.

Nothing is stored and nothing is replayed: these clients cannot ask for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agents_runtime._core.jsonx import dumps
from agents_runtime._platform.base import closed_upgrade
from agents_runtime.errors import SocketClosed
from agents_runtime.mcp.protocol.sse import encode_event

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Sockets

TAG = "mcp-sse"
ONE_AT_A_TIME = (1008, "The session is connected already")


class SseChannel:
    """The one stream of a session of this kind, on a hibernating socket."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    @property
    def is_open(self) -> bool:
        """Whether somebody listens."""
        return bool(self._sockets.all(TAG))

    def accept(self, endpoint: str) -> Any:  # noqa: ANN401 - the platform's response
        """Accept the socket, and tell the client where to post to."""
        if self.is_open:
            return closed_upgrade(*ONE_AT_A_TIME)
        socket, response = self._sockets.accept([TAG], dumps({"mcp": TAG}))
        socket.send(encode_event(endpoint, event="endpoint"))
        return response

    def say(self, message: Mapping[str, Any]) -> None:
        """Send a message."""
        frame = encode_event(dumps(message, "message"), event="message")
        for socket in self._sockets.all(TAG):
            with suppress(SocketClosed):
                socket.send(frame)

    def answer(self, message: Mapping[str, Any] | None) -> None:
        """Send an answer, if there is one."""
        if message is not None:
            self.say(message)
