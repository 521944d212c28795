"""What may leave an object, and what may enter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agents_runtime.local.gates import InputGate, OutputGate


class Committer:
    def __init__(self) -> None:
        self.commits = 0
        self.error: BaseException | None = None
        self.failures: list[BaseException] = []
        self.on_failure: Callable[[BaseException], None] = lambda error: None
        self.is_held = False

    def commit(self) -> bool:
        if self.error is not None:
            raise self.error
        if self.is_held:
            return False
        self.commits += 1
        return True

    def commit_failed(self, error: BaseException) -> None:
        self.failures.append(error)
        self.on_failure(error)


async def test_effects_wait_for_the_commit_and_keep_their_order() -> None:
    committer, sent = Committer(), []
    gate = OutputGate(committer)
    gate.mark_dirty()
    gate.emit(sent.append, 1)
    gate.emit(sent.append, 2)
    assert sent == []
    await gate.committed()
    assert (sent, committer.commits) == ([1, 2], 1)


async def test_without_writes_effects_leave_at_once() -> None:
    committer, sent = Committer(), []
    gate = OutputGate(committer)
    gate.emit(sent.append, 1)
    await gate.committed()
    assert (sent, committer.commits) == ([1], 0)


async def test_writes_of_one_turn_share_a_commit() -> None:
    committer = Committer()
    gate = OutputGate(committer)

    async def write() -> None:
        gate.mark_dirty()
        await gate.committed()

    await asyncio.gather(*(write() for _ in range(20)))
    assert committer.commits == 1


async def test_nothing_leaves_when_the_commit_fails() -> None:
    committer, sent = Committer(), []
    gate = OutputGate(committer)
    committer.on_failure = gate.discard
    committer.error = OSError("disk full")
    gate.mark_dirty()
    gate.emit(sent.append, 1)
    with pytest.raises(OSError, match="disk full"):
        await gate.committed()
    assert [str(error) for error in committer.failures] == ["disk full"]
    assert sent == []


async def test_a_transaction_that_spans_turns_delays_the_commit() -> None:
    committer, sent = Committer(), []
    gate = OutputGate(committer)
    committer.is_held = True
    gate.mark_dirty()
    gate.emit(sent.append, 1)
    await asyncio.sleep(0.01)
    assert sent == []
    committer.is_held = False
    gate.mark_dirty()
    await gate.committed()
    assert (sent, committer.commits) == ([1], 1)


async def test_events_enter_in_order_when_the_gate_opens() -> None:
    gate = InputGate()
    entered: list[object] = []

    async def event(number: int) -> None:
        if gate.is_closed:
            await gate.enter()
        entered.append(number)
        if number == 1:
            gate.close()
            await asyncio.sleep(0.01)
            entered.append("opened")
            gate.open()

    gate.close()
    events = [asyncio.ensure_future(event(number)) for number in range(4)]
    await asyncio.sleep(0)
    assert entered == []
    gate.open()
    await asyncio.gather(*events)
    assert entered == [0, 1, "opened", 2, 3]


async def test_a_cancelled_event_does_not_block_the_next() -> None:
    gate = InputGate()
    gate.close()
    first, second = (asyncio.ensure_future(gate.enter()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    gate.open()
    await asyncio.wait_for(second, 1)
    assert first.cancelled()


async def test_waiting_events_are_turned_away_with_the_reason() -> None:
    gate = InputGate()
    gate.close()
    waiting = asyncio.ensure_future(gate.enter())
    await asyncio.sleep(0)
    gate.fail(RuntimeError("reset"))
    with pytest.raises(RuntimeError, match="reset"):
        await waiting
