"""Time for a local host: the system's, or a virtual clock that moves only when told."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A callback that will run at its time unless cancelled."""

    def cancel(self) -> None: ...


class HostClock(Protocol):
    """What a host needs of time. Milliseconds since the epoch."""

    def now_ms(self) -> int: ...
    async def sleep(self, seconds: float) -> None: ...
    def call_at_ms(self, when_ms: int, callback: Callable[[], None]) -> Timer:
        """Run `callback` on the event loop at or after `when_ms`, never before."""
        ...


class SystemClock:
    """The time of this machine."""

    LONGEST_WAIT_S = 3600.0
    """Timers wait at most so long at once, so that a changed system time is noticed."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def call_at_ms(self, when_ms: int, callback: Callable[[], None]) -> Timer:
        return _SystemTimer(self, when_ms, callback)


class _SystemTimer:
    """A timer that compares with the wall clock, since the loop's clock may disagree by milliseconds."""

    def __init__(self, clock: SystemClock, when_ms: int, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._when_ms = when_ms
        self._callback = callback
        self._loop = asyncio.get_running_loop()
        self._handle = self._wait()

    def _wait(self) -> asyncio.TimerHandle:
        delay_s = (self._when_ms - self._clock.now_ms()) / 1000
        return self._loop.call_later(min(max(delay_s, 0.0), SystemClock.LONGEST_WAIT_S), self._fire)

    def _fire(self) -> None:
        if self._clock.now_ms() < self._when_ms:
            self._handle = self._wait()
        else:
            self._callback()

    def cancel(self) -> None:
        self._handle.cancel()


class VirtualClock:
    """A clock for tests. `step` runs the next timer; nothing else makes time pass."""

    START_MS = 1_767_225_600_000
    """2026-01-01T00:00:00Z, so that a test's dates are readable."""

    def __init__(self, start_ms: int = START_MS) -> None:
        self._now_ms = start_ms
        self._timers: list[tuple[int, int, _VirtualTimer]] = []
        self._order = itertools.count()

    def now_ms(self) -> int:
        return self._now_ms

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        timer = self.call_at_ms(self._now_ms + max(round(seconds * 1000), 0), lambda: _wake(woken))
        try:
            await woken
        finally:
            timer.cancel()

    def call_at_ms(self, when_ms: int, callback: Callable[[], None]) -> Timer:
        timer = _VirtualTimer(callback)
        heapq.heappush(self._timers, (when_ms, next(self._order), timer))
        return timer

    def next_ms(self) -> int | None:
        """When the next timer is due, or None."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def step(self, until_ms: int) -> bool:
        """Run the first timer due by `until_ms`, moving time to it. False: none was due, time is `until_ms`."""
        due_ms = self.next_ms()
        if due_ms is None or due_ms > until_ms:
            self._now_ms = max(self._now_ms, until_ms)
            return False
        _, _, timer = heapq.heappop(self._timers)
        self._now_ms = max(self._now_ms, due_ms)
        timer.callback()
        return True


class _VirtualTimer:
    __slots__ = ("callback", "cancelled")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
