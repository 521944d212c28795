"""The memory-limit breaker: stops a loop of work that needs more memory than the platform gives, time after time.

It counts alarms in a row that ended at the memory limit. Below the limit it puts the work off, a little longer each
time; at the limit it deletes that work, and tells so. The local host has no such limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Job
    from agents_runtime._core.jobs.table import JobTable
    from agents_runtime._core.jsonx import Json
    from agents_runtime._platform.ports import KeyValue

STRIKES_KEY = "cf_agents:oom_alarm_strikes"
MAX_STRIKES = 3
STEP_MS = 30_000
LONGEST_MS = 300_000


class Breaker:
    """Counts the strikes of one object; the count survives the resets it is about."""

    def __init__(
        self, kv: KeyValue, table: JobTable, emit: Callable[[str, Mapping[str, Json]], None], limit: int = MAX_STRIKES
    ) -> None:
        self._kv = kv
        self._table = table
        self._emit = emit
        self._limit = limit
        self._strikes: int | None = None

    def _stored(self) -> int:
        if self._strikes is None:
            stored: Any = self._kv.get(STRIKES_KEY)
            self._strikes = int(stored or 0)
        return self._strikes

    def clear(self) -> None:
        """Take note of an alarm that went well: only strikes in a row count."""
        if self._stored():
            self._kv.delete(STRIKES_KEY)
            self._strikes = 0

    def strike(self, job: Job | None, error: BaseException, now_ms: int) -> bool:
        """Take note of an alarm that ended at the memory limit while `job` ran. True: the work was given up."""
        strikes = self._stored() + 1
        is_sealed = strikes >= self._limit
        if is_sealed:
            if job is not None:
                self._table.delete(job)
            self._table.delete_loops()
            self._kv.delete(STRIKES_KEY)
            self._strikes = 0
        else:
            until_ms = now_ms + min(LONGEST_MS, STEP_MS * strikes)
            if job is not None:
                self._table.retime(job.id, until_ms)
            self._table.delay_loops(until_ms)
            self._kv.put(STRIKES_KEY, strikes)
            self._strikes = strikes
        self._emit(
            "alarm:memory_limit_reset",
            {"strikes": strikes, "limit": self._limit, "sealed": is_sealed, "error": str(error)},
        )
        return is_sealed
