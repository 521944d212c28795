"""The rows of fibers: every statement on `cf_agents_runs` (what is running) and `cf_agents_fibers` (the ledger).

Both tables are created with the first fiber.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from agents_runtime._core.durations import moment_ms
from agents_runtime._core.jsonx import Json, dumps, loads
from agents_runtime._core.tables import Tables
from agents_runtime.errors import SqlError
from agents_runtime.fibers.models import TERMINAL, FiberInfo, FiberResolution, FiberStatus

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Row, SqlStore

logger = logging.getLogger("agents_runtime")


_CREATE = (
    "CREATE TABLE IF NOT EXISTS cf_agents_runs (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, snapshot TEXT, "
    "created_at INTEGER NOT NULL, completed_at INTEGER, outcome TEXT, error_message TEXT)",
    "CREATE TABLE IF NOT EXISTS cf_agents_fibers (fiber_id TEXT PRIMARY KEY NOT NULL, idempotency_key TEXT UNIQUE, "
    "name TEXT NOT NULL, status TEXT NOT NULL, snapshot TEXT, metadata_json TEXT, error_message TEXT, "
    "created_at INTEGER NOT NULL, started_at INTEGER, completed_at INTEGER)",
    "CREATE INDEX IF NOT EXISTS idx_fibers_status_created ON cf_agents_fibers(status, created_at, fiber_id)",
    "CREATE INDEX IF NOT EXISTS idx_fibers_name_status_created ON cf_agents_fibers(name, status, created_at, fiber_id)",
    "CREATE INDEX IF NOT EXISTS idx_fibers_status_completed ON cf_agents_fibers(status, completed_at, created_at)",
)
_LATER_COLUMNS = ("completed_at INTEGER", "outcome TEXT", "error_message TEXT")
"""Columns that a table made by an older JavaScript SDK does not have."""

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('cf_agents_runs', 'cf_agents_fibers')"
"""An older JavaScript SDK leaves only one of them."""

_INSERT_RUN = "INSERT INTO cf_agents_runs (id, name, created_at) VALUES (?, ?, ?)"
_INSERT_FIBER = (
    "INSERT INTO cf_agents_fibers (fiber_id, idempotency_key, name, status, metadata_json, created_at) "
    "VALUES (?, ?, ?, 'pending', ?, ?)"
)
_STASH = "UPDATE cf_agents_runs SET snapshot = ? WHERE id = ?"
_SELECT = (
    "SELECT f.*, coalesce(r.snapshot, f.snapshot) AS latest FROM cf_agents_fibers f "
    "LEFT JOIN cf_agents_runs r ON r.id = f.fiber_id"
)
_ORPHANS = (
    "SELECT r.id, r.name, r.snapshot, r.created_at, r.completed_at, r.outcome, f.status, f.idempotency_key, "
    "f.metadata_json, 1 AS has_run FROM cf_agents_runs r LEFT JOIN cf_agents_fibers f ON f.fiber_id = r.id "
    "ORDER BY r.rowid"
)
_LOST = (
    "SELECT fiber_id AS id, name, snapshot, created_at, NULL AS completed_at, NULL AS outcome, status, "
    "idempotency_key, metadata_json, 0 AS has_run FROM cf_agents_fibers f WHERE status IN ('pending', 'running') "
    "AND NOT EXISTS (SELECT 1 FROM cf_agents_runs r WHERE r.id = f.fiber_id) ORDER BY f.rowid"
)
_SETTLE = (
    "UPDATE cf_agents_fibers SET status = ?, error_message = ?, completed_at = ?, "
    "snapshot = coalesce((SELECT snapshot FROM cf_agents_runs WHERE id = fiber_id), snapshot) "
    "WHERE fiber_id = ? AND status NOT IN ('completed', 'error', 'aborted')"
)
_COUNTING = "recovery:"


@dataclass(frozen=True, slots=True)
class Orphan:
    """A fiber that is stored and may not be running any more.

    Attributes:
        status: of a managed fiber; None: it is not managed.
        is_settled: it had ended, and its row could not be deleted.
        has_run: whether it has a row among those that run.
        crashes: how often its recovery was begun and never ended.
    """

    id: str
    name: str
    snapshot: Json
    created_at_ms: int
    status: FiberStatus | None
    idempotency_key: str | None
    metadata: Json
    is_settled: bool
    has_run: bool
    crashes: int


class FiberStore:
    """The fiber tables of one object."""

    def __init__(self, sql: SqlStore) -> None:
        self._sql = sql
        self._tables = tables = Tables(sql, _CREATE)
        self._read, self._write, self._creating = tables.read, tables.write, tables.creating

    # What is running

    def insert_run(self, fiber_id: str, name: str, now_ms: int) -> None:
        """Store a fiber that begins."""
        self._creating(lambda: self._write(_INSERT_RUN, fiber_id, name, now_ms))

    def insert_managed(self, fiber_id: str, name: str, key: str | None, metadata: str | None, now_ms: int) -> None:
        """Store a managed fiber that begins."""

        def insert() -> None:
            self._write(_INSERT_FIBER, fiber_id, key, name, metadata, now_ms)
            self._write(_INSERT_RUN, fiber_id, name, now_ms)

        self._creating(lambda: self._sql.transaction(insert))

    def stash(self, fiber_id: str, data: object) -> None:
        """Store how far a fiber is."""
        self._write(_STASH, dumps(data, "the stash"), fiber_id)

    def end_run(self, fiber_id: str, outcome: str, error: str | None, now_ms: int) -> None:
        """Delete the row of a fiber that has ended; should that fail, mark it as ended."""
        try:
            self._write("DELETE FROM cf_agents_runs WHERE id = ?", fiber_id)
        except SqlError:
            mark = "UPDATE cf_agents_runs SET completed_at = ?, outcome = ?, error_message = ? WHERE id = ?"
            self._write(mark, now_ms, outcome, error, fiber_id)

    # The ledger

    def get(self, fiber_id: str) -> FiberInfo | None:
        """The managed fiber with this id."""
        rows = self._read(f"{_SELECT} WHERE f.fiber_id = ?", fiber_id)
        return _info(rows[0]) if rows else None

    def get_by_key(self, key: str) -> FiberInfo | None:
        """The managed fiber with this idempotency key."""
        rows = self._read(f"{_SELECT} WHERE f.idempotency_key = ?", key)
        return _info(rows[0]) if rows else None

    def find(self, status: FiberStatus | None, name: str | None, limit: int) -> list[FiberInfo]:
        """Managed fibers, newest first."""
        where, params = ["1"], list[str]()
        if status is not None:
            where.append("f.status = ?")
            params.append(status)
        if name is not None:
            where.append("f.name = ?")
            params.append(name)
        order = "ORDER BY f.created_at DESC, f.rowid DESC LIMIT ?"
        return [_info(row) for row in self._read(f"{_SELECT} WHERE {' AND '.join(where)} {order}", *params, limit)]

    def start(self, fiber_id: str, now_ms: int) -> None:
        """Note that a managed fiber is running."""
        self._write(
            "UPDATE cf_agents_fibers SET status = 'running', started_at = ? WHERE fiber_id = ? AND status = 'pending'",
            now_ms,
            fiber_id,
        )

    def settle(self, fiber_id: str, status: FiberStatus, error: str | None, now_ms: int) -> None:
        """Note how a managed fiber ended, with what it stashed last. One that has ended stays as it is."""
        self._write(_SETTLE, status, error, now_ms if status in TERMINAL else None, fiber_id)

    def resolve(self, fiber_id: str, resolution: FiberResolution, now_ms: int) -> None:
        """Note what became of an interrupted fiber."""
        self.settle(fiber_id, resolution["status"], resolution.get("error", resolution.get("reason")), now_ms)
        for key, column in (("snapshot", "snapshot"), ("metadata", "metadata_json")):
            if key in resolution:
                text = dumps(resolution.get(key), key)
                self._write(f"UPDATE cf_agents_fibers SET {column} = ? WHERE fiber_id = ?", text, fiber_id)

    def delete(self, statuses: tuple[FiberStatus, ...], settled_before: datetime | None, limit: int) -> int:
        """Delete managed fibers with these statuses, oldest first; returns how many."""
        marks = ", ".join("?" * len(statuses))
        query, params = f"SELECT fiber_id FROM cf_agents_fibers WHERE status IN ({marks})", list[str | int](statuses)
        if settled_before is not None:
            query += " AND coalesce(completed_at, created_at) < ?"
            params.append(moment_ms(settled_before))
        rows = self._read(f"{query} ORDER BY coalesce(completed_at, created_at), rowid LIMIT ?", *params, limit)
        for row in rows:
            self._write("DELETE FROM cf_agents_fibers WHERE fiber_id = ?", row["fiber_id"])
        return len(rows)

    # Recovery

    def orphans(self) -> list[Orphan]:
        """Every fiber that is stored as running, in the order in which they were begun."""
        tables = self._read(_TABLES)
        if not tables:
            return []
        if len(tables) == 1:
            self._tables.create()
        try:
            rows = self._read(_ORPHANS)
        except SqlError as error:
            if "no such column" not in str(error):
                raise
            self._add_columns()
            rows = self._read(_ORPHANS)
        rows += self._read(_LOST)
        return [_orphan(row) for row in rows]

    def _add_columns(self) -> None:
        for column in _LATER_COLUMNS:
            try:
                self._write(f"ALTER TABLE cf_agents_runs ADD COLUMN {column}")
            except SqlError as error:
                if "duplicate column" not in str(error):
                    raise

    def count_crash(self, orphan: Orphan) -> None:
        """Note that the recovery of a fiber begins."""
        count = f"{_COUNTING}{orphan.crashes + 1}"
        self._write("UPDATE cf_agents_runs SET outcome = ? WHERE id = ?", count, orphan.id)

    def forget_crashes(self, orphan: Orphan) -> None:
        """Note that the recovery of a fiber ended, whichever way."""
        self._write("UPDATE cf_agents_runs SET outcome = NULL WHERE id = ?", orphan.id)


def _json(text: str | None, what: str) -> Json:
    try:
        return None if text is None else loads(text)
    except ValueError as error:
        logger.warning("%s is damaged and read as None: %s", what, error)
        return None


def _info(row: Row) -> FiberInfo:
    fiber_id = row["fiber_id"]
    return FiberInfo(
        fiber_id=fiber_id,
        name=row["name"],
        status=row["status"],
        idempotency_key=row["idempotency_key"],
        snapshot=_json(row["latest"], f"the snapshot of the fiber {fiber_id}"),
        error=row["error_message"],
        metadata=_json(row["metadata_json"], f"the metadata of the fiber {fiber_id}"),
        created_at_ms=row["created_at"],
        started_at_ms=row["started_at"],
        settled_at_ms=row["completed_at"],
    )


def _orphan(row: Row) -> Orphan:
    outcome = str(row["outcome"] or "")
    counted = outcome.removeprefix(_COUNTING) if outcome.startswith(_COUNTING) else "0"
    return Orphan(
        id=row["id"],
        name=row["name"],
        snapshot=_json(row["snapshot"], f"the snapshot of the fiber {row['id']}"),
        created_at_ms=int(row["created_at"]),
        status=row["status"],
        idempotency_key=row["idempotency_key"],
        metadata=_json(row["metadata_json"], f"the metadata of the fiber {row['id']}"),
        is_settled=row["completed_at"] is not None,
        has_run=bool(row["has_run"]),
        crashes=int(counted) if counted.isdigit() else 0,
    )
