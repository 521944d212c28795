"""The schedules of one agent: checked when they are made, kept as jobs, run when they are due.

A schedule's method runs at least once for each of its times, never before it. The row is deleted or moved on after the
run, so a crash in between repeats the run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from agents_runtime._core.capability import Capability
from agents_runtime._core.durations import duration_ms
from agents_runtime._core.jobs.attempts import Attempts
from agents_runtime._core.jobs.port import SCHEDULER, Outcome, RescheduleAt
from agents_runtime._core.jobs.table import has_table
from agents_runtime._core.jsonx import dumps, loads, size_bytes
from agents_runtime._core.retry import RetryLike, resolve_retry
from agents_runtime.errors import SchemaTooNew, TooManyPending, UnknownCallback, UsageError
from agents_runtime.scheduler.models import Schedule, Stored, read_stored, schedule_of, write_stored
from agents_runtime.scheduler.verbs import TASK_HOOK
from agents_runtime.scheduler.when import (
    RECURRING,
    ByCron,
    Every,
    Timing,
    When,
    first_ms,
    moment_ms,
    next_ms,
    next_runs_ms,
    parse_interval,
    parse_when,
    shortest_gap_ms,
    show,
)

if TYPE_CHECKING:
    from agents_runtime._core.callbacks import Callback, Callbacks
    from agents_runtime._core.durations import Duration
    from agents_runtime._core.jobs.port import Job
    from agents_runtime._core.options import AgentOptions
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime.scheduler.matching import Index

logger = logging.getLogger("agents_runtime")

VERSION_KEY = "cf_agents:schedules_schema_version"
VERSION = 2
OLD_TABLE = "cf_agents_schedules"
MAX_PAYLOAD_BYTES = 1_048_576


class Schedules(Capability):
    """The schedules of one agent.

    Args:
        is_starting: whether `on_start` is running.
        has_task_hook: whether the class has an `on_task` of its own.
    """

    def __init__(
        self,
        around: Surroundings,
        callbacks: Callbacks,
        options: AgentOptions,
        *,
        is_starting: Callable[[], bool],
        has_task_hook: bool,
    ) -> None:
        self._jobs = around.jobs
        self._hand_over = around.hand_over
        self._callbacks = callbacks
        self._attempts = Attempts.of(around, "schedule", tells_execution=True)
        self._platform = around.platform
        self._clock = around.platform.clock
        self._options = options
        self._is_starting = is_starting
        self._has_task_hook = has_task_hook
        self._warned: set[str] = set()
        self._refusal: SchemaTooNew | None = None
        around.jobs.register(SCHEDULER, self._run, hung=self._hung)

    async def on_start(self) -> None:
        """Take over the schedules of an older table."""
        version: Any = self._platform.kv.get(VERSION_KEY) or 0
        if version > VERSION:
            self._refusal = SchemaTooNew(VERSION_KEY, version, VERSION)
            logger.error("schedules are kept, but neither run nor change: %s", self._refusal)
        elif version < VERSION and has_table(self._platform.sql, OLD_TABLE):
            from agents_runtime.scheduler.migration import migrate

            migrate(self._platform, self._jobs, self._options)

    @cached_property
    def _index(self) -> Index:
        from agents_runtime.scheduler.matching import Index

        return Index(self._jobs)

    # Making them

    def add(
        self,
        when: When,
        callback: Callback,
        payload: object = None,
        *,
        retry: RetryLike = None,
        idempotent: bool | None = None,
        key: str | None = None,
        tz: str | None = None,
        jitter: Duration | None = None,
    ) -> Schedule:
        """Schedule a method for a time, after a delay, or by a cron expression."""
        name = self._name_of(callback)
        now_ms = self._clock.now_ms()
        timing = parse_when(when, tz, now_ms)
        if isinstance(timing, ByCron):
            if self._platform.is_debug:
                runs = ", ".join(map(show, next_runs_ms(timing, now_ms)))
                logger.info("%r (%s) calls %s next at %s", timing.expression, timing.tz or "UTC", name, runs)
        elif idempotent is None and key is None and self._is_starting() and name not in self._warned:
            self._warned.add(name)
            logger.warning(
                "%r is scheduled in on_start, which runs at every wake: each adds one more. Say idempotent=True, or "
                "give it a key=, to keep one; idempotent=False if many are meant",
                name,
            )
        return self._add(timing, name, payload, retry, idempotent, key, jitter, now_ms)

    def add_every(
        self,
        interval: Duration,
        callback: Callback,
        payload: object = None,
        *,
        retry: RetryLike = None,
        idempotent: bool | None = None,
        key: str | None = None,
        align: bool = False,
        jitter: Duration | None = None,
    ) -> Schedule:
        """Schedule a method again and again."""
        now_ms = self._clock.now_ms()
        timing = parse_interval(interval, align=align, now_ms=now_ms)
        name = self._name_of(callback)
        return self._add(timing, name, payload, retry, idempotent, key, jitter, now_ms)

    def _name_of(self, callback: Callback) -> str:
        if self._refusal is not None:
            raise self._refusal
        if callback == TASK_HOOK and not self._has_task_hook:
            raise UnknownCallback(
                TASK_HOOK, "a schedule without a method calls on_task(self, payload, schedule): write it"
            )
        return self._callbacks.name_of(callback)

    def _add(
        self,
        timing: Timing,
        name: str,
        payload: object,
        given_retry: RetryLike,
        idempotent: bool | None,
        key: str | None,
        jitter: Duration | None,
        now_ms: int,
    ) -> Schedule:
        policy = resolve_retry(given_retry, self._options.retry)
        payload_text = _payload_text(payload)
        jitter_ms = 0 if jitter is None else self._jitter_ms(jitter, timing, now_ms)
        is_recurring = isinstance(timing, RECURRING)
        keeps = is_recurring if idempotent is None else idempotent
        stored = Stored(timing, payload_text, None, None if given_retry is None else policy, jitter_ms)
        if key is not None:
            existing = self._of_key(key)
            if existing is not None and keeps and (not is_recurring or self._index.is_same(existing, name, stored)):
                return schedule_of(existing, read_stored(existing))
        elif keeps and (found := self._index.find(name, stored)) is not None:
            return schedule_of(found, read_stored(found))
        self._check_room()
        time_ms = first_ms(timing, now_ms) + self._chance(jitter_ms)
        job = self._jobs.push(
            SCHEDULER,
            name,
            time_ms,
            job_id=key,
            payload_text=write_stored(timing, payload_text, stored.retry, jitter_ms),
            retry=policy,
            singleflight=isinstance(timing, Every),
            hung_timeout_s=self._options.hung_schedule_timeout_seconds,
        )
        if "_index" in vars(self):
            self._index.added(job, stored)
        self._tell("create", job)
        return schedule_of(job, stored if payload_text is None else stored._replace(payload=loads(payload_text)))

    def _of_key(self, key: str) -> Job | None:
        return self._jobs.get(SCHEDULER, key)

    def _check_room(self) -> None:
        limit = self._options.max_pending
        if self._jobs.count(SCHEDULER) >= limit:
            raise TooManyPending("schedules", limit, 'cancel some, give them a key=, or raise options["max_pending"]')

    def _jitter_ms(self, jitter: Duration, timing: Timing, now_ms: int) -> int:
        jitter_ms = duration_ms(jitter, "jitter")
        gap_ms = shortest_gap_ms(timing, now_ms)
        if gap_ms is not None and jitter_ms >= gap_ms:
            raise UsageError(f"jitter must be shorter than the time between two runs, not {jitter!r}")
        return jitter_ms

    def _chance(self, jitter_ms: int) -> int:
        return int(self._platform.entropy.random() * (jitter_ms + 1)) if jitter_ms else 0

    # Reading and cancelling them

    def get(self, schedule_id: str) -> Schedule | None:
        """The schedule with an id; None when there is none, or it is over."""
        job = self._jobs.get(SCHEDULER, schedule_id)
        return None if job is None else self._shown(job)

    def list(
        self,
        schedule_id: str | None = None,
        kind: str | None = None,
        time_range: Mapping[str, datetime | None] | None = None,
    ) -> list[Schedule]:
        """All schedules, by the time they run next."""
        bounds = time_range or {}
        start, end = bounds.get("start"), bounds.get("end")
        start_ms = 0 if start is None else moment_ms(start)
        end_ms = None if end is None else moment_ms(end)
        found = (self._shown(job) for job in self._jobs.list(SCHEDULER))
        return [
            schedule
            for schedule in found
            if schedule is not None
            and (schedule_id is None or schedule.id == schedule_id)
            and (kind is None or schedule.type == kind)
            and schedule.time_ms >= start_ms
            and (end_ms is None or schedule.time_ms <= end_ms)
        ]

    def _shown(self, job: Job) -> Schedule | None:
        stored = read_stored(job)
        return None if stored.is_foreign else schedule_of(job, stored)

    def cancel(self, schedule_id: str) -> bool:
        """Delete a schedule. False: there is none of that id."""
        job = self._jobs.get(SCHEDULER, schedule_id)
        if job is None or read_stored(job).is_foreign:
            return False
        self._jobs.cancel(SCHEDULER, schedule_id)
        self._tell("cancel", job)
        return True

    # Running them

    async def _run(self, job: Job) -> Outcome:
        if self._refusal is not None:
            raise self._refusal
        stored = read_stored(job)
        if stored.is_foreign:
            await self._hand_over(job)
            return None
        method = self._callbacks.find(job.fn)
        if method is None:
            self._attempts.missing(job)
        else:
            policy = stored.retry or job.retry or self._options.retry
            await self._attempts.run(job, method, stored.payload, schedule_of(job, stored), policy)
        return self._next(stored)

    def _hung(self, job: Job) -> Outcome:
        return self._next(read_stored(job))

    def _next(self, stored: Stored) -> RescheduleAt | None:
        timing = stored.timing
        if not isinstance(timing, RECURRING):
            return None
        return RescheduleAt(next_ms(timing, self._clock.now_ms()) + self._chance(stored.jitter_ms))

    def _tell(self, what: Literal["create", "cancel"], job: Job) -> None:
        self._attempts.emit(f"schedule:{what}", {"callback": job.fn, "id": job.id})


def _payload_text(payload: object) -> str | None:
    if payload is None:
        return None
    text = dumps(payload, "payload")
    if len(text) * 4 > MAX_PAYLOAD_BYTES and (size := size_bytes(text)) > MAX_PAYLOAD_BYTES:
        raise UsageError(
            f"the payload has {size:,} bytes of JSON and at most {MAX_PAYLOAD_BYTES:,} are kept: store what is large "
            "in a table with self.sql(...), and pass its key"
        )
    return text
