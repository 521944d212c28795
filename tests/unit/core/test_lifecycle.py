"""One start for all who wait, failures shared, the next one tries again."""

from __future__ import annotations

import asyncio

import pytest

from agents_runtime._core.lifecycle import Lifecycle
from agents_runtime.errors import RetryableError


class Starting:
    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.attempts = 0
        self.gate = asyncio.Event()

    async def __call__(self):
        self.attempts += 1
        await self.gate.wait()
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_everyone_shares_one_attempt():
    start = Starting(None)
    lifecycle = Lifecycle(start, None)
    waiting = [asyncio.ensure_future(lifecycle.ensure_started()) for _ in range(3)]
    await turns()
    assert not lifecycle.is_started
    start.gate.set()
    await asyncio.gather(*waiting)
    await lifecycle.ensure_started()
    assert (start.attempts, lifecycle.is_started) == (1, True)


async def test_a_failure_is_shared_and_the_next_event_tries_again():
    start = Starting(RuntimeError("no"), None)
    lifecycle = Lifecycle(start, None)
    waiting = [asyncio.ensure_future(lifecycle.ensure_started()) for _ in range(3)]
    await turns()
    start.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [str(result) for result in results] == ["no"] * 3
    await lifecycle.ensure_started()
    assert start.attempts == 2


async def test_when_the_first_is_cancelled_another_takes_over():
    start = Starting(None, None)
    lifecycle = Lifecycle(start, None)
    first = asyncio.ensure_future(lifecycle.ensure_started())
    await turns()
    second = asyncio.ensure_future(lifecycle.ensure_started())
    await turns()
    first.cancel()
    await turns()
    start.gate.set()
    await second
    assert lifecycle.is_started
    assert start.attempts == 2
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_waiter_that_is_cancelled_disturbs_nobody():
    start = Starting(None)
    lifecycle = Lifecycle(start, None)
    first = asyncio.ensure_future(lifecycle.ensure_started())
    await turns()
    second = asyncio.ensure_future(lifecycle.ensure_started())
    await turns()
    second.cancel()
    await turns()
    start.gate.set()
    await first
    assert lifecycle.is_started


async def test_the_gate_never_sees_the_failure():
    seen = []

    async def gate(work):
        seen.append(await work())

    start = Starting(ValueError("kept inside"))
    start.gate.set()
    with pytest.raises(ValueError, match="kept inside"):
        await Lifecycle(start, gate).ensure_started()
    assert seen == [None]


async def test_after_its_end_nothing_enters():
    lifecycle = Lifecycle(nothing, None)
    await lifecycle.ensure_started()
    lifecycle.end()
    assert not lifecycle.is_started
    with pytest.raises(RetryableError):
        await lifecycle.ensure_started()


async def nothing():
    """Start with nothing to do."""
