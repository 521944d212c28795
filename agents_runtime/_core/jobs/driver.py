"""Runs the jobs that are due, one after the other in order, and lets other events in between.

A row is deleted, or moved to its next time, after its run: a crash in between repeats the run and loses nothing. A run
that takes longer than its job allows is left to itself, and the others go on. Nothing here looks at the alarm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from agents_runtime._core.jobs.port import HOST, Outcome, RescheduleAt
from agents_runtime._core.jobs.running import DEFAULT_HUNG_TIMEOUT_S, Lane, Registry, Running
from agents_runtime._core.platform_failures import is_platform_failure
from agents_runtime._core.turns import NEXT_TURN, let_others_in

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Job
    from agents_runtime._core.jobs.table import JobTable
    from agents_runtime._core.jsonx import Json
    from agents_runtime._platform.ports import Clock

logger = logging.getLogger("agents_runtime")

SLICE = 100
"""So many jobs are read at once, and run before other events are let in."""

SLICE_MS = 2
"""After so long other events are let in, even if the slice is not done."""

MAX_JOBS = 10_000
"""After so many jobs the rest is left to another alarm, which fires at once."""

BACKLOG_WARNING = 10
MOST_COUNTED = 1_000
NEVER_MS = 2**53
FIRST_DELAY_MS = 2_000
LONGEST_DELAY_MS = 300_000
"""A job whose runner itself failed, or hit a failing platform, waits 2 s, then twice as long each time."""


class Driver:
    """Drives the jobs of one object."""

    def __init__(
        self,
        table: JobTable,
        registry: Registry,
        clock: Clock,
        emit: Callable[[str, Mapping[str, Json]], None],
        spawn: Callable[[Coroutine[Any, Any, Any]], None],
        changed: Callable[[], None],
    ) -> None:
        self._table = table
        self._registry = registry
        self._clock = clock
        self._emit = emit
        self._spawn = spawn
        self._changed = changed
        self._failures: dict[str, int] = {}
        self._shift: _Shift | None = None
        self._parked: set[str] = set()
        """Jobs that nobody runs: they were stored by newer or other code. They stay in the table."""
        self._yielded: set[str] = set()
        """Jobs that let the others go first in this alarm."""
        self.failed_job: Job | None = None
        """The job whose run met the platform's failure that `drive` raised."""
        self.is_driving = False
        self.is_closed = False

    @property
    def set_aside(self) -> set[str]:
        """Ids of the jobs that are not to be started: they run already, or nobody runs them."""
        return self._parked.union(self._yielded, self._registry.runs)

    def touched(self, job_id: str, time_ms: int | None = None, *, is_urgent: bool = False) -> None:
        """Take note that a job was pushed, moved to `time_ms` or deleted: what was read before is out of date.

        Args:
            is_urgent: whether it may go before others of the same time.
        """
        self._registry.supersede(job_id)
        shift = self._shift
        if shift is not None:
            shift.stale.add(job_id)
            if time_ms is not None:
                shift.is_outdated = shift.is_outdated or is_urgent or time_ms < shift.last_ms
                shift.hear_of(time_ms)

    async def drive(self) -> None:
        """Run everything that is due, also what falls due meanwhile. Raises the platform's failure if there is one."""
        self.is_driving = True
        try:
            while (shift := self._begin()) is not None:
                self._spawn(self._work(shift))
                await self._watch(shift)
                if shift.failure is not None:
                    self.failed_job = shift.failed_job
                    raise shift.failure
                if not shift.is_relieved:
                    return
        finally:
            self._shift = None
            self._yielded.clear()
            self.is_driving = False

    def _begin(self) -> _Shift | None:
        self._shift = _Shift()
        return None if self.is_closed else self._shift

    async def _watch(self, shift: _Shift) -> None:
        """Wait until a shift is over, or held up by one run for too long."""
        await NEXT_TURN
        while not shift.done.is_set():
            run = self._registry.first_deadline()
            now_ms = self._clock.now_ms()
            if run is not None and run.deadline_ms <= now_ms:
                self._detach(run, shift, now_ms)
                continue
            wait_ms = DEFAULT_HUNG_TIMEOUT_S * 1000 if run is None else run.deadline_ms - now_ms
            await self._until(shift.done, wait_ms / 1000)

    async def _until(self, event: asyncio.Event, seconds: float) -> None:
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        ending = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({timer, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            ending.cancel()

    def _detach(self, run: Running, shift: _Shift, now_ms: int) -> None:
        job, lane = run.job, run.lane
        run.is_detached = True
        threshold_ms = run.deadline_ms - run.started_ms
        logger.warning(
            "the %s job %r (%s) has been running for over %g s; the other jobs go on without waiting for it",
            job.capability, job.fn, job.id, threshold_ms / 1000,
        )  # fmt: skip
        self._emit(
            "job:slow_dispatch",
            {"capability": job.capability, "fn": job.fn, "id": job.id, "thresholdMs": threshold_ms},
        )
        if lane.hung is not None and not run.is_superseded:
            outcome = lane.hung(job)
            if outcome is not None:
                run.is_superseded = True
                self._registry.runs.pop(job.id, None)
                self._apply(job, outcome)
        if shift.current is run:
            shift.is_relieved = True
            shift.done.set()
        else:
            lane.leave()
            shift.leave(job.id)

    # One shift: a task that runs jobs until there are none or it is relieved

    async def _work(self, shift: _Shift) -> None:
        try:
            await self._run_due(shift)
        except Exception as error:
            shift.failure = shift.failure or error
        finally:
            shift.done.set()
        self._tell_late()

    def _tell_late(self) -> None:
        """What outlives the alarm that started it has to see to the next alarm."""
        if not self.is_driving and not self.is_closed:
            self._changed()

    async def _run_due(self, shift: _Shift) -> None:
        count = 0
        while not shift.is_over and not self.is_closed:
            now_ms = self._clock.now_ms()
            jobs = self._table.due(self._registry.capabilities, now_ms, SLICE, self.set_aside)
            shift.refresh(jobs[-1].time_ms if jobs else 0)
            if not jobs:
                if not shift.tasks:
                    return
                await self._wait_for_more(shift, now_ms)
                continue
            if count == 0 and len(jobs) >= BACKLOG_WARNING:
                self._warn_about_backlog(now_ms)
            count += await self._run_slice(shift, jobs, now_ms)
            if count >= MAX_JOBS or self.is_closed:
                break
            await let_others_in()
        while shift.tasks and not shift.is_over:
            await shift.wait_for_any()

    async def _wait_for_more(self, shift: _Shift, now_ms: int) -> None:
        """Nothing is due, and jobs run beside others: wait for the end of one of them, or for the next that is due."""
        next_ms = self._table.next_ms(self._registry.capabilities, self.set_aside)
        if next_ms is None or next_ms <= now_ms:
            await shift.wait_for_any()
            return
        news = shift.listen(next_ms)
        await self._until(news, min((next_ms - now_ms) / 1000, DEFAULT_HUNG_TIMEOUT_S))

    async def _run_slice(self, shift: _Shift, jobs: list[Job], since_ms: int) -> int:
        count = 0
        for job in jobs:
            if job.id in shift.stale:
                continue
            lane = self._registry.lane_of(job)
            if lane is None:
                self._park(job)
                continue
            count += 1
            if lane.concurrency > 1:
                await self._start(shift, job, lane)
            else:
                await self._run_here(shift, job, lane)
            if shift.is_over or self.is_closed or shift.is_outdated:
                break
            now_ms = self._clock.now_ms()
            if now_ms - since_ms >= SLICE_MS:
                await let_others_in()
                since_ms = self._clock.now_ms()
        return count

    async def _run_here(self, shift: _Shift, job: Job, lane: Lane) -> None:
        run = shift.current = Running(job, lane, self._clock.now_ms())
        await self._run(shift, run)
        if shift.current is run:
            shift.current = None

    async def _start(self, shift: _Shift, job: Job, lane: Lane) -> None:
        """Run a job beside others, as soon as its lane has a place."""
        while lane.busy >= lane.concurrency:
            lane.freed.clear()
            await lane.freed.wait()
        if job.id in shift.stale or shift.is_over or self.is_closed:
            return
        lane.busy += 1
        run = Running(job, lane, self._clock.now_ms())
        self._registry.runs[job.id] = run
        shift.tasks.add(job.id)
        self._spawn(self._run_aside(shift, run))

    async def _run_aside(self, shift: _Shift, run: Running) -> None:
        try:
            await self._run(shift, run)
        except Exception as error:
            shift.failure = shift.failure or error
        finally:
            if not run.is_detached:
                run.lane.leave()
            shift.leave(run.job.id)
        self._tell_late()

    async def _run(self, shift: _Shift, run: Running) -> None:
        job = run.job
        self._registry.runs[job.id] = run
        try:
            outcome = await run.lane.run(job)
        except Exception as error:
            if is_platform_failure(error):
                shift.failed_job = job
                raise
            outcome = self._failed(job, error)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            outcome = self._failed(job, error)
        else:
            self._failures.pop(job.id, None)
        finally:
            if self._registry.runs.get(job.id) is run:
                del self._registry.runs[job.id]
        if not run.is_superseded and not self.is_closed:
            self._apply(job, outcome)

    def _failed(self, job: Job, error: BaseException) -> RescheduleAt:
        """The runner itself failed, not the user's code it runs: nothing is given up."""
        failures = self._failures[job.id] = self._failures.get(job.id, 0) + 1
        delay_ms = backoff_ms(failures)
        logger.error(
            "the %s job %r (%s) failed and is tried again in %g s",
            job.capability, job.fn, job.id, delay_ms / 1000,
            exc_info=error,
        )  # fmt: skip
        return RescheduleAt(self._clock.now_ms() + delay_ms)

    def _apply(self, job: Job, outcome: Outcome) -> None:
        if outcome is None:
            self._table.delete(job)
        elif isinstance(outcome, RescheduleAt):
            self._table.retime(job.id, outcome.time_ms)
        else:
            self._yielded.add(job.id)
            self._table.retime(job.id, self._clock.now_ms())

    def _park(self, job: Job) -> None:
        self._parked.add(job.id)
        # The JavaScript SDK leaves housekeeping of its own in the table, which is harmless.
        level = logging.DEBUG if job.capability == HOST else logging.ERROR
        text = "the job %s of %r (%r) is kept, but nothing in this class runs such jobs"
        logger.log(level, text, job.id, job.capability, job.fn)

    def _warn_about_backlog(self, now_ms: int) -> None:
        for capability, count in self._table.count_due(now_ms, MOST_COUNTED).items():
            if count >= BACKLOG_WARNING:
                self._emit("job:backlog_warning", {"capability": capability, "count": count})


class _Shift:
    """One task that runs jobs. It ends when nothing is due, or when another takes over from it."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.current: Running | None = None
        self.stale: set[str] = set()
        self.last_ms = 0
        self.is_outdated = False
        self.is_relieved = False
        self.failure: Exception | None = None
        self.failed_job: Job | None = None
        self.tasks: set[str] = set()
        self._left = asyncio.Event()
        self._awaited_ms = 0

    @property
    def is_over(self) -> bool:
        """Whether no more jobs are to be started in it."""
        return self.is_relieved or self.failure is not None

    def refresh(self, last_ms: int) -> None:
        """Take note that the jobs were read anew, up to those of `last_ms`."""
        self.last_ms = last_ms
        self.stale.clear()
        self.is_outdated = False

    def leave(self, job_id: str) -> None:
        """A job that ran beside others has ended."""
        self.tasks.discard(job_id)
        self._left.set()

    def hear_of(self, time_ms: int) -> None:
        """A job was stored for `time_ms`."""
        if time_ms < self._awaited_ms:
            self._left.set()

    def listen(self, next_ms: int) -> asyncio.Event:
        """An event that happens when a job that runs beside others has ended, or one is stored for before `next_ms`."""
        self._awaited_ms = next_ms
        self._left.clear()
        return self._left

    async def wait_for_any(self) -> None:
        """Return when such a thing happens, whatever the time."""
        await self.listen(NEVER_MS).wait()


def backoff_ms(failures: int) -> int:
    """The wait after so many failures in a row."""
    return int(min(FIRST_DELAY_MS * 2 ** min(failures - 1, 20), LONGEST_DELAY_MS))
