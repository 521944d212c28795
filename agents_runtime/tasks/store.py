"""The rows of tasks: every statement on `cf_agents_task_runs` and `cf_agents_task_steps`.

What an attempt of a run writes is fenced: it changes nothing once the run was cancelled, deleted or begun anew. The
tables are created with the first run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents_runtime._core.jsonx import Json, loads
from agents_runtime._core.tables import Tables
from agents_runtime.tasks.journal import Entry
from agents_runtime.tasks.models import TaskInfo, TaskState

if TYPE_CHECKING:
    from agents_runtime._platform.ports import KeyValue, Row, SqlStore

VERSION_KEY = "cf_agents:tasks_schema_version"
VERSION = 1
_CREATE = (
    "CREATE TABLE IF NOT EXISTS cf_agents_task_runs ("
    "run_id TEXT PRIMARY KEY NOT NULL, definition TEXT NOT NULL, input TEXT, state TEXT NOT NULL, result TEXT, "
    "error_name TEXT, error_message TEXT, status_message TEXT, metadata TEXT, idempotency_key TEXT UNIQUE, "
    "retain INTEGER NOT NULL DEFAULT 1, attempt INTEGER NOT NULL DEFAULT 0, generation INTEGER NOT NULL DEFAULT 0, "
    "next_at INTEGER, wait_reason TEXT, cancel_requested INTEGER NOT NULL DEFAULT 0, cancel_reason TEXT, "
    "created_at INTEGER NOT NULL, started_at INTEGER, updated_at INTEGER NOT NULL, settled_at INTEGER) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS idx_task_runs_definition_created ON cf_agents_task_runs(definition, created_at)",
    "CREATE INDEX IF NOT EXISTS idx_task_runs_created ON cf_agents_task_runs(created_at)",
    "CREATE INDEX IF NOT EXISTS idx_task_runs_open ON cf_agents_task_runs(state) WHERE settled_at IS NULL",
    "CREATE TABLE IF NOT EXISTS cf_agents_task_steps ("
    "run_id TEXT NOT NULL, step_name TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, result TEXT, "
    "error_name TEXT, error_message TEXT, attempt INTEGER NOT NULL DEFAULT 0, next_at INTEGER, "
    "created_at INTEGER NOT NULL, started_at INTEGER, updated_at INTEGER NOT NULL, completed_at INTEGER, "
    "PRIMARY KEY (run_id, step_name)) WITHOUT ROWID",
)
_INSERT = (
    "INSERT INTO cf_agents_task_runs "
    "(run_id, definition, input, state, metadata, idempotency_key, retain, created_at, updated_at) "
    "VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?)"
)
_CLAIM = (
    "UPDATE cf_agents_task_runs SET state = 'running', generation = generation + 1, attempt = attempt + 1, "
    "next_at = NULL, wait_reason = NULL, started_at = coalesce(started_at, ?), updated_at = ? "
    "WHERE run_id = ? AND settled_at IS NULL RETURNING generation, attempt"
)
_FENCE = "WHERE run_id = ? AND generation = ? AND settled_at IS NULL"
_SUSPEND = (
    "UPDATE cf_agents_task_runs SET state = 'waiting', next_at = ?, wait_reason = ?, attempt = 0, updated_at = ? "
    f"{_FENCE} RETURNING run_id"
)
_SETTLE = (
    "UPDATE cf_agents_task_runs SET state = ?, result = ?, error_name = ?, error_message = ?, next_at = NULL, "
    f"wait_reason = NULL, updated_at = ?, settled_at = ? {_FENCE} RETURNING retain"
)
_CANCEL = (
    "UPDATE cf_agents_task_runs SET state = 'cancelled', cancel_requested = 1, cancel_reason = ?, "
    "generation = generation + 1, next_at = NULL, wait_reason = NULL, updated_at = ?, settled_at = ? "
    "WHERE run_id = ? AND settled_at IS NULL RETURNING retain"
)
_BEGIN_STEP = (
    "INSERT INTO cf_agents_task_steps "
    "(run_id, step_name, kind, state, attempt, next_at, created_at, started_at, updated_at) "
    f"SELECT run_id, ?, ?, ?, ?, ?, ?, ?, ? FROM cf_agents_task_runs {_FENCE} "
    "ON CONFLICT(run_id, step_name) DO UPDATE SET state = excluded.state, attempt = excluded.attempt, "
    "next_at = excluded.next_at, started_at = excluded.started_at, updated_at = excluded.updated_at RETURNING run_id"
)
_END_STEP = (
    "UPDATE cf_agents_task_steps SET state = ?, result = ?, error_name = ?, error_message = ?, next_at = ?, "
    "updated_at = ?, completed_at = ? WHERE run_id = ? AND step_name = ? "
    f"AND EXISTS (SELECT 1 FROM cf_agents_task_runs {_FENCE}) RETURNING run_id"
)
_STEPS = (
    "SELECT step_name, kind, state, attempt, next_at, result, error_name, error_message FROM cf_agents_task_steps "
    "WHERE run_id = ?"
)
_OLD = "SELECT run_id FROM cf_agents_task_runs WHERE settled_at IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write as the current attempt of a run.

    Attributes:
        generation: how often the run was begun; it fences off the attempts before.
        attempt: how often it was begun in a row without finishing a step or coming to wait.
    """

    run_id: str
    generation: int
    attempt: int


class TaskStore:
    """The task tables of one object."""

    def __init__(self, sql: SqlStore, kv: KeyValue) -> None:
        self._sql = sql
        tables = Tables(sql, _CREATE, lambda: kv.put(VERSION_KEY, VERSION))
        self._read, self._write, self._creating = tables.read, tables.write, tables.creating

    # Runs

    def insert(
        self,
        run_id: str,
        task: str,
        stored_input: str | None,
        metadata: str | None,
        key: str | None,
        retain: bool,
        now_ms: int,
    ) -> None:
        """Store a new run."""
        params = (run_id, task, stored_input, metadata, key, retain, now_ms, now_ms)
        self._creating(lambda: self._write(_INSERT, *params))

    def get(self, run_id: str) -> TaskInfo | None:
        """The run with this id."""
        rows = self._read("SELECT * FROM cf_agents_task_runs WHERE run_id = ?", run_id)
        return _info(rows[0]) if rows else None

    def get_by_key(self, key: str) -> TaskInfo | None:
        """The run with this idempotency key."""
        rows = self._read("SELECT * FROM cf_agents_task_runs WHERE idempotency_key = ?", key)
        return _info(rows[0]) if rows else None

    def input_of(self, run_id: str) -> str | None:
        """The stored input of a run."""
        rows = self._read("SELECT input FROM cf_agents_task_runs WHERE run_id = ?", run_id)
        return rows[0]["input"] if rows else None

    def find(self, state: TaskState | None, task: str | None, limit: int) -> list[TaskInfo]:
        """Runs, newest first."""
        where, params = ["1"], list[str]()
        if state is not None:
            where.append("state = ?")
            params.append(state)
        if task is not None:
            where.append("definition = ?")
            params.append(task)
        order = "ORDER BY created_at DESC, run_id LIMIT ?"
        rows = self._read(f"SELECT * FROM cf_agents_task_runs WHERE {' AND '.join(where)} {order}", *params, limit)
        return [_info(row) for row in rows]

    def interrupted(self) -> list[str]:
        """The runs that were begun, or accepted and never begun."""
        query = "SELECT run_id FROM cf_agents_task_runs WHERE settled_at IS NULL AND state IN ('pending', 'running')"
        return [row["run_id"] for row in self._read(query)]

    def count_open(self) -> int:
        """How many runs have not ended."""
        rows = self._read("SELECT count(*) AS n FROM cf_agents_task_runs WHERE settled_at IS NULL")
        return int(rows[0]["n"]) if rows else 0

    def claim(self, run_id: str, now_ms: int) -> Claim | None:
        """Begin an attempt of a run; None when it is settled or gone."""
        rows = self._write(_CLAIM, now_ms, now_ms, run_id)
        return Claim(run_id, int(rows[0]["generation"]), int(rows[0]["attempt"])) if rows else None

    def suspend(self, claim: Claim, wake_ms: int | None, reason: str, now_ms: int) -> bool:
        """Let a run wait; False when it is no longer ours."""
        return bool(self._write(_SUSPEND, wake_ms, reason, now_ms, claim.run_id, claim.generation))

    def settle(
        self, claim: Claim, state: TaskState, result: str | None, error: tuple[str, str] | None, now_ms: int
    ) -> bool:
        """End a run; False when it is no longer ours."""
        name, message = error or (None, None)
        params = (state, result, name, message, now_ms, now_ms, claim.run_id, claim.generation)
        return self._sql.transaction(lambda: self._forget_unless_kept(claim.run_id, self._write(_SETTLE, *params)))

    def cancel(self, run_id: str, reason: str | None, now_ms: int) -> bool:
        """End a run whoever is at it; False when it has ended or does not exist."""
        if self.get(run_id) is None:
            return False
        params = (reason, now_ms, now_ms, run_id)
        return self._sql.transaction(lambda: self._forget_unless_kept(run_id, self._write(_CANCEL, *params)))

    def _forget_unless_kept(self, run_id: str, rows: list[Row]) -> bool:
        if rows and not rows[0]["retain"]:
            self._delete_run(run_id)
        return bool(rows)

    def set_status(self, claim: Claim, text: str, now_ms: int) -> None:
        """Note what a run says about itself."""
        query = f"UPDATE cf_agents_task_runs SET status_message = ?, updated_at = ? {_FENCE}"
        self._write(query, text, now_ms, claim.run_id, claim.generation)

    def note_progress(self, claim: Claim) -> None:
        """Count the attempts without progress from zero again."""
        self._write(f"UPDATE cf_agents_task_runs SET attempt = 0 {_FENCE}", claim.run_id, claim.generation)

    def delete(self, settled_before_ms: int | None, limit: int) -> list[str]:
        """Delete runs that are settled, oldest first; returns their ids."""
        if settled_before_ms is None:
            rows = self._read(f"{_OLD} ORDER BY settled_at, run_id LIMIT ?", limit)
        else:
            rows = self._read(
                f"{_OLD} AND settled_at < ? ORDER BY settled_at, run_id LIMIT ?", settled_before_ms, limit
            )
        for row in rows:
            self._delete_run(row["run_id"])
        return [row["run_id"] for row in rows]

    def delete_one(self, run_id: str) -> bool:
        """Delete a run; False when it is not settled."""
        rows = self._read(f"{_OLD} AND run_id = ?", run_id)
        for row in rows:
            self._delete_run(row["run_id"])
        return bool(rows)

    def _delete_run(self, run_id: str) -> None:
        self._write("DELETE FROM cf_agents_task_steps WHERE run_id = ?", run_id)
        self._write("DELETE FROM cf_agents_task_runs WHERE run_id = ?", run_id)

    # Steps

    def steps(self, run_id: str) -> dict[str, Entry]:
        """The journal of a run, by step name."""
        return {row["step_name"]: _entry(row) for row in self._read(_STEPS, run_id)}

    def begin_step(self, claim: Claim, entry: Entry, now_ms: int) -> bool:
        """Journal that a step begins or waits; False when the run is no longer ours."""
        return bool(
            self._write(
                _BEGIN_STEP,
                entry.name,
                entry.kind,
                entry.state,
                entry.attempt,
                entry.next_at_ms,
                now_ms,
                now_ms,
                now_ms,
                claim.run_id,
                claim.generation,
            )
        )

    def end_step(self, claim: Claim, entry: Entry, now_ms: int) -> bool:
        """Journal what became of a step or of its attempt; False when the run is no longer ours."""
        completed_ms = now_ms if entry.state in ("completed", "failed") else None
        return bool(
            self._write(
                _END_STEP,
                entry.state,
                entry.result,
                entry.error_name,
                entry.error_message,
                entry.next_at_ms,
                now_ms,
                completed_ms,
                claim.run_id,
                entry.name,
                claim.run_id,
                claim.generation,
            )
        )

    def postpone(self, run_id: str, by_ms: int) -> None:
        """Let everything that a run waits for come so much later."""
        moved = "SET next_at = next_at + ? WHERE run_id = ? AND state = 'waiting' AND next_at IS NOT NULL"
        self._write(f"UPDATE cf_agents_task_steps {moved}", by_ms, run_id)
        self._write(f"UPDATE cf_agents_task_runs {moved}", by_ms, run_id)


def _entry(row: Row) -> Entry:
    return Entry(
        row["step_name"],
        row["kind"],
        row["state"],
        int(row["attempt"]),
        None if row["next_at"] is None else int(row["next_at"]),
        row["result"],
        row["error_name"],
        row["error_message"],
    )


def _json(text: str | None) -> Json:
    try:
        return None if text is None else loads(text)
    except ValueError:
        return None


def _info(row: Row) -> TaskInfo:
    result, metadata = _json(row["result"]), _json(row["metadata"])
    return TaskInfo(
        run_id=row["run_id"],
        task=row["definition"],
        state=row["state"],
        result=result,
        error_name=row["error_name"],
        error_message=row["error_message"],
        status=row["status_message"],
        metadata=metadata,
        idempotency_key=row["idempotency_key"],
        wait_reason=row["wait_reason"],
        wake_at_ms=row["next_at"],
        cancel_reason=row["cancel_reason"],
        created_at_ms=row["created_at"],
        started_at_ms=row["started_at"],
        settled_at_ms=row["settled_at"],
    )
