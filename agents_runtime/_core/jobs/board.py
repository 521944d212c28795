"""The part of an agent that keeps its jobs: the port's implementation, and the wake-up for the earliest of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from agents_runtime._core.capability import Capability
from agents_runtime._core.ids import OrderedIds
from agents_runtime._core.jobs.breaker import MAX_STRIKES, Breaker
from agents_runtime._core.jobs.driver import Driver, backoff_ms
from agents_runtime._core.jobs.port import Hung, Job, Run
from agents_runtime._core.jobs.running import Lane, Registry
from agents_runtime._core.jobs.table import JobTable
from agents_runtime._core.jsonx import dumps
from agents_runtime._core.platform_failures import is_durable_object_memory_limit_reset
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._core.retry import RetryPolicy
    from agents_runtime._platform.ports import Platform

LATEST_MS = 8_640_000_000_000_000
"""The last moment that JavaScript has a date for."""


class JobBoard(Capability):
    """The jobs of one agent. Implements the port `Jobs`.

    Args:
        wake: arms the alarm anew.
        max_strikes: how many alarms in a row may end at the memory limit before the work behind them is given up.
    """

    def __init__(
        self,
        platform: Platform,
        emit: Callable[[str, Mapping[str, Json]], None],
        wake: Callable[[], None],
        *,
        max_strikes: int = MAX_STRIKES,
    ) -> None:
        self._platform = platform
        self._clock = platform.clock
        self._ids = OrderedIds(platform.entropy.random_bytes)
        self._wake = wake
        self._table = JobTable(platform.sql)
        self._registry = Registry()
        self._driver = Driver(self._table, self._registry, platform.clock, emit, platform.spawn, self._rearm)
        self._breaker = Breaker(platform.kv, self._table, emit, max_strikes)
        self._next_ms: int | None = None
        self._is_next_known = False
        self._undone: int | None = 0
        self._failures = 0
        self._not_before_ms = 0

    # The port

    def register(
        self,
        capability: str,
        run: Run,
        *,
        fn: str | None = None,
        hung: Hung | None = None,
        concurrency: int = 1,
    ) -> None:
        """Name who runs the jobs of a capability id, or only those of one `fn` of it."""
        self._registry.register(capability, fn, Lane(run, hung, concurrency))
        self._is_next_known = False

    def push(
        self,
        capability: str,
        fn: str,
        time_ms: int,
        *,
        job_id: str | None = None,
        payload: Json = None,
        payload_text: str | None = None,
        retry: RetryPolicy | None = None,
        singleflight: bool = False,
        hung_timeout_s: int | None = None,
        exclusive: bool = False,
        recovery_loop: bool = False,
        priority: int = 0,
    ) -> Job:
        """Store a job and arm the alarm. One with the same id is replaced in place, also while it runs."""
        _check_time(time_ms)
        if payload is not None and payload_text is None:
            payload_text = dumps(payload, "payload")
        replaces = False
        if job_id is None:
            job_id = self._ids.make(self._clock.now_ms())
        else:
            replaces = self._is_own(capability, job_id)
        created_s = self._clock.now_ms() // 1000
        job = Job(
            job_id, capability, fn, time_ms, payload_text, retry, singleflight,
            hung_timeout_s, exclusive, recovery_loop, created_s, priority,
        )  # fmt: skip
        self._arm_for(capability, time_ms)
        try:
            self._table.insert(job, replaces=replaces)
        except BaseException:
            self._is_next_known = False
            raise
        self._driver.touched(job_id, time_ms, is_urgent=priority > 0)
        if replaces or exclusive:
            self._rearm()
        return job

    def _arm_for(self, capability: str, time_ms: int) -> None:
        """Arm the alarm for a job that is about to be stored: a row without an alarm would never run."""
        if self._platform.sql.undone is None:
            self._is_next_known = False  # what was armed last may have been undone
        self.next_wake_ms()
        if capability in self._registry.capabilities and (self._next_ms is None or time_ms < self._next_ms):
            self._next_ms = time_ms
            self._wake()

    def _is_own(self, capability: str, job_id: str) -> bool:
        """Whether there is a job with this id already, which must be one of the same capability."""
        if not job_id.strip():
            raise UsageError("an id must not be blank")
        existing = self._table.get(job_id)
        if existing is not None and existing.capability != capability:
            raise UsageError(f"the id {job_id!r} belongs to the {existing.capability} already: choose another")
        return existing is not None

    def cancel(self, capability: str, job_id: str) -> bool:
        """Delete a job; False when there is none."""
        job = self.get(capability, job_id)
        if job is None:
            return False
        self._table.delete(job)
        self._driver.touched(job_id)
        self._left(job)
        return True

    def reschedule(self, capability: str, job_id: str, time_ms: int) -> bool:
        """Move a job to another time; False when there is none."""
        _check_time(time_ms)
        job = self.get(capability, job_id)
        if job is None:
            return False
        self._arm_for(capability, time_ms)
        self._table.retime(job_id, time_ms)
        self._driver.touched(job_id, time_ms)
        self._rearm()
        return True

    def get(self, capability: str, job_id: str) -> Job | None:
        """The job with this id; None when there is none or it belongs to another capability."""
        job = self._table.get(job_id)
        return job if job is not None and job.capability == capability else None

    def list(self, capability: str, *, fn: str | None = None, prefix: str = "", limit: int | None = None) -> list[Job]:
        """The jobs of a capability whose ids begin with `prefix`, in the order in which they will run."""
        return self._table.owned_by(capability, fn, limit, prefix)

    def count(self, capability: str, *, fn: str | None = None) -> int:
        """How many jobs of a capability wait or run."""
        return self._table.count(capability, fn)

    def is_running(self, job_id: str) -> bool:
        """Whether a run of this job is going on in this life of the object."""
        return job_id in self._registry.runs

    def _left(self, job: Job) -> None:
        if job.exclusive or (self._is_next_known and self._next_ms == job.time_ms):
            self._is_next_known = False
        self._wake()

    def _rearm(self) -> None:
        self._is_next_known = False
        self._wake()

    # The phases

    def next_wake_ms(self) -> int | None:
        """When the first job is due; None when there is none."""
        if self._driver.is_closed:
            return None
        undone = self._platform.sql.undone
        if not self._is_next_known or undone != self._undone:
            self._undone = undone
            self._next_ms = self._table.next_ms(self._registry.capabilities, self._driver.set_aside)
            self._is_next_known = True
        return None if self._next_ms is None else max(self._next_ms, self._not_before_ms)

    async def on_alarm(self, now_ms: int) -> None:
        """Run what is due.

        Raises:
            Exception: the platform failed. The jobs are kept, and tried again after a while.
        """
        earliest_ms = self.next_wake_ms()
        if earliest_ms is None or earliest_ms > now_ms:
            return
        self._is_next_known = False
        try:
            await self._driver.drive()
        except Exception as error:
            self._failures += 1
            self._not_before_ms = self._clock.now_ms() + backoff_ms(self._failures)
            if is_durable_object_memory_limit_reset(error):
                self._breaker.strike(self._driver.failed_job, error, self._clock.now_ms())
                await self._platform.committed()
                self._platform.abort("The agent exceeded its memory limit.")
            raise
        self._failures = self._not_before_ms = 0
        self._breaker.clear()

    async def on_destroy(self) -> None:
        """Run nothing more, and touch no row."""
        self._driver.is_closed = True
        self._table.forget()


def _check_time(time_ms: object) -> None:
    if isinstance(time_ms, bool) or not isinstance(time_ms, int) or not 0 <= time_ms <= LATEST_MS:
        raise UsageError(f"{time_ms!r} is no time: whole milliseconds since 1970, at most {LATEST_MS:,}")
