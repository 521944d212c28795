"""Everyone who is connected to one agent: found by id or tag, sent to one by one or all at once.

The platform's list of sockets is the truth. The one here is read from it once per life and followed from then on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core.capability import Capability
from agents_runtime.connections.connection import Connection, frame_of
from agents_runtime.errors import SocketClosed

if TYPE_CHECKING:
    from agents_runtime._core.peer import Payload, Peer
    from agents_runtime._platform.ports import Sockets

logger = logging.getLogger("agents_runtime")

Exclusion = str | Connection | Iterable["str | Connection"] | None
"""Whom a broadcast leaves out: a connection, or every connection with an id, or several of either."""


class ConnectionRegistry(Capability):
    """The open connections of one agent."""

    def __init__(self, owner: object, sockets: Sockets) -> None:
        self._owner = owner
        self._sockets = sockets
        self._known: dict[int, Connection] | None = None

    def find(self, raw: object) -> Connection | None:
        """The connection of the platform's socket object; None when the agent did not accept it."""
        socket = self._sockets.wrap(raw)
        known = self._known
        if known is None:
            known = self._read()
        connection = known.get(socket.key)
        # A socket that is closing is in no list any more, and its close event still has to be told.
        return connection if connection is not None else Connection.restored(self._owner, socket)

    def add(self, connection: Connection, key: int) -> None:
        """Take in a connection that was just accepted."""
        self.known()[key] = connection

    def remove(self, key: int) -> None:
        """Forget the connection of a socket."""
        self.known().pop(key, None)

    def known(self) -> dict[int, Connection]:
        """The connections by socket key, oldest first."""
        return self._read() if self._known is None else self._known

    def all(self, tag: str | None = None) -> list[Connection]:
        """The open connections, newest first; only those with `tag` when it is given."""
        return [
            connection
            for connection in reversed(self.known().values())
            if connection.is_open and (tag is None or tag in connection.tags)
        ]

    def get(self, connection_id: str) -> Connection | None:
        """The open connection with this id, the newest if there are several; None if there is none."""
        return next((connection for connection in self.all() if connection.id == connection_id), None)

    def broadcast(self, message: Payload, without: Exclusion = None) -> None:
        """Send one frame to every open connection but those left out."""
        frame: Any = frame_of(message)
        excluded = _excluded(without)
        for connection in tuple(self.known().values()):
            if excluded and (connection in excluded or connection.id in excluded):
                continue
            try:
                connection.send_text(frame)
            except SocketClosed:
                continue

    def publish(self, frame: str, without: Peer | None = None) -> None:
        """Send a frame of the agent's own to every connection that takes such frames."""
        for connection in tuple(self.known().values()):
            if connection.sends_protocol and connection is not without:
                try:
                    connection.send_text(frame)
                except SocketClosed:
                    continue

    async def on_destroy(self) -> None:
        """Forget everyone."""
        self._known = {}

    def _read(self) -> dict[int, Connection]:
        known: dict[int, Connection] = {}
        for socket in reversed(self._sockets.all()):
            connection = Connection.restored(self._owner, socket)
            if connection is not None:
                known[socket.key] = connection
        self._known = known
        return known


def _excluded(without: Exclusion) -> frozenset[Any]:
    if without is None:
        return frozenset()
    if isinstance(without, str | Connection):
        return frozenset((without,))
    return frozenset(cast("Iterable[Any]", without))
