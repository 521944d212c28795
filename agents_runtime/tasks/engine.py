"""Runs the tasks of one agent: accepts runs, begins their attempts, ends them, and takes up what was interrupted.

A run is a row and a job. The job wakes the run when its wait is over, and every so often while it is under way: should
the agent lose its memory, that wake finds the run and goes on with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agents_runtime._core.capability import Capability
from agents_runtime._core.ids import CONNECTION_ID_SIZE, nanoid
from agents_runtime._core.jobs.port import TASKS, Job, Outcome, RescheduleAt
from agents_runtime._core.jsonx import dumps, loads
from agents_runtime._core.spelling import did_you_mean
from agents_runtime.errors import TooManyPending, UsageError
from agents_runtime.tasks.attempt import Attempt, Completed, End, Failed, Suspended
from agents_runtime.tasks.declare import TaskDefinition, pack, unpack
from agents_runtime.tasks.errors import RecoveryExhausted, TaskCancelled, TaskFailed, UnknownTask
from agents_runtime.tasks.journal import error_name, error_text
from agents_runtime.tasks.step import Step
from agents_runtime.tasks.steps import Steps
from agents_runtime.tasks.store import TaskStore

if TYPE_CHECKING:
    from agents_runtime._core.decisions import Desk
    from agents_runtime._core.jsonx import Json
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime.tasks.models import TaskInfo
    from agents_runtime.tasks.store import Claim

logger = logging.getLogger("agents_runtime")

WAKE = "wake"
MAX_INTERRUPTIONS = 5
"""So often in a row a run may be interrupted without writing to its journal; then it fails. The platform gives up an
alarm that took the object down seven times, so this has to be less."""

UNTIMED_WAKE_MS = 24 * 3_600_000
"""How often a run that waits without a limit looks for itself whether it may go on."""


@dataclass(frozen=True, slots=True)
class Order:
    """A run that is asked for.

    Attributes:
        task: the task's name.
        args: its arguments.
        run_id: the run's id; None: a random one.
        key: at most one run has it.
        metadata: JSON that is kept with the run.
        retain: whether the run stays in the list once it is settled.
    """

    task: str
    args: tuple[object, ...]
    run_id: str | None
    key: str | None
    metadata: Mapping[str, object] | None
    retain: bool


class Tasks(Capability):
    """The tasks of one agent.

    Args:
        max_open: how many runs may be under way or waiting; more are refused.
    """

    def __init__(
        self, definitions: Mapping[str, TaskDefinition], around: Surroundings, desk: Desk, max_open: int = 100_000
    ) -> None:
        self.definitions = definitions
        self.store = TaskStore(around.platform.sql, around.platform.kv)
        self._around = around
        self._desk = desk
        self._jobs = around.jobs
        self._clock = around.clock
        self._max_open = max_open
        self._open: int | None = None
        self._active: dict[str, Attempt | None] = {}
        self._waiters: dict[str, list[asyncio.Future[TaskInfo]]] = {}
        self._jobs.register(TASKS, self._wake)

    # What users ask for

    def accept(self, order: Order) -> tuple[TaskInfo, bool]:
        """Store a run and begin it, unless there is one with its id or key. Returns it, and whether it is new."""
        definition = self.definitions.get(order.task)
        if definition is None:
            raise UnknownTask(type(self._around.agent).__name__, order.task, did_you_mean(order.task, self.definitions))
        _check_text(order.run_id, "run_id")
        _check_text(order.key, "idempotency_key")
        known = self._known(order)
        if known is not None:
            return known, False
        if self._count_open() >= self._max_open:
            remedy = 'cancel some, let one task do more, or raise options["max_pending"]'
            raise TooManyPending("runs of tasks", self._max_open, remedy)
        stored_input = pack(definition, order.args)
        metadata = None if order.metadata is None else dumps(order.metadata, "metadata")
        run_id = order.run_id or nanoid(self._around.platform.entropy.random_bytes, CONNECTION_ID_SIZE)
        now_ms = self._clock.now_ms()
        # The job first: one without a run is deleted by its first wake, a run without a job would wait for ever.
        self._wake_at(run_id, now_ms + self._around.interval_ms)
        self.store.insert(run_id, order.task, stored_input, metadata, order.key, order.retain, now_ms)
        self._open = self._count_open() + 1
        info = self.get(run_id)
        self._emit("accepted", info)
        self._begin(run_id)
        return info, True

    def _count_open(self) -> int:
        if self._open is None:
            self._open = self.store.count_open()
        return self._open

    def _known(self, order: Order) -> TaskInfo | None:
        by_id = None if order.run_id is None else self.store.get(order.run_id)
        by_key = None if order.key is None else self.store.get_by_key(order.key)
        if by_id is not None and by_key is not None and by_id.run_id != by_key.run_id:
            raise UsageError(f"run_id {order.run_id!r} and idempotency_key {order.key!r} name two different runs")
        known = by_id or by_key
        if known is not None and known.task != order.task:
            raise UsageError(f"the run {known.run_id!r} is one of the task {known.task!r}, not of {order.task!r}")
        return known

    def get(self, run_id: str) -> TaskInfo:
        """The run with this id. Raises UsageError if there is none."""
        info = self.store.get(run_id)
        if info is None:
            raise UsageError(f"there is no run {run_id!r}; it may have been deleted, or have ended with retain=False")
        return info

    def cancel(self, run_id: str, reason: str | None) -> bool:
        """End a run now; False when it has ended already or does not exist."""
        info = self.store.get(run_id)
        if info is None or not self.store.cancel(run_id, reason, self._clock.now_ms()):
            return False
        attempt = self._active.get(run_id)
        if attempt is not None:
            attempt.abandon()
        self._settled(replace(info, state="cancelled", cancel_reason=reason))
        return True

    def delete(self, run_id: str | None, settled_before_ms: int | None, limit: int) -> int:
        """Delete settled runs; returns how many."""
        if run_id is not None:
            info = self.store.get(run_id)
            if info is not None and not info.is_settled:
                raise UsageError(f"the run {run_id!r} is {info.state}: cancel it before you delete it")
            deleted = [run_id] if info is not None and self.store.delete_one(run_id) else []
        else:
            deleted = self.store.delete(settled_before_ms, limit)
        for name in deleted:
            self._around.emit("task:deleted", {"runId": name})
        return len(deleted)

    async def outcome(self, run_id: str) -> Json:
        """Wait for a run to end; gives its result.

        Raises:
            TaskFailed: it failed.
            TaskCancelled: it was cancelled.
        """
        info = self.get(run_id)
        if not info.is_settled:
            waiter: asyncio.Future[TaskInfo] = asyncio.get_running_loop().create_future()
            waiters = self._waiters.setdefault(run_id, [])
            waiters.append(waiter)
            try:
                info = await waiter
            finally:
                if waiter in waiters:
                    waiters.remove(waiter)
        if info.state == "failed":
            raise TaskFailed(run_id, info.task, info.error_name or "Error", info.error_message or "")
        if info.state == "cancelled":
            raise TaskCancelled(run_id, info.task, info.cancel_reason)
        return info.result

    def notify(self, run_id: str) -> None:
        """Let a run look at what it waits for."""
        if run_id in self._active:
            attempt = self._active[run_id]
            if attempt is not None:
                attempt.poke()
            return
        info = self.store.get(run_id)
        if info is not None and not info.is_settled:
            self._wake_at(run_id, self._clock.now_ms() + self._around.interval_ms)
            self._begin(run_id)

    # Waking

    async def on_start(self) -> None:
        """Take up the runs that lost their memory, once the agent has started."""
        for run_id in self.store.interrupted():
            if self._jobs.get(TASKS, _job_id(run_id)) is None:
                self._wake_at(run_id, self._clock.now_ms() + self._around.interval_ms)
            self._begin(run_id)

    async def on_destroy(self) -> None:
        """End every attempt."""
        for attempt in self._active.values():
            if attempt is not None:
                attempt.abandon()

    async def _wake(self, job: Job) -> Outcome:
        run_id = job.id.removeprefix(_job_id(""))
        now_ms = self._clock.now_ms()
        if run_id not in self._active:
            info = self.store.get(run_id)
            if info is None or info.is_settled:
                return None
            # A run that waits for an approval may have been decided and killed before it could look.
            wake_ms = None if info.wait_reason == "approval" else info.wake_at_ms
            if wake_ms is not None and wake_ms > now_ms:
                return RescheduleAt(wake_ms)
            self._begin(run_id)
        return RescheduleAt(now_ms + self._around.interval_ms)

    def _wake_at(self, run_id: str, time_ms: int) -> None:
        self._jobs.push(TASKS, WAKE, time_ms, job_id=_job_id(run_id))

    def _begin(self, run_id: str) -> None:
        if run_id not in self._active:
            self._active[run_id] = None
            self._around.platform.spawn(self._work(run_id))

    # One attempt

    async def _work(self, run_id: str) -> None:
        try:
            try:
                await self._around.ready()
            except Exception as error:  # reported by the start itself; the job wakes the run again
                logger.debug("the run %s waits for the agent to start: %s", run_id, error)
                return
            await self._attempt(run_id)
        except Exception:
            logger.exception("the run %s could not go on; it is taken up again later", run_id)
        finally:
            self._active.pop(run_id, None)

    async def _attempt(self, run_id: str) -> None:
        before = self.store.get(run_id)
        claim = None if before is None else self.store.claim(run_id, self._clock.now_ms())
        if before is None or claim is None:
            return
        if before.state == "running":
            self._emit("attempt:interrupted", before, attempt=claim.generation - 1)
        self._emit("attempt:started", before, attempt=claim.generation)
        attempt = Attempt(claim, before.task, self._around, self._desk, self.store, self.store.steps(run_id))
        self._active[run_id] = attempt
        end = await self._run(attempt, claim, before)
        await self._close(attempt, claim, before, end)

    async def _run(self, attempt: Attempt, claim: Claim, info: TaskInfo) -> End:
        definition = self.definitions.get(info.task)
        if definition is None:
            remark = ": it was removed or renamed while a run of it was under way"
            return Failed(UnknownTask(type(self._around.agent).__name__, info.task, remark))
        if claim.attempt > MAX_INTERRUPTIONS:
            return Failed(RecoveryExhausted(f"the task {info.task!r}", MAX_INTERRUPTIONS))
        try:
            args = unpack(definition, self.store.input_of(claim.run_id))
        except ValueError as error:
            return Failed(error)
        step = Step(attempt, Steps(attempt))
        return await attempt.run(self._around.call(definition.function, self._around.agent, step, *args))

    async def _close(self, attempt: Attempt, claim: Claim, info: TaskInfo, end: End) -> None:
        now_ms = self._clock.now_ms()
        if isinstance(end, Completed):
            if self.store.settle(claim, "completed", end.result, None, now_ms):
                self._settled(replace(info, state="completed", result=loads(end.result)))
        elif isinstance(end, Failed):
            await self._fail(claim, info, end.error, now_ms)
        elif isinstance(end, Suspended):
            wake_ms = now_ms if attempt.is_poked else end.wake_ms
            self._wake_at(claim.run_id, now_ms + UNTIMED_WAKE_MS if wake_ms is None else wake_ms)
            if self.store.suspend(claim, wake_ms, end.reason, now_ms):
                self._emit("waiting", info, reason=end.reason, wakeAt=wake_ms)
        elif end.error is not None:
            logger.warning(
                "the journal of the run %s could not be written (%s); it goes on later", claim.run_id, end.error
            )

    async def _fail(self, claim: Claim, info: TaskInfo, error: Exception, now_ms: int) -> None:
        name, message = error_name(error), error_text(error)
        if not self.store.settle(claim, "failed", None, (name, message), now_ms):
            return
        is_awaited = bool(self._waiters.get(claim.run_id))
        self._settled(replace(info, state="failed", error_name=name, error_message=message))
        if not is_awaited:
            failure = TaskFailed(claim.run_id, info.task, name, message)
            failure.__cause__ = error
            await self._around.report(failure)

    def _settled(self, info: TaskInfo) -> None:
        """Let everyone know that a run has ended."""
        self._open = None if self._open is None else self._open - 1
        self._jobs.cancel(TASKS, _job_id(info.run_id))
        details: dict[str, Json] = {}
        if info.state == "failed":
            details["error"] = info.error_message
        elif info.state == "cancelled" and info.cancel_reason is not None:
            details["reason"] = info.cancel_reason
        self._emit(info.state, info, **details)
        for waiter in self._waiters.pop(info.run_id, ()):
            if not waiter.done():
                waiter.set_result(info)

    def _emit(self, event: str, info: TaskInfo, **details: Json) -> None:
        self._around.emit(f"task:{event}", {"runId": info.run_id, "definition": info.task, **details})


def _job_id(run_id: str) -> str:
    return f"task:{run_id}"


def _check_text(value: object, what: str) -> None:
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise UsageError(f"{what} must be a text that is not blank, not {value!r}"[:300])
