"""The rows of the job table: every statement on `cf_agents_jobs`, and nothing about when or how jobs run.

The JavaScript SDK reads and writes the same table. Our own columns have no NOT NULL and stand at the end, so that
its statements go on working: `sequence` orders jobs of the same millisecond, `priority` is 0 where it is NULL.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from agents_runtime._core.jobs.port import Job
from agents_runtime._core.retry import retry_from_json, retry_to_json
from agents_runtime.errors import SqlError

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Row, SqlStore, SqlValue

_CREATE = (
    "CREATE TABLE IF NOT EXISTS cf_agents_jobs ("
    "id TEXT PRIMARY KEY NOT NULL, capability TEXT NOT NULL, fn TEXT NOT NULL, time INTEGER NOT NULL, payload TEXT, "
    "retry_options TEXT, singleflight INTEGER NOT NULL DEFAULT 0, hung_timeout_seconds INTEGER, "
    "exclusive INTEGER NOT NULL DEFAULT 0, recovery_loop INTEGER NOT NULL DEFAULT 0, "
    "running INTEGER NOT NULL DEFAULT 0, execution_started_at INTEGER, "
    "created_at INTEGER NOT NULL DEFAULT (unixepoch()), sequence INTEGER, priority INTEGER) WITHOUT ROWID"
)
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS idx_cf_agents_jobs_time ON cf_agents_jobs(time, sequence)",
    "CREATE INDEX IF NOT EXISTS idx_cf_agents_jobs_special ON cf_agents_jobs(time) "
    "WHERE exclusive = 1 OR priority <> 0",
)
_OWN_COLUMNS = ("sequence", "priority")
_LOOK = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name = 'cf_agents_jobs'"
_COLUMNS = (
    "id, capability, fn, time, payload, retry_options, singleflight, hung_timeout_seconds, exclusive, recovery_loop, "
    "created_at, priority"
)
_NEXT_SEQUENCE = "(SELECT coalesce(max(sequence), 0) + 1 FROM cf_agents_jobs WHERE time = ?)"
_INSERT = (
    f"INSERT INTO cf_agents_jobs ({_COLUMNS}, sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {_NEXT_SEQUENCE})"
)
_REPLACE = (
    f"{_INSERT} ON CONFLICT(id) DO UPDATE SET fn = excluded.fn, payload = excluded.payload, "
    "sequence = CASE WHEN time = excluded.time THEN sequence ELSE excluded.sequence END, time = excluded.time, "
    "retry_options = excluded.retry_options, singleflight = excluded.singleflight, "
    "hung_timeout_seconds = excluded.hung_timeout_seconds, exclusive = excluded.exclusive, "
    "recovery_loop = excluded.recovery_loop, priority = excluded.priority, running = 0, execution_started_at = NULL"
)
_RETIME = (
    f"UPDATE cf_agents_jobs SET time = ?, sequence = {_NEXT_SEQUENCE}, running = 0, execution_started_at = NULL "
    "WHERE id = ?"
)
_DELETE = "DELETE FROM cf_agents_jobs WHERE id = ?"
_SPECIAL = "exclusive = 1 OR priority <> 0"
_DELAY_LOOPS = (
    "UPDATE cf_agents_jobs SET time = ?, running = 0, execution_started_at = NULL WHERE recovery_loop = 1 AND time <= ?"
)
_ORDER = "ORDER BY time, sequence, id"
_COUNT_DUE = (
    "SELECT capability, count(*) AS n FROM "
    "(SELECT capability FROM cf_agents_jobs WHERE time <= ? ORDER BY time, sequence LIMIT ?) GROUP BY capability"
)
_ORDER_SPECIAL = "ORDER BY coalesce(priority, 0) DESC, time, sequence, id"


class JobTable:
    """The job table of one object. It is created by the first job."""

    def __init__(self, sql: SqlStore) -> None:
        self._sql = sql
        self._exists: bool | None = None
        self._has_special: bool | None = None
        self._counts: dict[str, int] = {}

    @property
    def exists(self) -> bool:
        """Whether the table is there. One that the JavaScript SDK made gets our own columns and indexes now."""
        if self._exists is None:
            rows = self._execute(_LOOK)
            if rows:
                self._complete(str(rows[0]["sql"]))
            self._exists = bool(rows)
        return self._exists

    def _complete(self, definition: str) -> None:
        missing = [column for column in _OWN_COLUMNS if column not in definition]
        if missing:
            for column in missing:
                self._execute(f"ALTER TABLE cf_agents_jobs ADD COLUMN {column} INTEGER")
            self._create_indexes()

    def _create_indexes(self) -> None:
        for statement in _INDEXES:
            self._execute(statement)

    def _create(self) -> None:
        if not self.exists:
            self._execute(_CREATE)
            self._create_indexes()
            self._exists, self._has_special = True, False

    def forget(self) -> None:
        """Take note that the table was deleted."""
        self._exists, self._has_special = False, None
        self._counts.clear()

    # One row

    def _counted(self, job: Job, change: int) -> None:
        if job.capability in self._counts:
            self._counts[job.capability] += change

    def insert(self, job: Job, *, replaces: bool) -> None:
        """Store a job. With `replaces` it takes the row of its id, and keeps its place if the time is the same."""
        if not self._exists:
            self._create()
        if job.exclusive or job.priority:
            self._has_special = True
        self._execute(
            _REPLACE if replaces else _INSERT,
            job.id,
            job.capability,
            job.fn,
            job.time_ms,
            job.payload_text,
            None if job.retry is None else retry_to_json(job.retry),
            job.singleflight,
            job.hung_timeout_s,
            job.exclusive,
            job.recovery_loop,
            job.created_s,
            job.priority or None,
            job.time_ms,
        )
        if not replaces:
            self._counted(job, 1)

    def retime(self, job_id: str, time_ms: int) -> None:
        """Move a job to a time, behind those that have the same."""
        self._execute(_RETIME, time_ms, time_ms, job_id)

    def delete(self, job: Job) -> None:
        """Delete a job that is there."""
        self._execute(_DELETE, job.id)
        self._counted(job, -1)

    def get(self, job_id: str) -> Job | None:
        """The job with this id, whoever owns it."""
        if not self.exists:
            return None
        rows = self._execute(f"SELECT {_COLUMNS} FROM cf_agents_jobs WHERE id = ?", job_id)
        return _job(rows[0]) if rows else None

    # Many rows

    def owned_by(self, capability: str, fn: str | None, limit: int | None, prefix: str = "") -> list[Job]:
        """The jobs of a capability, in the order in which they will run."""
        if not self.exists:
            return []
        where, params = _owned(capability, fn)
        if prefix:
            # Written so that the index on ids answers it, however many jobs there are.
            where, params = f"id >= ? AND id < ? AND +{where}", (prefix, _after(prefix), *params)
        order = _ORDER_SPECIAL if self.has_special else _ORDER
        bound = "" if limit is None else " LIMIT ?"
        limits: tuple[SqlValue, ...] = () if limit is None else (limit,)
        rows = self._execute(f"SELECT {_COLUMNS} FROM cf_agents_jobs WHERE {where} {order}{bound}", *params, *limits)
        return [_job(row) for row in rows]

    def count(self, capability: str, fn: str | None) -> int:
        """How many jobs a capability has. Without `fn` they are counted once in the life of the object."""
        count = self._counts.get(capability) if fn is None else None
        if count is None:
            where, params = _owned(capability, fn)
            statement = f"SELECT count(*) AS n FROM cf_agents_jobs WHERE {where}"
            count = int(self._execute(statement, *params)[0]["n"]) if self.exists else 0
            if fn is None:
                self._counts[capability] = count
        return count

    def count_due(self, now_ms: int, limit: int) -> dict[str, int]:
        """How many jobs of each capability are due, among the first `limit`: counting all would take long."""
        rows = self._execute(_COUNT_DUE, now_ms, limit)
        return {str(row["capability"]): int(row["n"]) for row in rows}

    # What is due

    @property
    def has_special(self) -> bool:
        """Whether there is a job with a priority, or an exclusive one."""
        if self._has_special is None:
            self._has_special = bool(self._execute(f"SELECT 1 AS found FROM cf_agents_jobs WHERE {_SPECIAL} LIMIT 1"))
        return self._has_special

    def due(self, capabilities: Sequence[str], now_ms: int, limit: int, without: Collection[str]) -> list[Job]:
        """The first jobs of these capabilities that are due, in order; none of those in `without`."""
        if not self.exists or not capabilities:
            return []
        where, params = _candidates(capabilities)
        order = _ORDER
        if self.has_special:
            self._has_special = None  # looked up again next time: this may have been the last of them
            order = _ORDER_SPECIAL
            where += self._exclusively()
        rows = self._execute(
            f"SELECT {_COLUMNS} FROM cf_agents_jobs WHERE {where} AND time <= ? {order} LIMIT ?",
            *params,
            now_ms,
            limit + len(without),
        )
        return [_job(row) for row in rows if row["id"] not in without][:limit]

    def next_ms(self, capabilities: Sequence[str], without: Collection[str]) -> int | None:
        """When the first job of these capabilities is due; None when there is none."""
        if not self.exists or not capabilities:
            return None
        where, params = _candidates(capabilities)
        if self.has_special:
            where += self._exclusively()
        statement = f"SELECT id, time FROM cf_agents_jobs WHERE {where} ORDER BY time LIMIT ?"
        rows = self._execute(statement, *params, 1 + len(without))
        return next((int(row["time"]) for row in rows if row["id"] not in without), None)

    def _exclusively(self) -> str:
        """An exclusive job keeps all others waiting."""
        found = self._execute(f"SELECT 1 AS found FROM cf_agents_jobs WHERE ({_SPECIAL}) AND exclusive = 1 LIMIT 1")
        return " AND exclusive = 1" if found else ""

    # The memory-limit breaker

    def delay_loops(self, time_ms: int) -> None:
        """Put off every job of a recovery loop that would run before `time_ms`."""
        if self.exists:
            self._execute(_DELAY_LOOPS, time_ms, time_ms)

    def delete_loops(self) -> None:
        """Delete every job of a recovery loop."""
        self._counts.clear()
        if self.exists:
            self._execute("DELETE FROM cf_agents_jobs WHERE recovery_loop = 1")

    def _execute(self, statement: str, *params: SqlValue) -> list[Row]:
        try:
            return self._sql.execute(statement, *params)
        except Exception as error:
            if self._exists and "no such table: cf_agents_jobs" in str(error):
                # The user's transaction in which it was made was rolled back.
                self._exists = None
                self._create()
                return self._execute(statement, *params)
            raise SqlError(statement, error) from error


def has_table(sql: SqlStore, name: str) -> bool:
    """Whether the object has a table of that name."""
    statement = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = ?"
    return bool(sql.execute(statement, name))


def _after(prefix: str) -> str:
    """The first text behind all that begin with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _owned(capability: str, fn: str | None) -> tuple[str, tuple[str, ...]]:
    return ("capability = ?", (capability,)) if fn is None else ("capability = ? AND fn = ?", (capability, fn))


def _candidates(capabilities: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    return f"capability IN ({', '.join('?' * len(capabilities))})", tuple(capabilities)


def _job(row: Row) -> Job:
    retry = row["retry_options"]
    return Job(
        row["id"],
        row["capability"],
        row["fn"],
        int(row["time"]),
        row["payload"],
        None if retry is None else retry_from_json(retry),
        bool(row["singleflight"]),
        row["hung_timeout_seconds"],
        bool(row["exclusive"]),
        bool(row["recovery_loop"]),
        row["created_at"],
        row["priority"] or 0,
    )
