"""The rows of approvals: every statement on `cf_agents_approvals`. The table is created with the first request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents_runtime._core.jsonx import Json, dumps, loads
from agents_runtime._core.tables import Tables

if TYPE_CHECKING:
    from agents_runtime._core.decisions import ApprovalStatus
    from agents_runtime._platform.ports import Row, SqlStore

_CREATE = (
    "CREATE TABLE IF NOT EXISTS cf_agents_approvals ("
    "request_id TEXT PRIMARY KEY NOT NULL, status TEXT NOT NULL, details TEXT, metadata TEXT, reason TEXT, "
    "waiters TEXT, created_at INTEGER NOT NULL, expires_at INTEGER, decided_at INTEGER)",
    "CREATE INDEX IF NOT EXISTS idx_cf_agents_approvals_status ON cf_agents_approvals(status, expires_at)",
)
_INSERT = (
    "INSERT INTO cf_agents_approvals (request_id, status, details, waiters, created_at, expires_at) "
    "VALUES (?, 'pending', ?, ?, ?, ?)"
)
_DECIDE = (
    "UPDATE cf_agents_approvals SET status = ?, metadata = ?, reason = ?, decided_at = ? "
    "WHERE request_id = ? AND status = 'pending'"
)
_NEXT = (
    "SELECT expires_at FROM cf_agents_approvals WHERE status = 'pending' AND expires_at IS NOT NULL "
    "ORDER BY expires_at LIMIT 1"
)
_OVERDUE = "SELECT * FROM cf_agents_approvals WHERE status = 'pending' AND expires_at <= ? ORDER BY expires_at, rowid"


@dataclass(frozen=True, slots=True)
class ApprovalInfo:
    """A request for approval, as it is stored. All times are milliseconds since the epoch.

    Attributes:
        request_id: which request.
        status: `pending`, `approved`, `rejected` or `expired`.
        details: what is to be approved, as it was asked.
        metadata: what `approve` was given.
        reason: what `reject` was given.
        expires_at_ms: when it expires; None: never.
        decided_at_ms: when it was decided or expired.
        waiters: the runs of tasks that wait for it.
    """

    request_id: str
    status: ApprovalStatus
    details: Json
    metadata: Json
    reason: str | None
    created_at_ms: int
    expires_at_ms: int | None
    decided_at_ms: int | None
    waiters: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """The request as clients see it."""
        return {
            "requestId": self.request_id,
            "status": self.status,
            "details": self.details,
            "metadata": self.metadata,
            "reason": self.reason,
            "createdAt": self.created_at_ms,
            "expiresAt": self.expires_at_ms,
            "decidedAt": self.decided_at_ms,
        }


class ApprovalStore:
    """The approvals of one object."""

    def __init__(self, sql: SqlStore) -> None:
        tables = Tables(sql, _CREATE)
        self._read, self._write, self._creating = tables.read, tables.write, tables.creating

    def get(self, request_id: str) -> ApprovalInfo | None:
        """The request with this id."""
        rows = self._read("SELECT * FROM cf_agents_approvals WHERE request_id = ?", request_id)
        return _info(rows[0]) if rows else None

    def find(self, status: ApprovalStatus | None, limit: int) -> list[ApprovalInfo]:
        """Requests, oldest first."""
        where, params = ("", ()) if status is None else ("WHERE status = ? ", (status,))
        query = f"SELECT * FROM cf_agents_approvals {where}ORDER BY created_at, rowid LIMIT ?"
        return [_info(row) for row in self._read(query, *params, limit)]

    def count_pending(self) -> int:
        """How many requests nobody has decided."""
        rows = self._read("SELECT count(*) AS n FROM cf_agents_approvals WHERE status = 'pending'")
        return int(rows[0]["n"]) if rows else 0

    def insert(
        self, request_id: str, details: str | None, waiter: str | None, now_ms: int, expires_ms: int | None
    ) -> None:
        """Store a new request."""
        params = (request_id, details, None if waiter is None else dumps([waiter]), now_ms, expires_ms)
        self._creating(lambda: self._write(_INSERT, *params))

    def add_waiter(self, info: ApprovalInfo, waiter: str) -> None:
        """Note one more run that waits for a request."""
        waiters = dumps([*info.waiters, waiter])
        self._write("UPDATE cf_agents_approvals SET waiters = ? WHERE request_id = ?", waiters, info.request_id)

    def decide(
        self, request_id: str, status: ApprovalStatus, metadata: str | None, reason: str | None, now_ms: int
    ) -> None:
        """Store what became of a pending request."""
        self._write(_DECIDE, status, metadata, reason, now_ms, request_id)

    def next_expiry_ms(self) -> int | None:
        """When the first pending request expires."""
        rows = self._read(_NEXT)
        return int(rows[0]["expires_at"]) if rows else None

    def overdue(self, now_ms: int) -> list[ApprovalInfo]:
        """Pending requests whose time is over."""
        return [_info(row) for row in self._read(_OVERDUE, now_ms)]

    def delete(self, decided_before_ms: int | None, limit: int) -> int:
        """Delete decided requests, oldest first; returns how many."""
        where = "status <> 'pending'" if decided_before_ms is None else "status <> 'pending' AND decided_at < ?"
        params = () if decided_before_ms is None else (decided_before_ms,)
        query = f"SELECT request_id FROM cf_agents_approvals WHERE {where} ORDER BY decided_at, rowid LIMIT ?"
        rows = self._read(query, *params, limit)
        for row in rows:
            self._write("DELETE FROM cf_agents_approvals WHERE request_id = ?", row["request_id"])
        return len(rows)


def _json(text: str | None) -> Json:
    return None if text is None else loads(text)


def _info(row: Row) -> ApprovalInfo:
    waiters = _json(row["waiters"])
    return ApprovalInfo(
        row["request_id"],
        row["status"],
        _json(row["details"]),
        _json(row["metadata"]),
        row["reason"],
        row["created_at"],
        row["expires_at"],
        row["decided_at"],
        tuple(map(str, waiters)) if isinstance(waiters, list) else (),
    )
