"""The steps of one attempt of an instance, on the journal of tasks.

Where a task is held to its journal, a workflow is not: as on the platform a name may be used again (the n-th use is a
step of its own), and code that takes another course than before just does other steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agents_runtime._core.jsonx import loads
from agents_runtime.context import is_awaitable
from agents_runtime.errors import StorageError
from agents_runtime.local.values import JsDict, JsException, JsValue
from agents_runtime.local.values.types import datetime_of
from agents_runtime.local.workflows import rules
from agents_runtime.local.workflows.failures import arriving, leaving, timed_out
from agents_runtime.local.workflows.values import pack, unpack
from agents_runtime.tasks.attempt import Attempt, Completed, Failed
from agents_runtime.tasks.declare import checked_json
from agents_runtime.tasks.errors import StepFailed
from agents_runtime.tasks.journal import Entry
from agents_runtime.tasks.step import CURRENT_STEP
from agents_runtime.tasks.steps import Steps

if TYPE_CHECKING:
    from agents_runtime.local.workflows.events import Events
    from agents_runtime.local.workflows.rules import StepSettings
    from agents_runtime.tasks.models import StepKind, StepPolicy, WaitReason

    Execution = tuple[Entry, Exception | None]


@dataclass(slots=True)
class Pause:
    """Whether the instance is paused, for its steps.

    Attributes:
        shift_ms: by how much the ends of waits have moved in this life of the object.
    """

    is_on: bool = False
    shift_ms: int = 0


REST_MS = 60_000
"""A wait that is over sooner is waited for in memory, as on the platform; a longer one lets the instance leave it."""


class WorkflowAttempt(Attempt):
    """One attempt of one instance."""

    rest_ms = REST_MS

    @property
    def is_busy(self) -> bool:
        """Whether the function of a step runs."""
        return self._working > 0

    @property
    def is_waiting(self) -> bool:
        """Whether a step waits and none works."""
        return bool(self._waits) and not self.is_busy

    def visit(self, name: str, kind: StepKind) -> Entry | None:
        """Find a step in the journal."""
        if self.is_ending:
            raise asyncio.CancelledError
        return self._entries.get(name)

    async def _is_at_rest(self, handler: asyncio.Task[Any]) -> bool:
        soon_ms = self.clock.now_ms() + self.rest_ms
        if any(until_ms is not None and until_ms < soon_ms for until_ms, _ in self._waits.values()):
            return False
        return await super()._is_at_rest(handler)

    def _completed(self, result: object) -> Completed | Failed:
        try:
            return Completed(checked_json(pack(result), "the result of the workflow"))
        except Exception as error:  # whatever cannot be kept
            return Failed(error)


class WorkflowSteps(Steps):
    """What an instance's code may do durably, under the platform's names and rules."""

    def __init__(self, attempt: WorkflowAttempt, events: Events, pause: Pause, max_steps: int) -> None:
        super().__init__(attempt)
        self._events = events
        self._pause = pause
        self._max_steps = max_steps
        self._counts: dict[str, int] = {}
        self._done = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    async def stop(self) -> None:
        """End what the workflow's code left behind."""
        left = [task for task in self._tasks if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    @contextmanager
    def working(self) -> Generator[None]:
        """Keep the attempt going while something that is no step is awaited beside steps that wait."""
        self._attempt.begin_work()
        try:
            yield
        finally:
            self._attempt.end_work()

    async def perform(self, name: str, config: object, function: Callable[[JsDict], object]) -> JsValue:
        """Call a step's function once per journal entry; it is given what it may know about its attempt."""
        settings = rules.settings_of(name, config)
        await self.pause_point(name)
        self._done += 1
        if self._done > self._max_steps:
            raise rules.fatal(
                f"The limit of {self._max_steps} steps has been reached. This limit can be changed in your worker "
                "configuration."
            )
        key, count = self._key("do", name)
        try:
            stored = await self.do(key, self._call_of, (function, name, count, settings), settings.policy)
        except StepFailed as error:
            raise arriving(f"{name}-{count}", error, settings.timeout_ms) from error.__cause__
        return unpack(stored)

    async def _call_of(
        self, function: Callable[[JsDict], object], name: str, count: int, settings: StepSettings
    ) -> object:
        current = CURRENT_STEP.get()
        attempt = 1 if current is None else current.attempt
        about = JsDict(step=JsDict(name=name, count=count), attempt=attempt, config=settings.shown)
        try:
            result: Any = function(about)
            return pack(await result if is_awaitable(result) else result)
        except Exception as error:  # whatever the user's function raises
            raise leaving(error) from error

    async def _execute(
        self, name: str, decision: Any, function: Callable[..., Any], args: tuple[Any, ...], policy: StepPolicy
    ) -> Execution:
        await self.pause_point(name)
        return await super()._execute(name, decision, function, args, policy)

    async def sleep_for(self, name: str, duration: object) -> None:
        """Wait for so long."""
        await self.pause_point(name)
        key, _ = self._key("sleep", name)
        await self.sleep(key, rules.duration_ms(duration), is_relative=True)

    async def sleep_till(self, name: str, moment: object) -> None:
        """Wait until a moment, which must lie ahead when the wait begins."""
        await self.pause_point(name)
        key, _ = self._key("sleep", name)
        until_ms = rules.moment_ms(moment)
        if self._attempt.visit(key, "sleep") is None and until_ms < self._clock.now_ms():
            raise JsException("Error", "You can't sleep until a time in the past, time-traveler")
        await self.sleep(key, until_ms, is_relative=False)

    async def wait_for(self, name: str, event_type: str, timeout: object) -> JsValue:
        """Wait for an event of a type that was sent to the instance and not taken by another wait."""
        await self.pause_point(name)
        key, _ = self._key("event", name)
        timeout_ms = rules.duration_ms(timeout)
        entry = self._attempt.visit(key, "approval")
        if entry is not None and entry.state == "completed":
            return _event_of(entry)
        if entry is not None and entry.state == "failed":
            raise timed_out(timeout_ms)
        if entry is None:
            deadline_ms = self._clock.now_ms() + timeout_ms
            entry = self._attempt.journal(
                self._store.begin_step, Entry(key, "approval", "waiting", next_at_ms=deadline_ms)
            )
        return await self._take(name, event_type, entry, timeout_ms)

    async def _take(self, name: str, event_type: str, entry: Entry, timeout_ms: int) -> JsValue:
        began_ms, deadline_ms = self._pause.shift_ms, entry.next_at_ms or 0
        while True:
            await self.pause_point(name)
            event = self._next_event(event_type)
            if event is not None:
                # Taken and journaled in one commit, so that a crash keeps one or the other.
                done = replace(entry, state="completed", result=event, next_at_ms=None)
                return _event_of(self._attempt.journal(self._store.end_step, done))
            until_ms = deadline_ms + self._pause.shift_ms - began_ms
            if until_ms <= self._clock.now_ms():
                late = replace(entry, state="failed", error_name="WorkflowTimeoutError", next_at_ms=None)
                self._attempt.journal(self._store.end_step, late)
                raise timed_out(timeout_ms)
            await self._until_poked(entry.name, until_ms, "approval")

    def _next_event(self, event_type: str) -> str | None:
        try:
            return self._events.take(event_type)
        except StorageError as error:
            self._attempt.lose(error)

    async def pause_point(self, name: str) -> None:
        """Wait here while the instance is paused."""
        while self._pause.is_on:
            await self._until_poked(f"{name}|pause", None, "approval")

    async def _wait(self, name: str, until_ms: int | None, reason: WaitReason) -> None:
        began_ms = self._pause.shift_ms
        while until_ms is not None:
            await self.pause_point(name)
            end_ms = until_ms + self._pause.shift_ms - began_ms
            if end_ms <= self._clock.now_ms():
                return
            await self._until_poked(name, end_ms, reason)

    async def _until_poked(self, name: str, until_ms: int | None, reason: WaitReason) -> None:
        """Wait until a time, or until something happened that may concern this wait."""
        task = asyncio.current_task()
        with self._attempt.waiting(name, until_ms, reason) as poked:
            if task is not None:
                self._tasks.add(task)
            timer = None if until_ms is None else asyncio.ensure_future(self._ring(poked, until_ms))
            try:
                await poked.wait()
            finally:
                if task is not None:
                    self._tasks.discard(task)
                if timer is not None:
                    timer.cancel()
        self._attempt.is_poked = False

    async def _ring(self, bell: asyncio.Event, when_ms: int) -> None:
        await self._clock.sleep(max(when_ms - self._clock.now_ms(), 0) / 1000)
        bell.set()

    def _key(self, kind: str, name: object) -> tuple[str, int]:
        """The journal's key of the n-th step of a kind and a name."""
        plain = f"{kind}:{rules.check_name(name)}"
        count = self._counts[plain] = self._counts.get(plain, 0) + 1
        return f"{plain}-{count}", count


def _event_of(entry: Entry) -> JsValue:
    event: Any = unpack(loads(entry.result or "{}"))
    event["timestamp"] = datetime_of(event["timestamp"])
    return event
