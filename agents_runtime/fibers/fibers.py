"""Runs fibers: long work whose interruption is noticed, whose notes are kept, and which is recovered by its name.

A fiber is a row while it runs. Should the agent lose its memory, the row stays and the next start finds it. Its code
cannot be stored: the recovery hook begins the work again from the last stash.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from agents_runtime._core.capability import Capability
from agents_runtime._core.ids import CONNECTION_ID_SIZE, nanoid
from agents_runtime._core.jsonx import dumps
from agents_runtime.errors import StorageError, UsageError
from agents_runtime.fibers.models import (
    CURRENT_FIBER,
    TERMINAL,
    Fiber,
    FiberConflict,
    FiberInfo,
    FiberRecovery,
    FiberStatus,
    checked_resolution,
)
from agents_runtime.fibers.recovery import Recovery
from agents_runtime.fibers.store import FiberStore

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._core.options import AgentOptions
    from agents_runtime._core.surroundings import Surroundings

logger = logging.getLogger("agents_runtime")

Work = Callable[..., Awaitable[Any]]
"""The function of a fiber: without arguments, or with the `Fiber`."""


class Fibers(Capability):
    """The fibers of one agent.

    Args:
        recovered: the user's hook for a fiber that was interrupted.
    """

    def __init__(
        self, around: Surroundings, options: AgentOptions, recovered: Callable[[FiberRecovery], object]
    ) -> None:
        self.store = FiberStore(around.platform.sql)
        self._around = around
        self._clock = around.platform.clock
        self._options = options
        self._active: dict[str, Fiber] = {}
        self._waiters: dict[str, list[asyncio.Future[None]]] = {}
        self._beat_ms: int | None = None
        self._is_closed = False
        self._recovery = Recovery(
            self.store,
            around,
            options,
            lambda recovery: around.call(recovered, recovery),
            self._release,
        )

    # Running

    async def run(self, name: str, work: Work) -> Any:  # noqa: ANN401 - what `work` gives
        """Run `work` as a fiber and give its result."""
        _check_name(name)
        fiber = self._make(nanoid(self._around.platform.entropy.random_bytes, CONNECTION_ID_SIZE), name)
        self.store.insert_run(fiber.id, name, self._clock.now_ms())
        return await self._run(fiber, work, is_managed=False)

    def start(
        self, name: str, work: Work, fiber_id: str | None, key: str | None, metadata: Mapping[str, object] | None
    ) -> FiberInfo:
        """Store a managed fiber and begin it in the background, unless there is one with its id or key."""
        _check_name(name)
        _check_text(fiber_id, "fiber_id")
        _check_text(key, "idempotency_key")
        known = self._known(fiber_id, key)
        if known is not None:
            return known
        text = None if metadata is None else dumps(metadata, "metadata")
        fiber = self._make(fiber_id or nanoid(self._around.platform.entropy.random_bytes, CONNECTION_ID_SIZE), name)
        self.store.insert_managed(fiber.id, name, key, text, self._clock.now_ms())
        self._enter(fiber)
        self._around.platform.spawn(self._run_managed(fiber, work))
        info = self.store.get(fiber.id)
        return replace(info or FiberInfo(fiber.id, name, "pending"), accepted=True)

    def _known(self, fiber_id: str | None, key: str | None) -> FiberInfo | None:
        by_id = None if fiber_id is None else self.store.get(fiber_id)
        by_key = None if key is None else self.store.get_by_key(key)
        if key is not None and fiber_id is not None:
            found = {info.fiber_id for info in (by_id, by_key) if info is not None}
            if found - {fiber_id} or (by_id is not None and by_id.idempotency_key not in (None, key)):
                raise FiberConflict(fiber_id, key)
        return by_id or by_key

    def _make(self, fiber_id: str, name: str) -> Fiber:
        return Fiber(self._around.agent, fiber_id, name, self.store.stash)

    def _enter(self, fiber: Fiber) -> None:
        self._active[fiber.id] = fiber
        if self._beat_ms is None:
            self._beat_ms = self._clock.now_ms() + self._around.interval_ms
        self._around.wake()

    def _leave(self, fiber: Fiber) -> None:
        fiber.is_over = True
        self._active.pop(fiber.id, None)
        if not self._active:
            self._beat_ms = None
            self._around.wake()

    async def _run(self, fiber: Fiber, work: Work, *, is_managed: bool) -> Any:  # noqa: ANN401 - what `work` gives
        """Run the function of a fiber; its row ends with it."""
        self._enter(fiber)
        began_ms = self._clock.now_ms()
        self._emit("run:started", fiber, is_managed)
        previous = CURRENT_FIBER.get()
        CURRENT_FIBER.set(fiber)
        try:
            result = await (work(fiber) if _takes_fiber(work) else work())
        except (Exception, asyncio.CancelledError) as error:
            self._end(fiber, "error", str(error), is_managed=is_managed)
            self._emit("run:failed", fiber, is_managed, error=str(error), elapsedMs=self._clock.now_ms() - began_ms)
            raise
        else:
            self._end(fiber, "completed", None, is_managed=is_managed)
            self._emit("run:completed", fiber, is_managed, elapsedMs=self._clock.now_ms() - began_ms)
            return result
        finally:
            CURRENT_FIBER.set(previous)
            self._leave(fiber)

    def _end(self, fiber: Fiber, status: FiberStatus, error: str | None, *, is_managed: bool) -> None:
        if self._is_closed:
            return
        now_ms = self._clock.now_ms()
        try:
            if is_managed:
                self.store.settle(fiber.id, status, error, now_ms)
            self.store.end_run(fiber.id, status, error, now_ms)
        except StorageError:
            self._recovery.next_ms = now_ms + self._around.interval_ms  # what is stored says that it still runs
            raise

    async def _run_managed(self, fiber: Fiber, work: Work) -> None:
        fiber.task = asyncio.current_task()
        try:
            await self._around.ready()
            if fiber.signal.is_set():
                self.store.end_run(fiber.id, "aborted", None, self._clock.now_ms())
                return
            self.store.start(fiber.id, self._clock.now_ms())
            await self._around.call(self._run, fiber, work, is_managed=True)
        except asyncio.CancelledError:
            if not fiber.signal.is_set():
                raise
        except Exception as error:
            if self._is_closed:
                return
            info = self.store.get(fiber.id)
            if info is not None and info.status not in TERMINAL:
                logger.exception(
                    "the fiber %r (%s) counts as interrupted: its end was not stored", fiber.name, fiber.id
                )
            elif not self._waiters.get(fiber.id):
                await self._around.report(error)
        finally:
            self._leave(fiber)
            self._release(fiber.id)

    def stash(self, data: object) -> None:
        """Keep how far the running fiber is."""
        fiber = CURRENT_FIBER.get()
        if fiber is None or fiber.owner is not self._around.agent:
            raise UsageError("stash keeps the progress of a fiber: call it inside run_fiber or start_fiber")
        fiber.stash(data)

    # Waiting for managed fibers, and ending them

    async def settled(self, started: FiberInfo) -> FiberInfo:
        """Wait until a managed fiber has ended, was cancelled or waits for a resolution."""
        fiber_id = started.fiber_id
        info = self._get(fiber_id)
        while fiber_id in self._active and info.status not in TERMINAL:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            waiters = self._waiters.setdefault(fiber_id, [])
            waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in waiters:
                    waiters.remove(waiter)
            info = self._get(fiber_id)
        return replace(info, accepted=started.accepted)

    def _get(self, fiber_id: str) -> FiberInfo:
        info = self.store.get(fiber_id)
        if info is None:
            raise UsageError(f"there is no fiber {fiber_id!r}; it may have been deleted")
        return info

    def _release(self, fiber_id: str) -> None:
        for waiter in self._waiters.pop(fiber_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    def cancel(self, info: FiberInfo | None, reason: str | None) -> bool:
        """Abort a managed fiber; False when there is none or it has ended."""
        if info is None or info.status in TERMINAL:
            return False
        self.store.settle(info.fiber_id, "aborted", reason, self._clock.now_ms())
        fiber = self._active.get(info.fiber_id)
        if fiber is not None:
            fiber.signal.set()
            if fiber.task is not None:
                fiber.task.cancel()
        self._release(info.fiber_id)
        return True

    def resolve(self, fiber_id: str, resolution: object) -> bool:
        """Say what became of an interrupted fiber; False when it is not interrupted."""
        checked = checked_resolution(resolution)
        info = self.store.get(fiber_id)
        if info is None or info.status != "interrupted":
            return False
        self.store.resolve(fiber_id, checked, self._clock.now_ms())
        return True

    def delete(self, statuses: tuple[FiberStatus, ...], settled_before: datetime | None, limit: int) -> int:
        """Delete managed fibers that do not run; returns how many."""
        if {"pending", "running"}.intersection(statuses):
            raise UsageError("a fiber that is pending or running cannot be deleted: cancel it first")
        return self.store.delete(statuses, settled_before, limit)

    # The phases

    async def on_start(self) -> None:
        """Recover what was interrupted, before the user's `on_start`."""
        if not self._options.recover_after_start:
            await self._recovery.scan(self._active)

    async def on_started(self) -> None:
        """Recover what was interrupted, after the user's `on_start`, where the class wants that."""
        if self._options.recover_after_start:
            await self._recovery.scan(self._active)

    async def on_alarm(self, now_ms: int) -> None:
        """Try again what could not be recovered, and see to the next alarm while fibers run."""
        if self._beat_ms is not None and self._beat_ms <= now_ms:
            self._beat_ms = now_ms + self._around.interval_ms
        due_ms = self._recovery.next_ms
        if due_ms is not None and due_ms <= now_ms:
            await self._recovery.scan(self._active)

    def next_wake_ms(self) -> int | None:
        """While fibers run, often enough that a crash is noticed; otherwise when a recovery is tried again."""
        wakes = [wake for wake in (self._beat_ms, self._recovery.next_ms) if wake is not None]
        return min(wakes, default=None)

    async def on_destroy(self) -> None:
        """End every fiber that runs in the background, and touch no row any more."""
        self._is_closed = True
        for fiber in tuple(self._active.values()):
            fiber.signal.set()
            if fiber.task is not None and fiber.task is not asyncio.current_task():
                fiber.task.cancel()

    def _emit(self, event: str, fiber: Fiber, is_managed: bool, **details: Json) -> None:
        payload: dict[str, Json] = {"fiberId": fiber.id, "fiberName": fiber.name, "managed": is_managed, **details}
        self._around.emit(f"fiber:{event}", payload)


def _takes_fiber(work: Work) -> bool:
    try:
        parameters = signature(work).parameters.values()
    except (TypeError, ValueError):
        return False
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return any(each.kind in kinds and each.default is Parameter.empty for each in parameters)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"a fiber's name is a text that says what work it is, not {name!r}"[:300])


def _check_text(value: object, what: str) -> None:
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise UsageError(f"{what} must be a text that is not blank, not {value!r}"[:300])
