"""Destroying an agent: everything it stored, its connections, its alarm, its memory. Also later, and after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from agents_runtime._core.capability import Capability
from agents_runtime._core.failures import DESTROYED

if TYPE_CHECKING:
    from agents_runtime._core.wakeups import Wakeups
    from agents_runtime._platform.ports import Clock, KeyValue, Platform

PENDING_KEY = "cf_agents_destroy_pending"
"""True while a destroy is under way, or the time in milliseconds when it is due."""

TURNS_TO_ANSWER = 4
"""Turns of the event loop that the event which destroyed the agent gets to deliver its answer."""


class Teardown(Capability):
    """The end of one agent. Once the marker is committed the destroy happens, whatever crashes in between."""

    def __init__(
        self, kv: KeyValue, clock: Clock, wakeups: Callable[[], Wakeups], destroy: Callable[[], Awaitable[None]]
    ) -> None:
        self._kv = kv
        self._clock = clock
        self._wakeups = wakeups
        self._destroy = destroy
        self._due_ms: int | None = None
        self._is_known = False

    def next_wake_ms(self) -> int | None:
        """When the agent is to be destroyed; None if it is not."""
        if not self._is_known:
            marker: Any = self._kv.get(PENDING_KEY)
            self._due_ms = None if marker is None else 0 if marker is True else int(marker)
            self._is_known = True
        return self._due_ms

    @property
    def is_pending(self) -> bool:
        """Whether the agent is to be destroyed, now or later."""
        return self.next_wake_ms() is not None

    def schedule(self, after_s: float) -> None:
        """Destroy the agent in so many seconds. Nothing takes that back; requests are served until then."""
        self._due_ms = self._clock.now_ms() + round(after_s * 1000)
        self._is_known = True
        self._kv.put(PENDING_KEY, self._due_ms)
        self._wakeups().refresh()

    async def run_if_due(self) -> None:
        """Destroy the agent if that is due."""
        due_ms = self.next_wake_ms()
        if due_ms is not None and due_ms <= self._clock.now_ms():
            await self.run()

    async def run(self) -> None:
        """Destroy the agent now."""
        self._kv.put(PENDING_KEY, True)
        self._due_ms, self._is_known = 0, True
        self._wakeups().refresh()
        await self._destroy()


async def leave_memory(platform: Platform) -> None:
    """Drop the object's memory once its deletion is durable and the event that asked for it was answered."""
    await platform.committed()
    loop = asyncio.get_running_loop()
    for _ in range(TURNS_TO_ANSWER):
        turn = asyncio.Event()
        loop.call_soon(turn.set)
        await turn.wait()
    platform.abort(DESTROYED, retry_alarm=False)
