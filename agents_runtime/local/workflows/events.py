"""Events sent to an instance that none of its waits has taken yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents_runtime._core.jsonx import dumps
from agents_runtime.errors import SqlError
from agents_runtime.local.workflows.values import pack

if TYPE_CHECKING:
    from agents_runtime._platform.ports import SqlStore

_CREATE = (
    "CREATE TABLE IF NOT EXISTS workflow_events "
    "(number INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, event TEXT NOT NULL)"
)
_OLDEST = "SELECT number, event FROM workflow_events WHERE type = ? ORDER BY number LIMIT 1"


class Events:
    """The events of one instance, oldest first."""

    def __init__(self, sql: SqlStore) -> None:
        self._sql = sql

    def put(self, event_type: str, payload: object, now_ms: int) -> None:
        """Keep an event."""
        text = dumps({"type": event_type, "payload": pack(payload), "timestamp": now_ms})
        self._sql.execute(_CREATE)
        self._sql.execute("INSERT INTO workflow_events (type, event) VALUES (?, ?)", event_type, text)

    def take(self, event_type: str) -> str | None:
        """Remove and return the oldest event of a type, as JSON."""
        try:
            rows = self._sql.execute(_OLDEST, event_type)
            if not rows:
                return None
            self._sql.execute("DELETE FROM workflow_events WHERE number = ?", rows[0]["number"])
        except Exception as error:
            if "no such table" in str(error):
                return None
            raise SqlError(_OLDEST, error) from error
        return str(rows[0]["event"])

    def clear(self) -> None:
        """Forget all events."""
        self._sql.execute("DROP TABLE IF EXISTS workflow_events")
