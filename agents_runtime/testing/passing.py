"""Moves virtual time: runs every timer that falls due, in order, and lets the host settle after each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from agents_runtime.testing.reports import show_time

if TYPE_CHECKING:
    from agents_runtime.local.clock import VirtualClock

MAX_TIMERS = 100_000
"""Timers that one `advance` runs before it gives up."""

MAX_TIMERS_AT_ONCE = 1_000
"""Timers due at one and the same millisecond before `advance` gives up."""


class RunawayTimers(AssertionError):
    """Raised when time does not pass because timers keep setting new ones."""


class TimeMachine:
    """Moves one virtual clock.

    Args:
        settle: returns when nothing makes progress any more.
        armed: what has an alarm, and when, for the error message.
    """

    def __init__(
        self, clock: VirtualClock, settle: Callable[[], Awaitable[None]], armed: Callable[[], list[str]]
    ) -> None:
        self._clock = clock
        self._settle = settle
        self._armed = armed

    async def advance_to(self, until_ms: int, *, limit: int = MAX_TIMERS) -> None:
        """Let time pass until `until_ms`.

        Raises:
            RunawayTimers: more than `limit` timers, or too many at one moment.
        """
        total = at_once = 0
        await self._settle()
        while True:
            before_ms = self._clock.now_ms()
            if not self._clock.step(until_ms):
                return
            await self._settle()
            total += 1
            at_once = at_once + 1 if self._clock.now_ms() == before_ms else 1
            if at_once > MAX_TIMERS_AT_ONCE:
                raise RunawayTimers(self._failure(at_once, until_ms, "all due at the same moment"))
            if total > limit:
                raise RunawayTimers(self._failure(total, until_ms, "pass `limit=` if so many are meant"))

    def _failure(self, count: int, until_ms: int, remark: str) -> str:
        armed = ", ".join(self._armed()) or "no object"
        return (
            f"{count} timers ran and time stands at {show_time(self._clock.now_ms())}, on the way to "
            f"{show_time(until_ms)} ({remark}). An alarm that sets the next one too early does this. "
            f"Armed now: {armed}."
        )
