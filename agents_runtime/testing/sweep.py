"""The crash sweep: a story is interrupted at every write and every commit in turn, and must lose nothing.

Exhaustive and without chance: the undisturbed run counts the points, each further run interrupts one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from agents_runtime.errors import UsageError
from agents_runtime.testing.faults import FaultPoint

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from agents_runtime.testing.runtime import Runtime

T = TypeVar("T")

RUN_LIMIT_S = 30.0
"""Real seconds for one run of a story, and for one check of the invariant."""

TURNS_AFTER_DEATH = 20
"""Turns of the loop in which an acknowledgement that should not leave is still seen to leave."""

STUCK_AFTER_S = 0.2
"""Real seconds after which a story that makes no progress since a refusal counts as over: nobody will answer it."""


@dataclass(frozen=True)
class SweepReport:
    """What a crash sweep went through.

    Attributes:
        writes: write statements in the undisturbed story.
        commits: commits in it.
        runs: how often the story was told.
    """

    writes: int
    commits: int
    runs: int


@dataclass(frozen=True)
class Sweep(Generic[T]):
    """A story, what must hold after it, and fresh runtimes to tell it in."""

    make: Callable[[], Runtime]
    story: Callable[[Runtime], AsyncIterator[T]]
    invariant: Callable[[Runtime, list[T]], Awaitable[None]]

    async def run_all(self, limit: int, only: FaultPoint | None, *, refuse_writes: bool) -> SweepReport:
        """Tell the story once undisturbed, then once for each point at which it can be interrupted."""
        writes, commits = await self.run(None)
        if not commits:
            raise UsageError("the story commits nothing, so there is nothing to sweep: let it change an agent")
        points = [only] if only else points_of(writes, commits, refuse_writes=refuse_writes)
        if len(points) > limit:
            raise UsageError(
                f"the story has {len(points)} points to interrupt ({writes} writes, {commits} commits), more than the "
                f"limit of {limit}: make it shorter, or pass `limit=`"
            )
        for point in points:
            await self.run(point)
        return SweepReport(writes, commits, runs=1 + len(points))

    async def run(self, point: FaultPoint | None) -> tuple[int, int]:
        """Tell the story with one interruption, restart, check. Returns the writes and commits it made."""
        runtime = self.make()
        runtime.expect_errors()
        acknowledged: list[T] = []
        try:
            await self._tell(runtime, point, acknowledged)
            counts = runtime.faults.counts
            made = counts["write"], counts["before commit"]
            await runtime.restart(crash=True)
            async with asyncio.timeout(RUN_LIMIT_S):
                await self.invariant(runtime, acknowledged)
            return made
        except Exception as error:
            error.add_note(_note(runtime, point, acknowledged))
            error.add_note(runtime.describe())
            raise
        finally:
            await runtime.aclose()

    async def _tell(self, runtime: Runtime, point: FaultPoint | None, acknowledged: list[T]) -> None:
        struck = asyncio.Event()
        runtime.faults.on_strike = struck.set
        if point is not None:
            runtime.faults.add(point)
        telling = asyncio.ensure_future(self._collect(runtime, acknowledged))
        striking = asyncio.ensure_future(struck.wait())
        try:
            await asyncio.wait({telling, striking}, timeout=RUN_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
            too_slow = not telling.done() and not struck.is_set()
            if point is not None and struck.is_set():
                await _aftermath(runtime, telling, point)
        finally:
            for task in (telling, striking):
                task.cancel()
            await asyncio.wait({telling, striking})
        if too_slow:
            raise AssertionError(f"the story did not end within {RUN_LIMIT_S:g} s")
        failure = None if telling.cancelled() else telling.exception()
        if failure is not None and not struck.is_set():
            raise failure

    async def _collect(self, runtime: Runtime, acknowledged: list[T]) -> None:
        told = cast("AsyncGenerator[T, Any]", self.story(runtime))
        async with aclosing(told):
            async for fact in told:
                acknowledged.append(fact)  # noqa: PERF401 - one by one: an interruption must not lose them


async def _aftermath(runtime: Runtime, telling: asyncio.Future[None], point: FaultPoint) -> None:
    """Let a killed story show what leaks out, and a refused one go on as long as it can."""
    if point.kills:
        for _ in range(TURNS_AFTER_DEATH):
            await asyncio.sleep(0)
        return
    while not telling.done():
        before = runtime.faults.total
        await runtime.settle()
        await asyncio.wait({telling}, timeout=STUCK_AFTER_S)
        if runtime.faults.total == before:
            return


def points_of(writes: int, commits: int, *, refuse_writes: bool) -> list[FaultPoint]:
    """Every point at which a story with so many writes and commits can be interrupted."""
    killed = [FaultPoint("write", number) for number in range(1, writes + 1)]
    for number in range(1, commits + 1):
        killed += [FaultPoint("before commit", number), FaultPoint("after commit", number)]
    refused = [FaultPoint("before commit", number, kills=False) for number in range(1, commits + 1)]
    if refuse_writes:
        refused += [FaultPoint("write", number, kills=False) for number in range(1, writes + 1)]
    return killed + refused


def _note(runtime: Runtime, point: FaultPoint | None, acknowledged: list[Any]) -> str:
    if point is None:
        headline = "Crash sweep: the story was not interrupted; the host was restarted after it."
        return "\n".join((headline, f"Acknowledged: {acknowledged!r}"))
    lines = [f"Crash sweep: the story was {point}."]
    if runtime.faults.struck is None:
        lines.append("That point was never reached: the story does not do the same each time.")
    lines += [f"  {line}" for line in runtime.faults.struck_at or ["(a write or commit of the host itself)"]]
    lines.append(f"Acknowledged before that: {acknowledged!r}")
    lines.append(f"To run only this one: `await runtime.crash_sweep(story, invariant, only={point!r})`")
    return "\n".join(lines)
