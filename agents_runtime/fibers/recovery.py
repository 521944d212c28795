"""Finds the fibers that were interrupted, and hands each to the recovery hook until it is dealt with.

At least once: the row goes when the hook has returned. A hook that raises is tried again, less and less often, until
the fiber is too old; one that takes the whole agent down is not tried for ever either.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from agents_runtime.fibers.models import TERMINAL, FiberRecovery, checked_resolution

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._core.options import AgentOptions
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime.fibers.store import FiberStore, Orphan

logger = logging.getLogger("agents_runtime")

LONGEST_WAIT_MS = 300_000
MAX_CRASHES = 5
"""So often the recovery of one fiber may take the agent down; then it is given up. The platform gives up an alarm that
took the object down seven times, so this has to be less."""

MISSES_KEY = "cf_agents:fiber_recovery_misses"
"""How many scans in a row recovered nothing, kept so that the waits grow through eviction."""


class Recovery:
    """The recovery of one agent's fibers.

    Args:
        hook: the user's hook.
        release: lets go whoever waits for a fiber.
    """

    def __init__(
        self,
        store: FiberStore,
        around: Surroundings,
        options: AgentOptions,
        hook: Callable[[FiberRecovery], Awaitable[Any]],
        release: Callable[[str], None],
    ) -> None:
        self._store = store
        self._platform = around.platform
        self._clock = around.clock
        self._interval_ms = around.interval_ms
        self._options = options
        self._hook = hook
        self._report = around.report
        self._emit = around.emit
        self._release = release
        self.next_ms: int | None = None
        """When the next scan is due; None: there is nothing left to recover."""

    async def scan(self, active: Collection[str]) -> None:
        """Recover every fiber that is stored as running and is not in `active`."""
        orphans = [orphan for orphan in self._store.orphans() if orphan.id not in active]
        if not orphans:
            self.next_ms = None
            return
        deadline_ms = self._clock.now_ms() + (self._options.fiber_recovery_scan_deadline_ms or LONGEST_WAIT_MS * 1000)
        done = left = 0
        for orphan in orphans:
            if self._clock.now_ms() >= deadline_ms:
                self._tell("recovery:skipped", orphan, reason="scan_deadline_exceeded")
                left += 1
            elif await self._recover(orphan):
                done += 1
            else:
                left += 1
        self._plan(left, has_progress=done > 0)

    def _plan(self, left: int, *, has_progress: bool) -> None:
        kv = self._platform.kv
        stored = kv.get(MISSES_KEY)
        before = stored if isinstance(stored, int) else 0
        misses = before + 1 if left and not has_progress else 0
        if misses != before:
            if misses:
                kv.put(MISSES_KEY, misses)
            else:
                kv.delete(MISSES_KEY)
        wait_ms = min(self._interval_ms << min(misses, 20), LONGEST_WAIT_MS)
        self.next_ms = self._clock.now_ms() + wait_ms if left else None

    async def _recover(self, orphan: Orphan) -> bool:
        """Deal with one fiber. False: it stays to be tried again."""
        if orphan.is_settled or orphan.status in TERMINAL:
            self._drop(orphan)
            return True
        is_managed = orphan.status is not None
        self._tell("recovery:detected", orphan, recoveryReason="interrupted")
        self._tell("run:interrupted", orphan, recoveryReason="interrupted")
        if is_managed:
            self._store.settle(orphan.id, "interrupted", None, self._clock.now_ms())
        if orphan.crashes >= MAX_CRASHES:
            return self._give_up(orphan, "crash_loop", f"its recovery took the agent down {orphan.crashes} times")
        self._store.count_crash(orphan)
        await self._platform.committed()
        self._tell("recovery:attempt", orphan, recoveryReason="interrupted")
        began_ms = self._clock.now_ms()
        try:
            result = await self._hook(_recovery_of(orphan))
            resolution = None if result is None or not is_managed else checked_resolution(result)
        except Exception as error:
            return await self._failed(orphan, error)
        if resolution is not None:
            self._store.resolve(orphan.id, resolution, self._clock.now_ms())
        self._drop(orphan)
        elapsed_ms = self._clock.now_ms() - began_ms
        self._tell("recovery:handled", orphan, elapsedMs=elapsed_ms, **_status_after(orphan, resolution))
        return True

    async def _failed(self, orphan: Orphan, error: Exception) -> bool:
        self._tell("recovery:failed", orphan, error=str(error))
        await self._report(error)
        now_ms = self._clock.now_ms()
        if orphan.status is not None:
            self._store.settle(orphan.id, "error", str(error), now_ms)
            self._drop(orphan)
            return True
        max_age_ms = self._options.fiber_recovery_max_age_ms
        if max_age_ms and now_ms - orphan.created_at_ms > max_age_ms:
            return self._give_up(orphan, "max_age_exceeded", "its recovery went on failing until it was too old")
        self._store.forget_crashes(orphan)
        return False

    def _give_up(self, orphan: Orphan, reason: str, text: str) -> bool:
        logger.error("the fiber %r (%s) is given up: %s", orphan.name, orphan.id, text)
        self._tell("recovery:skipped", orphan, reason=reason)
        if orphan.status is not None:
            self._store.settle(orphan.id, "error", text, self._clock.now_ms())
        self._drop(orphan)
        return True

    def _drop(self, orphan: Orphan) -> None:
        if orphan.has_run:
            self._store.end_run(orphan.id, "recovered", None, self._clock.now_ms())
        self._release(orphan.id)

    def _tell(self, event: str, orphan: Orphan, **details: Json) -> None:
        payload: dict[str, Json] = {
            "fiberId": orphan.id,
            "fiberName": orphan.name,
            "managed": orphan.status is not None,
            **details,
        }
        self._emit(f"fiber:{event}", payload)


def _recovery_of(orphan: Orphan) -> FiberRecovery:
    return FiberRecovery(
        orphan.id,
        orphan.name,
        orphan.snapshot,
        orphan.created_at_ms,
        status=None if orphan.status is None else "interrupted",
        idempotency_key=orphan.idempotency_key,
        metadata=orphan.metadata,
    )


def _status_after(orphan: Orphan, resolution: Mapping[str, object] | None) -> dict[str, Json]:
    if orphan.status is None:
        return {}
    return {"status": "interrupted" if resolution is None else str(resolution.get("status"))}
