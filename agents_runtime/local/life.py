"""One life of an object in memory, from construction to eviction.

A `Life` owns everything that vanishes on eviction: the user's instance, its context, the gates, the open
transaction, background tasks. It runs events and decides nothing about addresses or time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from agents_runtime.errors import Evicted
from agents_runtime.local.gates import InputGate, OutputGate
from agents_runtime.local.values import JsException

if TYPE_CHECKING:
    from agents_runtime.local.actor import Actor

T = TypeVar("T")

BLOCK_CONCURRENCY_LIMIT_S = 30.0
"""The platform's limit for one `blockConcurrencyWhile`."""

current_life: ContextVar[Life | None] = ContextVar("agents_runtime_current_life", default=None)
"""The life whose event is running in this task."""


class Life:
    """An object in memory."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.ended: Evicted | None = None
        self.output = OutputGate(self)
        self.input = InputGate()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.instance: Any = None
        self.open_streams = 0
        self._events: dict[int, asyncio.Task[Any] | None] = {}
        self._event_count = 0
        self._reset_error: Exception | None = None
        self._is_name_saved = actor.stored_name is None
        self.database = actor.host.store.open(actor.address, self.output.mark_dirty)
        self.alarm = actor.alarm_slot(self)

    # What the world asks of it

    @property
    def is_busy(self) -> bool:
        """Whether an event is being handled, a body streamed, or background work runs."""
        return bool(self._events or self.tasks or self.open_streams)

    @property
    def is_handling(self) -> bool:
        """Whether an event is being handled."""
        return bool(self._events)

    def check_alive(self) -> None:
        if self.ended is not None:
            raise self.ended

    async def run(self, call: Callable[[Any], Awaitable[T]]) -> T:
        """Run one event and return when its writes are committed.

        Raises what the event raised, or the reason of the reset when the object was dropped meanwhile.
        """
        self._event_count = number = self._event_count + 1
        task = asyncio.current_task()
        self._events[number] = task
        token = current_life.set(self)
        try:
            if self.input.is_closed:
                await self.input.enter()
            try:
                result = await call(self.instance)
            finally:
                if self.output.is_dirty:
                    await self.output.committed()
            if self._reset_error is not None:
                raise self._reset_error  # it was reset from within, and went on: its writes are lost
            return result
        except asyncio.CancelledError:
            if self._reset_error is None or task is None:
                raise
            task.uncancel()
            raise self._reset_error from None
        except Evicted:
            if self._reset_error is None:
                raise
            raise self._reset_error from None
        finally:
            current_life.reset(token)
            del self._events[number]
            if not self._events:
                self.settle()

    def settle(self) -> None:
        """Tell the host when nothing runs any more, so that the object can be evicted."""
        if not self.is_busy:
            self.actor.went_idle(self)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run `work` in the background; it keeps the object in memory until it ends."""
        self.check_alive()
        token = current_life.set(self)
        try:
            task = asyncio.get_running_loop().create_task(work)
        finally:
            current_life.reset(token)
        self.adopt(task)
        task.add_done_callback(self._report)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Count `task` as background work of this object."""
        if task not in self.tasks:
            self.tasks.add(task)
            task.add_done_callback(self._release)

    async def block_concurrency(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` while no other event enters; if it raises or takes too long, the object is reset."""
        self.check_alive()
        self.input.close()
        return await self.finish_blocking(work)

    async def finish_blocking(self, work: Callable[[], Awaitable[T]]) -> T:
        """The second half of `block_concurrency`: the gate is closed already."""
        try:
            async with asyncio.timeout(BLOCK_CONCURRENCY_LIMIT_S):
                return await work()
        except Exception as error:
            self.actor.reset(error)
            raise
        finally:
            self.input.open()

    # The gate's side

    def commit(self) -> bool:
        if self.database.is_held:
            return False
        if not self._is_name_saved:
            self._is_name_saved = True
            if self.database.get_meta("name") is None:
                self.database.put_meta("name", self.actor.stored_name or "")
        self.alarm.before_commit()
        self.database.commit()
        self.alarm.after_commit()
        return True

    def commit_failed(self, error: BaseException) -> None:
        self.actor.host.report(self.actor, "commit", error)
        self.actor.reset(error if isinstance(error, Exception) else JsException("Error", f"commit failed: {error}"))

    # The end

    def end(self, reason: str, error: Exception | None) -> None:
        """Make every handle on this life useless. With `error`, what still runs in it is cancelled with that error."""
        self.ended = Evicted(reason)
        self._reset_error = error
        if error is not None:
            self.output.discard(error)
            self.input.fail(error)
        self.database.retire(self.ended)
        if error is None:
            self._let_go()
            return
        current = _current_task()
        for task in (*self.tasks, *self._events.values()):
            if task is not None and task is not current and not task.done():
                task.cancel()

    def _let_go(self) -> None:
        """Undo the references that run in circles, so that memory is free at once and not at some later collection."""
        self.output.release()
        instance, self.instance = self.instance, None
        let_go = getattr(instance, "_left_memory", None)
        if let_go is not None:
            let_go()

    def _release(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        self.settle()

    def _report(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and self.ended is None:
            self.actor.host.report(self.actor, "background work", error)


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def install_task_factory(loop: asyncio.AbstractEventLoop) -> None:
    """Count tasks that an object's code starts as that object's background work."""
    former = loop.get_task_factory()
    if getattr(former, "agents_runtime", False):
        return

    def factory(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Future[Any]:
        task = asyncio.Task(work, loop=loop, **options) if former is None else former(loop, work, **options)
        life = current_life.get()
        if life is not None and life.ended is None and isinstance(task, asyncio.Task):
            life.adopt(task)
        return task

    factory.agents_runtime = True  # type: ignore[attr-defined] # marks our factory, so that it is installed once
    loop.set_task_factory(factory)
