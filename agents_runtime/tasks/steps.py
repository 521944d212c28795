"""What the steps of an attempt do: call a function once per journal entry, sleep, wait for a person."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core.jsonx import Json, loads
from agents_runtime.context import is_awaitable
from agents_runtime.errors import ApprovalExpired, ApprovalRejected, DurabilityError, StorageError
from agents_runtime.tasks.attempt import GRACE_S
from agents_runtime.tasks.declare import checked_json
from agents_runtime.tasks.errors import StepFailed, StepTimedOut
from agents_runtime.tasks.journal import Entry, Execute, Fail, Replay, Wait, after_failure, decide, failure_of
from agents_runtime.tasks.step import CURRENT_STEP, StepContext

if TYPE_CHECKING:
    from agents_runtime._core.decisions import Decision
    from agents_runtime.tasks.attempt import Attempt
    from agents_runtime.tasks.models import StepPolicy, WaitReason


class Steps:
    """The steps of one attempt."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._around = attempt.around
        self._store = attempt.store
        self._clock = attempt.clock

    # do

    async def do(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], policy: StepPolicy) -> Json:
        """Run a step's function, or give what it returned before."""
        entry = self._attempt.visit(name, "do")
        cause: Exception | None = None
        while True:
            decision = decide(entry, policy, self._clock.now_ms())
            if isinstance(decision, Replay):
                return None if decision.result is None else loads(decision.result)
            if isinstance(decision, Fail):
                if entry is not None and entry.state != "failed":
                    self._attempt.journal(self._store.end_step, _failed(entry, decision.error))
                raise decision.error from cause
            if isinstance(decision, Wait):
                await self._wait(name, decision.until_ms, "retry")
                continue
            entry, cause = await self._execute(name, decision, function, args, policy)

    async def _execute(
        self, name: str, decision: Execute, function: Callable[..., Any], args: tuple[Any, ...], policy: StepPolicy
    ) -> tuple[Entry, Exception | None]:
        running = self._attempt.journal(self._store.begin_step, Entry(name, "do", "running", decision.attempt))
        self._attempt.tell("started", name, decision.attempt)
        self._attempt.begin_work()
        try:
            await self._around.platform.committed()
            try:
                result = await self._call(name, decision.attempt, function, args, policy.timeout_ms)
                text = checked_json(result, f"the result of the step {name!r}")
            except Exception as error:  # whatever the user's function raises
                return self._after_failure(running, error, policy), error
            completed = Entry(name, "do", "completed", decision.attempt, None, text)  # `replace` takes as long as SQL
            done = self._attempt.journal(self._store.end_step, completed)
            self._attempt.tell("completed", name, decision.attempt)
            return done, None
        finally:
            self._attempt.end_work()

    def _after_failure(self, running: Entry, error: Exception, policy: StepPolicy) -> Entry:
        retry_ms = after_failure(error, running.attempt, policy, self._clock.now_ms())
        failure = failure_of(running.name, error)
        if retry_ms is None:
            return self._attempt.journal(self._store.end_step, _failed(running, failure))
        waiting = replace(
            running,
            state="waiting",
            next_at_ms=retry_ms,
            error_name=failure.error_name,
            error_message=failure.error_message,
        )
        self._attempt.journal(self._store.end_step, waiting)
        self._attempt.tell("retry", running.name, running.attempt)
        return waiting

    async def _call(
        self, name: str, attempt: int, function: Callable[..., Any], args: tuple[Any, ...], timeout_ms: int
    ) -> object:
        previous = CURRENT_STEP.get()
        CURRENT_STEP.set(StepContext(self._attempt.run_id, name, attempt, self._attempt.idempotency_key(name)))
        try:
            result: Any = function(*args)
            return await self._within(name, result, timeout_ms) if is_awaitable(result) else result
        finally:
            CURRENT_STEP.set(previous)

    async def _within(self, name: str, awaitable: Awaitable[Any], timeout_ms: int) -> object:
        """Wait for a step's function until its time is over.

        It runs in this very task: what it wrote since its last await is committed together with its journal entry.
        """
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        before = task.cancelling()
        late = asyncio.Event()
        guard = asyncio.ensure_future(self._guard(task, name, timeout_ms / 1000, late))
        try:
            return await awaitable
        except asyncio.CancelledError:
            if late.is_set() and task.uncancel() <= before:
                raise StepTimedOut(name, timeout_ms / 1000) from None
            if task.cancelling() <= before and not self._attempt.is_ending:
                raise DurabilityError(f"the step {name!r} was cancelled from within, by something it awaited") from None
            raise
        finally:
            guard.cancel()

    async def _guard(self, task: asyncio.Task[Any], name: str, timeout_s: float, late: asyncio.Event) -> None:
        """Cancel a step's function when its time is over; fail the run if it ignores that."""
        await self._clock.sleep(timeout_s)
        late.set()
        task.cancel()
        await self._clock.sleep(GRACE_S)
        self._attempt.fail(StepTimedOut(name, timeout_s))

    # Waiting

    async def sleep(self, name: str, ms: int, *, is_relative: bool) -> None:
        """Wait for so long, or until a moment."""
        entry = self._attempt.visit(name, "sleep")
        if entry is None:
            until_ms = self._clock.now_ms() + ms if is_relative else ms
            entry = self._attempt.journal(self._store.begin_step, Entry(name, "sleep", "waiting", next_at_ms=until_ms))
        if entry.state != "completed":
            await self._wait(name, entry.next_at_ms, "sleep")
            self._attempt.journal(self._store.end_step, replace(entry, state="completed", next_at_ms=None))

    async def _wait(self, name: str, until_ms: int | None, reason: WaitReason) -> None:
        """Wait in memory; the attempt ends meanwhile if nothing else of it goes on."""
        if until_ms is None or until_ms <= self._clock.now_ms():
            return
        with self._attempt.waiting(name, until_ms, reason):
            while (left_ms := until_ms - self._clock.now_ms()) > 0:
                await self._clock.sleep(left_ms / 1000)

    async def wait_for_approval(
        self, name: str, details: object, request_id: str | None, timeout_ms: int | None
    ) -> Json:
        """Wait for a person's decision."""
        request = request_id or self._attempt.idempotency_key(name)
        entry = self._attempt.visit(name, "approval")
        if entry is not None and entry.state == "completed":
            return None if entry.result is None else loads(entry.result)
        if entry is not None and entry.state == "failed":
            raise _refusal(request, entry.error_name, entry.error_message or None)
        decision = self._ask(request, details, timeout_ms)
        if entry is None:
            asked = Entry(name, "approval", "waiting", next_at_ms=decision.expires_at_ms)
            entry = self._attempt.journal(self._store.begin_step, asked)
        while decision.status == "pending":
            with self._attempt.waiting(name, decision.expires_at_ms, "approval") as decided:
                await decided.wait()
            decision = self._ask(request, details, timeout_ms)
        if decision.status == "approved":
            text = checked_json(decision.metadata, "the metadata of the approval")
            self._attempt.journal(self._store.end_step, replace(entry, state="completed", result=text, next_at_ms=None))
            return decision.metadata
        kind = ApprovalRejected if decision.status == "rejected" else ApprovalExpired
        self._attempt.journal(
            self._store.end_step,
            replace(entry, state="failed", error_name=kind.__name__, error_message=decision.reason, next_at_ms=None),
        )
        raise _refusal(request, kind.__name__, decision.reason)

    def _ask(self, request_id: str, details: object, timeout_ms: int | None) -> Decision:
        try:
            return self._attempt.desk.ask(request_id, details, timeout_ms, self._attempt.run_id)
        except StorageError as error:
            self._attempt.lose(error)


def _failed(entry: Entry, error: StepFailed) -> Entry:
    return replace(
        entry, state="failed", next_at_ms=None, error_name=error.error_name, error_message=error.error_message
    )


def _refusal(request_id: str, kind: str | None, reason: str | None) -> DurabilityError:
    if kind == ApprovalExpired.__name__:
        return ApprovalExpired(request_id)
    return ApprovalRejected(request_id, reason)
