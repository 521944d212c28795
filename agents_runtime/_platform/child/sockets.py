"""The WebSockets of a child. They end at its root, which passes on what comes and sends what goes.

What belongs to a socket (its tags, what is kept with it) is in the child's own database, so that a child which wakes
has them at once. A socket that was lost while nobody could tell is recognised by the root's epoch.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from agents_runtime.errors import SocketClosed, UsageError

if TYPE_CHECKING:
    from agents_runtime._platform.child.uplink import Uplink
    from agents_runtime._platform.ports import SqlStore

MAX_ATTACHMENT_BYTES = 16_384
NO_CODES = (1005, 1006)
SENDABLE_CODES = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)))

_CREATE = (
    "CREATE TABLE IF NOT EXISTS cf_agents_sub_sockets "
    "(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tags TEXT NOT NULL, attachment TEXT NOT NULL, "
    "closing INTEGER NOT NULL DEFAULT 0)"
)
_READ = "SELECT id, tags, attachment, closing FROM cf_agents_sub_sockets ORDER BY number"
_LOOK = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'cf_agents_sub_sockets'"


class Upgrade:
    """An upgrade request under way: the socket that the root holds for it, and what became of it here."""

    __slots__ = ("code", "is_accepted", "path", "reason", "socket_id")

    def __init__(self, socket_id: str) -> None:
        self.socket_id = socket_id
        self.is_accepted: bool | None = None
        self.code = 0
        self.reason = ""
        self.path: Any = None
        """The path of the child that took it, where it was not this one."""


UPGRADE: ContextVar[Upgrade | None] = ContextVar("agents_runtime_upgrade", default=None)
"""The upgrade request that is being answered."""


class ChildSocket:
    """The port's `Socket`, for a WebSocket that ends at the root."""

    __slots__ = ("_attachment", "_table", "id", "is_open", "key", "tags")

    def __init__(self, table: ChildSockets, socket_id: str, key: int, tags: Sequence[str], attachment: str) -> None:
        self._table = table
        self._attachment = attachment
        self.id = socket_id
        self.key = key
        self.tags = tags
        self.is_open = True

    def send(self, data: str | bytes) -> None:
        """Send a frame."""
        if not self.is_open:
            raise SocketClosed
        self._table.uplink.send(self.id, data)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it after what was sent before. Repeating is harmless."""
        if not self.is_open:
            return
        if code in NO_CODES:
            code, reason = NO_CODES[0], ""
        elif code not in SENDABLE_CODES:
            raise UsageError(f"{code} is not a code a WebSocket may be closed with: use 1000, or 3000 to 4999")
        self.is_open = False
        self._table.uplink.post("close", self.id, code, reason)
        self._table.note_closing(self.id)

    def read_attachment(self) -> str | None:
        """What is kept with it."""
        return self._attachment

    def write_attachment(self, text: str) -> None:
        """Keep a text with it."""
        self._table.keep(self.id, _checked(text))
        self._attachment = text


class ChildSockets:
    """The port's `Sockets`."""

    def __init__(self, sql: SqlStore, uplink: Uplink) -> None:
        self._sql = sql
        self._known: dict[str, ChildSocket] | None = None
        self._keys = itertools.count(1)
        self._has_table = False
        self._auto: tuple[str, str] | None = None
        self.uplink = uplink

    def accept(self, tags: Sequence[str], attachment: str) -> tuple[ChildSocket, Any]:
        """Take the socket that the root holds for the upgrade request being answered."""
        upgrade = UPGRADE.get()
        if upgrade is None or upgrade.is_accepted is not None:
            raise UsageError("a sub-agent gets its WebSockets through its parent, by a URL with /sub/ in it")
        known = self._read()
        if not self._has_table:
            self._sql.execute(_CREATE)
            self._has_table = True
        statement = "INSERT INTO cf_agents_sub_sockets (id, tags, attachment) VALUES (?, ?, ?)"
        self._sql.execute(statement, upgrade.socket_id, json.dumps(list(tags)), _checked(attachment))
        socket = ChildSocket(self, upgrade.socket_id, next(self._keys), list(tags), attachment)
        known[socket.id] = socket
        upgrade.is_accepted = True
        return socket, _answered()

    def refuse(self, code: int, reason: str) -> Any:
        """Answer the upgrade request with a WebSocket that closes at once."""
        upgrade = UPGRADE.get()
        if upgrade is not None:
            upgrade.is_accepted, upgrade.code, upgrade.reason = False, code, reason
        return _answered()

    def all(self, tag: str | None = None) -> list[ChildSocket]:
        """Open sockets, newest first."""
        return [
            socket
            for socket in reversed(self._read().values())
            if socket.is_open and (tag is None or tag in socket.tags)
        ]

    def wrap(self, raw: Any) -> ChildSocket:
        """The socket itself: the root hands over no object of the platform."""
        socket: ChildSocket = raw
        return socket

    def set_auto_response(self, request: str, response: str) -> None:
        """Answer a text frame without telling the agent."""
        self._auto = request, response

    def answers(self, socket: ChildSocket, data: object) -> bool:
        """Whether a frame was answered here."""
        if self._auto is None or data != self._auto[0]:
            return False
        socket.send(self._auto[1])
        return True

    def find(self, socket_id: str) -> ChildSocket | None:
        """The socket of this id, open or closing."""
        return self._read().get(socket_id)

    def remove(self, socket: ChildSocket) -> None:
        """Forget a socket that is closed."""
        socket.is_open = False
        if self._read().pop(socket.id, None) is not None:
            self._sql.execute("DELETE FROM cf_agents_sub_sockets WHERE id = ?", socket.id)

    def note_closing(self, socket_id: str) -> None:
        """Keep in mind that a socket is being closed."""
        if socket_id in self._read():
            self._sql.execute("UPDATE cf_agents_sub_sockets SET closing = 1 WHERE id = ?", socket_id)

    def keep(self, socket_id: str, attachment: str) -> None:
        """Keep what belongs to a socket."""
        self._sql.execute("UPDATE cf_agents_sub_sockets SET attachment = ? WHERE id = ?", attachment, socket_id)

    def lose_all(self) -> None:
        """Take note that the root has none of them any more."""
        for socket in (self._known or {}).values():
            socket.is_open = False
        self._known = {}
        if self._look():
            self._sql.execute("DELETE FROM cf_agents_sub_sockets")

    def forget(self) -> None:
        """Take note that the storage was emptied."""
        self._known, self._has_table = {}, False

    def _look(self) -> bool:
        self._has_table = self._has_table or bool(self._sql.execute(_LOOK))
        return self._has_table

    def _read(self) -> dict[str, ChildSocket]:
        if self._known is None:
            self._known = {}
            if self._look():
                for row in self._sql.execute(_READ):
                    tags = json.loads(row["tags"])
                    socket = ChildSocket(self, row["id"], next(self._keys), tags, row["attachment"])
                    socket.is_open = not row["closing"]
                    self._known[socket.id] = socket
        return self._known


def _checked(attachment: str) -> str:
    size = len(attachment.encode())
    if size > MAX_ATTACHMENT_BYTES:
        raise ValueError(
            f"A WebSocket 'attachment' cannot be larger than {MAX_ATTACHMENT_BYTES} bytes. "
            f"'attachment' was {size} bytes."
        )
    return attachment


def _answered() -> Any:
    """Stands for the answer to an upgrade request, which the root gives."""
    from agents_runtime._platform.base import make_response

    return make_response(None, 204)
