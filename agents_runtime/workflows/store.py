"""The rows of workflows: every statement on `cf_agents_workflows`. The table is created with the first workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents_runtime._core.jsonx import Json, loads
from agents_runtime._core.tables import Tables
from agents_runtime.workflows.models import FINAL, STATUSES, Criteria, WorkflowInfo, WorkflowStatus

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Row, SqlStore, SqlValue

FIRST_LOOK_S, LAST_LOOK_S = 60, 3_600
"""A workflow is looked after when it has been silent for as long as it had lived before, within these bounds."""

_CREATE = (
    "CREATE TABLE IF NOT EXISTS cf_agents_workflows (id TEXT PRIMARY KEY NOT NULL, workflow_id TEXT NOT NULL UNIQUE, "
    f"workflow_name TEXT NOT NULL, status TEXT NOT NULL CHECK(status IN ({', '.join(map(repr, STATUSES))})), "
    "metadata TEXT, error_name TEXT, error_message TEXT, created_at INTEGER NOT NULL DEFAULT (unixepoch()), "
    "updated_at INTEGER NOT NULL DEFAULT (unixepoch()), completed_at INTEGER)",
    "CREATE INDEX IF NOT EXISTS idx_workflows_status ON cf_agents_workflows(status)",
    "CREATE INDEX IF NOT EXISTS idx_workflows_name ON cf_agents_workflows(workflow_name)",
)
_INSERT = (
    "INSERT INTO cf_agents_workflows (id, workflow_id, workflow_name, status, metadata, created_at, updated_at) "
    "VALUES (?, ?, ?, 'queued', ?, ?, ?)"
)
_NOT_FINAL = f"status NOT IN ({', '.join(map(repr, FINAL))})"
_UPDATE = (
    "UPDATE cf_agents_workflows SET status = ?, error_name = ?, error_message = ?, updated_at = ?, completed_at = ? "
    "WHERE workflow_id = ?"
)
_RESET = (
    "UPDATE cf_agents_workflows SET status = 'queued', error_name = NULL, error_message = NULL, completed_at = NULL, "
    "created_at = ?, updated_at = ? WHERE workflow_id = ?"
)
_RESTORE = (
    "UPDATE cf_agents_workflows SET status = ?, error_name = ?, error_message = ?, created_at = ?, updated_at = ?, "
    "completed_at = ? WHERE workflow_id = ?"
)
_LOOK_AT = f"updated_at + max({FIRST_LOOK_S}, min({LAST_LOOK_S}, updated_at - created_at))"
_OPEN = f"FROM cf_agents_workflows WHERE {_NOT_FINAL} AND status <> 'unknown'"
_NEWEST, _OLDEST = "ORDER BY created_at DESC, workflow_id DESC", "ORDER BY created_at, workflow_id"


class WorkflowStore:
    """The workflows of one agent."""

    def __init__(self, sql: SqlStore) -> None:
        tables = Tables(sql, _CREATE)
        self._read, self._write, self._creating = tables.read, tables.write, tables.creating
        self._change = tables.read  # an agent that was destroyed tracks nothing

    def get(self, workflow_id: str) -> WorkflowInfo | None:
        """The workflow with this id."""
        rows = self._read("SELECT * FROM cf_agents_workflows WHERE workflow_id = ?", workflow_id)
        return _info(rows[0]) if rows else None

    def insert(self, row_id: str, workflow_id: str, workflow_name: str, metadata: str | None, now_s: int) -> None:
        """Track a workflow, as queued."""
        params = (row_id, workflow_id, workflow_name, metadata, now_s, now_s)
        self._creating(lambda: self._write(_INSERT, *params))

    def update(
        self, workflow_id: str, status: WorkflowStatus, now_s: int, error: tuple[str, str] | None = None
    ) -> None:
        """Note what became of a workflow."""
        name, message = error or (None, None)
        self._change(_UPDATE, status, name, message, now_s, now_s if status in FINAL else None, workflow_id)

    def move(self, workflow_id: str, status: WorkflowStatus, only_from: tuple[WorkflowStatus, ...], now_s: int) -> None:
        """Note that a workflow goes on, if it is where that is said of."""
        listed = ", ".join("?" * len(only_from))
        query = (
            f"UPDATE cf_agents_workflows SET status = ?, updated_at = ? WHERE workflow_id = ? AND status IN ({listed})"
        )
        self._change(query, status, now_s, workflow_id, *only_from)

    def touch(self, workflow_id: str, now_s: int) -> None:
        """Note that a workflow was looked after."""
        self._change("UPDATE cf_agents_workflows SET updated_at = ? WHERE workflow_id = ?", now_s, workflow_id)

    def reset(self, workflow_id: str, now_s: int) -> None:
        """Let a workflow be as when it was started."""
        self._change(_RESET, now_s, now_s, workflow_id)

    def restore(self, info: WorkflowInfo) -> None:
        """Let a workflow be as it was."""
        error = info.error or {}
        times = [
            None if ms is None else ms // 1000 for ms in (info.created_at_ms, info.updated_at_ms, info.completed_at_ms)
        ]
        self._change(_RESTORE, info.status, error.get("name"), error.get("message"), *times, info.workflow_id)

    def delete(self, workflow_id: str) -> bool:
        """Forget a workflow."""
        return bool(self._read("DELETE FROM cf_agents_workflows WHERE workflow_id = ? RETURNING id", workflow_id))

    def delete_all(self, criteria: Criteria) -> list[str]:
        """Forget workflows; returns their ids."""
        where, params = _where(criteria)
        rows = self._read(f"DELETE FROM cf_agents_workflows WHERE {where} RETURNING workflow_id", *params)
        return [row["workflow_id"] for row in rows]

    def rename(self, old: str, new: str) -> int:
        """Let the workflows of one binding be those of another; returns how many."""
        query = "UPDATE cf_agents_workflows SET workflow_name = ? WHERE workflow_name = ? RETURNING id"
        return len(self._read(query, new, old))

    def find(
        self, criteria: Criteria, limit: int, after: tuple[int, str] | None, *, oldest_first: bool
    ) -> list[WorkflowInfo]:
        """Workflows in order of their start."""
        where, params = _where(criteria)
        if after is not None:
            than = ">" if oldest_first else "<"
            where += f" AND (created_at {than} ? OR (created_at = ? AND workflow_id {than} ?))"
            params += [after[0], after[0], after[1]]
        order = _OLDEST if oldest_first else _NEWEST
        rows = self._read(f"SELECT * FROM cf_agents_workflows WHERE {where} {order} LIMIT ?", *params, limit)
        return [_info(row) for row in rows]

    def count(self, criteria: Criteria) -> int:
        """How many workflows there are."""
        where, params = _where(criteria)
        rows = self._read(f"SELECT count(*) AS n FROM cf_agents_workflows WHERE {where}", *params)
        return int(rows[0]["n"]) if rows else 0

    def names(self) -> list[tuple[str, int, int]]:
        """The bindings in use, and how many of their workflows go on and have ended."""
        query = f"SELECT workflow_name, sum({_NOT_FINAL}) AS open, count(*) AS n FROM cf_agents_workflows GROUP BY 1"
        return [(row["workflow_name"], int(row["open"]), int(row["n"] - row["open"])) for row in self._read(query)]

    def next_look_s(self) -> int | None:
        """When the first workflow is to be looked after."""
        rows = self._read(f"SELECT min({_LOOK_AT}) AS at {_OPEN}")
        return None if not rows or rows[0]["at"] is None else int(rows[0]["at"])

    def unheard_of(self, now_s: int, limit: int) -> list[WorkflowInfo]:
        """The workflows that are to be looked after now."""
        rows = self._read(f"SELECT * {_OPEN} AND {_LOOK_AT} <= ? ORDER BY updated_at LIMIT ?", now_s, limit)
        return [_info(row) for row in rows]


def _where(criteria: Criteria) -> tuple[str, list[SqlValue]]:
    parts, params = ["1"], list["SqlValue"]()
    if criteria.statuses is not None:
        parts.append(f"status IN ({', '.join('?' * len(criteria.statuses))})")
        params += criteria.statuses
    if criteria.workflow_name is not None:
        parts.append("workflow_name = ?")
        params.append(criteria.workflow_name)
    for key, value in (criteria.metadata or {}).items():
        parts.append("json_extract(metadata, ?) = ?")
        params += [f'$."{key}"', value]
    if criteria.created_before_s is not None:
        parts.append("created_at < ?")
        params.append(criteria.created_before_s)
    return " AND ".join(parts), params


def _info(row: Row) -> WorkflowInfo:
    error = {"name": row["error_name"], "message": row["error_message"] or ""} if row["error_name"] else None
    completed = row["completed_at"]
    return WorkflowInfo(
        id=row["id"],
        workflow_id=row["workflow_id"],
        workflow_name=row["workflow_name"],
        status=row["status"],
        metadata=_metadata(row["metadata"]),
        error=error,
        created_at_ms=int(row["created_at"]) * 1000,
        updated_at_ms=int(row["updated_at"]) * 1000,
        completed_at_ms=None if completed is None else int(completed) * 1000,
    )


def _metadata(text: str | None) -> dict[str, Json] | None:
    try:
        found = None if text is None else loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
