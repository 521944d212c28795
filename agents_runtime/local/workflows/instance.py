"""One instance of a workflow: a hidden object that keeps its journal, and runs the workflow's code until it ends.

An attempt runs the code from the top. It ends when the code does, or when all of it waits; then the object may leave
memory, and its alarm or an event begins the next attempt. While one runs the alarm is due: after a crash it fires at
once. What the binding asks arrives as calls between objects.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from agents_runtime._platform.base import DurableObject, platform_of
from agents_runtime.local.environment import ExecutionContext
from agents_runtime.local.values import JsDict, JsException
from agents_runtime.local.values.types import datetime_of
from agents_runtime.local.workflows import rules
from agents_runtime.local.workflows.events import Events
from agents_runtime.local.workflows.failures import trace
from agents_runtime.local.workflows.journal import Pause, WorkflowAttempt, WorkflowSteps
from agents_runtime.local.workflows.step import WorkflowStep
from agents_runtime.local.workflows.values import pack, unpack
from agents_runtime.tasks.attempt import Completed, End, Failed, Suspended
from agents_runtime.tasks.engine import MAX_INTERRUPTIONS
from agents_runtime.tasks.errors import RecoveryExhausted
from agents_runtime.tasks.store import TaskStore

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, Platform
    from agents_runtime.tasks.models import TaskInfo
    from agents_runtime.tasks.store import Claim

logger = logging.getLogger("agents_runtime.local")

META = "workflow"
"""The key under which an instance keeps what is no step."""

RETRY_MS = 1_000
"""How long an instance waits whose journal could not be written."""

_STATUS = {"completed": "complete", "failed": "errored", "cancelled": "terminated", "pending": "queued"}


@dataclass(frozen=True, slots=True)
class Served:
    """A workflow of the worker.

    Attributes:
        name: its own name.
        cls: the class that the user wrote.
        is_implicit: whether the parameters of steps name the steps they depend on.
    """

    name: str
    cls: type[Any]
    max_steps: int = rules.MAX_STEPS
    is_implicit: bool = True


@dataclass(frozen=True, slots=True)
class _Around:
    """What an attempt needs of the object it runs in."""

    platform: Platform

    @property
    def clock(self) -> Clock:
        """Time."""
        return self.platform.clock

    def emit(self, event: str, payload: Mapping[str, Any], /) -> None:
        """Nobody listens to the steps of an instance."""


class WorkflowInstance(DurableObject):
    """One instance. Each workflow has a subclass of its own, whose objects are named by the ids of the instances."""

    served: ClassVar[Served]

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self._platform = platform_of(ctx, env)
        self._store = TaskStore(self._platform.sql, self._platform.kv)
        self._events = Events(self._platform.sql)
        self._pause = Pause(is_on=self._meta.get("paused_at") is not None)
        self._attempt: WorkflowAttempt | None = None
        self._working: asyncio.Future[None] | None = None

    # What is asked of it

    async def create(self, params: Any, retention: Any) -> None:
        """Begin the instance, unless there is one."""
        if self._meta:
            raise rules.workflow_error(
                "instance.already_exists", f'Workflow instance with id "{self._platform.id.name}" already exists'
            )
        success, error = _retention_of(retention)
        self._insert({"params": pack(params), "created": self._now_ms, "keep": {"complete": success, "errored": error}})

    async def exists(self) -> bool:
        """Whether there is an instance here."""
        return bool(self._meta)

    async def status(self) -> dict[str, Any]:
        """How far it is: `status`, `output`, `error`."""
        meta = self._found()
        run = self._run()
        output = unpack(run.result) if run.state == "completed" else None
        return {"status": self._status_of(run), "output": output, "error": meta.get("error")}

    async def pause(self) -> None:
        """Stop before the next step. A step that is under way ends first."""
        self._found()
        if not self._pause.is_on and not self._run().is_settled:
            self._keep(paused_at=self._now_ms)
            self._pause.is_on = True
            self._poke()

    async def resume(self) -> None:
        """Go on. What was left of waits is what is still to wait."""
        meta = self._found()
        run = self._run()
        if not self._pause.is_on or run.is_settled:
            status = self._status_of(run)
            raise rules.workflow_error("instance.cannot_resume", f'Cannot resume instance with status "{status}"')
        shift_ms = self._now_ms - int(meta["paused_at"])
        self._store.postpone(run.run_id, shift_ms)
        self._keep(paused_at=None)
        self._pause.is_on = False
        self._pause.shift_ms += shift_ms
        self._poke()
        self._begin()

    async def terminate(self, options: Any = None) -> None:
        """End it where it is."""
        self._found()
        run = self._run()
        if run.is_settled:
            raise rules.workflow_error(
                "instance.cannot_terminate", "Cannot terminate instance since its on a finite state"
            )
        self._cancel(run)
        self._keep(paused_at=None)
        self._pause.is_on = False
        self._expire("complete")

    async def restart(self, options: Any = None) -> None:
        """Forget everything it did and begin again."""
        meta = self._found()
        if options:
            raise rules.workflow_error("instance.cannot_restart", "a restart from a step is not available locally")
        run = self._run()
        if not run.is_settled:
            self._cancel(run)
        self._store.delete_one(run.run_id)
        self._events.clear()
        self._pause.is_on = False
        self._insert({**meta, "run": int(meta["run"]) + 1, "error": None, "paused_at": None})

    async def send_event(self, event: Any) -> None:
        """Keep an event for the first wait that asks for its type, now or later."""
        self._found()
        self._events.put(str(event["type"]), event.get("payload"), self._now_ms)
        if not self._run().is_settled:
            self._poke()
            self._begin()

    async def delete(self) -> None:
        """Remove every trace of it."""
        self._found()
        run = self._run()
        if not run.is_settled:
            self._cancel(run)
        self._platform.kv.delete(META)
        await self._platform.delete_all()

    async def alarm(self, info: Any = None) -> None:
        """Go on with what waited, or was interrupted."""
        meta = self._meta
        expires_ms = meta.get("expires")
        if expires_ms is not None and expires_ms <= self._now_ms:
            await self.delete()
        elif meta and not self._run().is_settled:
            self._begin()
            await self._attend()

    async def _attend(self) -> None:
        """Wait for the attempt under way to end. Until then the alarm counts as unhandled, and a crash repeats it."""
        stopping: asyncio.Event = self.env.agents_host.stopping
        while (working := self._working) is not None:
            if stopping.is_set():  # the host shall not wait for this, and the next one goes on at once
                self._platform.alarm.set_ms(self._now_ms)
                return
            stop: asyncio.Future[Any] = asyncio.ensure_future(stopping.wait())
            try:
                await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stop.cancel()

    # What it is

    @property
    def _now_ms(self) -> int:
        return self._platform.clock.now_ms()

    @property
    def _meta(self) -> dict[str, Any]:
        return dict(self._platform.kv.get(META) or {})

    def _keep(self, **changes: Any) -> None:
        self._platform.kv.put(META, {**self._meta, **changes})

    def _found(self) -> dict[str, Any]:
        meta = self._meta
        if not meta:
            raise rules.not_found()
        return meta

    def _run(self) -> TaskInfo:
        run = self._store.get(_run_id(self._meta))
        if run is None:
            raise rules.not_found()
        return run

    def _status_of(self, run: TaskInfo) -> str:
        attempt = self._attempt
        if run.is_settled or (run.state == "pending" and not self._pause.is_on):
            return _STATUS[run.state]
        if self._pause.is_on:
            return "waitingForPause" if attempt is not None and attempt.is_busy else "paused"
        is_waiting = attempt.is_waiting if attempt is not None else run.state == "waiting"
        return "waiting" if is_waiting else "running"

    # Running it

    def _insert(self, meta: dict[str, Any]) -> None:
        meta = {"run": 1, **meta, "expires": None}
        self._platform.kv.put(META, meta)
        self._store.insert(_run_id(meta), self.served.name, None, None, None, True, self._now_ms)
        self._begin()

    def _begin(self) -> None:
        """See to it that an attempt runs, now or after a crash."""
        self._platform.alarm.set_ms(self._now_ms)
        if self._working is None:
            self._working = asyncio.get_running_loop().create_future()
            self._platform.spawn(self._work())

    def _poke(self) -> None:
        if self._attempt is not None:
            self._attempt.poke()

    def _cancel(self, run: TaskInfo) -> None:
        self._store.cancel(run.run_id, None, self._now_ms)
        if self._attempt is not None:
            self._attempt.abandon()

    async def _work(self) -> None:
        try:
            while await self._attempt_once():
                pass
        except Exception:
            logger.exception("an instance of the workflow %r could not go on; it is tried again", self.served.name)
            self._platform.alarm.set_ms(self._now_ms + RETRY_MS)
        finally:
            working, self._working = self._working, None
            if working is not None and not working.done():
                working.set_result(None)

    async def _attempt_once(self) -> bool:
        """Run one attempt; whether another has to follow at once."""
        meta = self._meta
        claim = self._store.claim(_run_id(meta), self._now_ms) if meta else None
        if claim is None:
            return False
        attempt = WorkflowAttempt(
            claim,
            self.served.name,
            _Around(self._platform),
            cast("Any", None),  # no desk: what a workflow waits for are events
            self._store,
            self._store.steps(claim.run_id),
        )
        if self.env.agents_host.options.evict_before_every_event:
            attempt.rest_ms = 0
        self._attempt = attempt
        steps = WorkflowSteps(attempt, self._events, self._pause, self.served.max_steps)
        try:
            if claim.attempt > MAX_INTERRUPTIONS:
                end: End = Failed(RecoveryExhausted(f"the workflow {self.served.name!r}", MAX_INTERRUPTIONS))
            else:
                end = await attempt.run(self._call(steps, meta))
        finally:
            self._attempt = None
            await steps.stop()
        return self._close(claim, attempt, end)

    async def _call(self, steps: WorkflowSteps, meta: Mapping[str, Any]) -> Any:
        """The user's code, from the top."""
        event = JsDict(
            payload=unpack(meta["params"]),
            timestamp=datetime_of(meta["created"]),
            instanceId=self._platform.id.name,
            workflowName=self.served.name,
        )
        workflow = self.served.cls(ExecutionContext(self.env.agents_host), self.env)
        step = WorkflowStep(steps, is_implicit=self.served.is_implicit)
        result = await workflow.run(event, step)
        await steps.pause_point("end")
        return result

    def _close(self, claim: Claim, attempt: WorkflowAttempt, end: End) -> bool:
        now_ms = self._now_ms
        if isinstance(end, Completed):
            if self._store.settle(claim, "completed", end.result, None, now_ms):
                self._expire("complete")
        elif isinstance(end, Failed):
            if self._store.settle(claim, "failed", None, (type(end.error).__name__, ""), now_ms):
                self._keep(error=_failure_of(end.error))
                self._expire("errored")
        elif isinstance(end, Suspended):
            self._platform.alarm.set_ms(now_ms if attempt.is_poked else end.wake_ms)
            return self._store.suspend(claim, end.wake_ms, end.reason, now_ms) and attempt.is_poked
        elif end.error is not None:
            logger.warning("the journal of a workflow could not be written (%s); it goes on later", end.error)
            self._platform.alarm.set_ms(now_ms + RETRY_MS)
        else:
            return bool(self._meta) and not self._run().is_settled  # it was restarted
        return False

    def _expire(self, status: str) -> None:
        """The instance has ended: it is kept for a time."""
        expires_ms = self._now_ms + int(self._meta["keep"][status])
        self._keep(expires=expires_ms)
        self._platform.alarm.set_ms(expires_ms)


def _run_id(meta: Mapping[str, Any]) -> str:
    return f"run-{meta['run']}" if meta else ""


def _retention_of(retention: Any) -> tuple[int, int]:
    given = dict(retention or {})
    return (
        rules.duration_ms(given.get("successRetention", rules.RETENTION_MS)),
        rules.duration_ms(given.get("errorRetention", rules.RETENTION_MS)),
    )


def _failure_of(error: Exception) -> dict[str, str]:
    if isinstance(error, JsException):
        return {"name": error.name, "message": error.message}
    return {"name": "PythonError", "message": trace(error)}
