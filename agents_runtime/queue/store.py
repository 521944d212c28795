"""The rows of items that wait to be pulled, and of dead letters. Items with a callback are jobs, and not here.

Both tables are created by their first row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents_runtime._core.jsonx import Json, loads
from agents_runtime.errors import SqlError
from agents_runtime.queue.models import DeadLetter, QueueItem

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Job
    from agents_runtime._platform.ports import Row, SqlStore, SqlValue

MAX_DEAD_LETTERS = 1_000
"""When there are more, the oldest are deleted."""

_CREATE = (
    "CREATE TABLE IF NOT EXISTS cf_agents_pull_items ("
    "position INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, payload TEXT, created_at INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS cf_agents_dead_letters ("
    "position INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, callback TEXT NOT NULL, payload TEXT, retry_options TEXT, "
    "error TEXT NOT NULL, attempts INTEGER NOT NULL, failed_at INTEGER NOT NULL, created_at INTEGER NOT NULL, "
    "priority INTEGER)",
)
_LOOK = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'cf_agents_pull_items'"
_PUT = (
    "INSERT INTO cf_agents_pull_items (id, payload, created_at) VALUES (?, ?, ?) "
    "ON CONFLICT(id) DO UPDATE SET payload = excluded.payload"
)
_BURY = (
    "INSERT OR REPLACE INTO cf_agents_dead_letters "
    "(id, callback, payload, retry_options, error, attempts, failed_at, created_at, priority) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_TRIM = (
    "DELETE FROM cf_agents_dead_letters WHERE position <= "
    "(SELECT position FROM cf_agents_dead_letters ORDER BY position DESC LIMIT 1 OFFSET ?)"
)


@dataclass(frozen=True, slots=True)
class Buried:
    """A dead letter with what is needed to queue it again."""

    letter: DeadLetter
    payload_text: str | None
    retry_text: str | None


class QueueStore:
    """The two tables of one object."""

    def __init__(self, sql: SqlStore) -> None:
        self._sql = sql
        self._exists: bool | None = None

    # Items to pull

    def put(self, item_id: str, payload_text: str | None, created_s: int) -> None:
        """Add an item at the end, or change the payload of the one with this id."""
        self._create()
        self._execute(_PUT, item_id, payload_text, created_s)

    def pull(self) -> QueueItem | None:
        """Remove the oldest item."""
        items = self.items(1)
        if items:
            self.remove(items[0].id)
        return items[0] if items else None

    def items(self, limit: int = -1) -> list[QueueItem]:
        """The items, oldest first."""
        rows = self._rows("SELECT * FROM cf_agents_pull_items ORDER BY position LIMIT ?", limit)
        return [_item(row) for row in rows]

    def item(self, item_id: str) -> QueueItem | None:
        """The item with an id."""
        rows = self._rows("SELECT * FROM cf_agents_pull_items WHERE id = ?", item_id)
        return _item(rows[0]) if rows else None

    def remove(self, item_id: str) -> None:
        """Remove an item."""
        self._execute("DELETE FROM cf_agents_pull_items WHERE id = ?", item_id)

    def remove_all(self) -> None:
        """Remove every item."""
        if self._is_there():
            self._execute("DELETE FROM cf_agents_pull_items")

    def count(self) -> int:
        """How many items wait."""
        rows = self._rows("SELECT count(*) AS n FROM cf_agents_pull_items")
        return int(rows[0]["n"]) if rows else 0

    # Dead letters

    def bury(self, job: Job, payload_text: str | None, retry_text: str, error: str, attempts: int, now_ms: int) -> None:
        """Keep an item that failed, and forget the oldest of too many."""
        self._create()
        self._execute(
            _BURY, job.id, job.fn, payload_text, retry_text, error, attempts, now_ms, job.created_s, job.priority
        )
        self._execute(_TRIM, MAX_DEAD_LETTERS)

    def buried(self, ids: Sequence[str], callback: str | None) -> list[Buried]:
        """Dead letters, oldest first: those with these ids, or all; and only of one callback when it is given."""
        rows = self._rows("SELECT * FROM cf_agents_dead_letters ORDER BY position")
        return [
            Buried(_letter(row), row["payload"], row["retry_options"])
            for row in rows
            if (not ids or row["id"] in ids) and (callback is None or row["callback"] == callback)
        ]

    def unbury(self, letter_id: str) -> None:
        """Delete a dead letter."""
        self._execute("DELETE FROM cf_agents_dead_letters WHERE id = ?", letter_id)

    # Statements

    def _is_there(self) -> bool:
        if self._exists is None:
            self._exists = bool(self._execute(_LOOK))
        return self._exists

    def _create(self) -> None:
        if not self._is_there():
            for statement in _CREATE:
                self._execute(statement)
            self._exists = True

    def _rows(self, statement: str, *params: SqlValue) -> list[Row]:
        return self._execute(statement, *params) if self._is_there() else []

    def _execute(self, statement: str, *params: SqlValue) -> list[Row]:
        try:
            return self._sql.execute(statement, *params)
        except Exception as error:
            raise SqlError(statement, error) from error


def _payload(row: Row) -> Json:
    text = row["payload"]
    return None if text is None else loads(text)


def _item(row: Row) -> QueueItem:
    return QueueItem(row["id"], None, _payload(row), row["created_at"])


def _letter(row: Row) -> DeadLetter:
    return DeadLetter(
        row["id"],
        row["callback"],
        _payload(row),
        row["error"],
        row["attempts"],
        row["failed_at"],
        row["created_at"],
        row["priority"] or 0,
    )
