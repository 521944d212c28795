"""Keeping an agent in memory while work goes on that no event waits for.

While it is held, the object is busy, and its alarm goes off every `keep_alive_interval_ms`: should it be lost all the
same, the alarm wakes it again, so that what recovers its work gets a chance. The count of holders is in memory: it is
lost with the object, and so is the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Self

from agents_runtime._core.capability import Capability
from agents_runtime._core.jobs.port import HOST, Job, Outcome, RescheduleAt

if TYPE_CHECKING:
    from types import TracebackType

    from agents_runtime._core.jobs.port import Jobs
    from agents_runtime._platform.ports import Clock

JOB_ID = "cf:keep-alive"
FN = "keepAlive"


class KeepAlive(Capability):
    """The holders of one agent."""

    def __init__(
        self, jobs: Jobs, clock: Clock, spawn: Callable[[Coroutine[Any, Any, Any]], None], interval_ms: int
    ) -> None:
        self._jobs = jobs
        self._clock = clock
        self._spawn = spawn
        self._interval_ms = interval_ms
        self._released: asyncio.Event | None = None
        self.holders = 0
        """How many hold the agent now."""
        jobs.register(HOST, self._beat, fn=FN)

    def hold(self) -> Hold:
        """Something to await or to enter; the agent is held from then on."""
        return Hold(self)

    def acquire(self) -> None:
        """Hold the agent."""
        self.holders += 1
        if self.holders == 1:
            self._jobs.push(HOST, FN, self._clock.now_ms() + self._interval_ms, job_id=JOB_ID)
            self._released = asyncio.Event()
            self._spawn(self._stay(self._released))

    def release(self) -> None:
        """Undo one `acquire`."""
        self.holders -= 1
        if self.holders == 0:
            self._jobs.cancel(HOST, JOB_ID)
            self._let_go()

    def _let_go(self) -> None:
        if self._released is not None:
            self._released.set()
            self._released = None

    async def _stay(self, released: asyncio.Event) -> None:
        """Background work: the object is not dropped while it goes on."""
        await released.wait()

    async def _beat(self, job: Job) -> Outcome:
        return RescheduleAt(self._clock.now_ms() + self._interval_ms) if self.holders else None

    async def on_destroy(self) -> None:
        """Let the object go."""
        self._let_go()


class Hold:
    """One holder. Await it and call it to let go, or use it as `async with`. Letting go twice is harmless."""

    __slots__ = ("_is_held", "_keeper")

    def __init__(self, keeper: KeepAlive) -> None:
        self._keeper = keeper
        self._is_held = False

    def __await__(self) -> Generator[Any, Any, Self]:
        yield from ()
        self._acquire()
        return self

    def __call__(self) -> None:
        """Let the agent go."""
        if self._is_held:
            self._is_held = False
            self._keeper.release()

    async def __aenter__(self) -> Self:
        self._acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self()

    def _acquire(self) -> None:
        if not self._is_held:
            self._is_held = True
            self._keeper.acquire()


async def while_held(keeper: KeepAlive, work: Callable[[], Any] | Awaitable[Any]) -> Any:  # noqa: ANN401 - the work's result
    """Hold the agent while `work` is done: a function, sync or async, or something to await."""
    async with keeper.hold():
        result: Any = work() if callable(work) else work
        return await result if hasattr(result, "__await__") else result
