"""The two gates of an object: what may enter, and what may leave.

The output gate keeps the promise "durable first": all writes of one event-loop turn share one commit, and no
frame, reply or response leaves the object before the writes made ahead of it are committed. When a commit
fails nothing held back ever leaves. The input gate keeps events out while `blockConcurrencyWhile` runs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Committer(Protocol):
    """What the output gate drives: one object's database and whoever hangs on its commits."""

    def commit(self) -> bool:
        """Make the turn's writes durable. False: not now (a transaction spans turns), ask again later."""
        ...

    def commit_failed(self, error: BaseException) -> None:
        """Drop the object: its memory no longer matches its storage."""
        ...


class OutputGate:
    """Holds back effects until the writes before them are committed."""

    __slots__ = ("_committer", "_effects", "_is_scheduled", "_waiters", "is_dirty")

    def __init__(self, committer: Committer) -> None:
        self._committer: Committer | None = committer
        self._effects: list[tuple[Callable[[Any], object], Any]] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._is_scheduled = False
        self.is_dirty = False

    def mark_dirty(self) -> None:
        """Note a write; the commit follows when the callbacks of this event-loop turn have run.

        Also called when a transaction that spanned turns has ended.
        """
        if self._is_scheduled:
            return
        self.is_dirty = True
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # no loop, no turn: a standalone object commits on the next `committed()`
        self._is_scheduled = True
        loop.call_soon(self.flush)

    def emit(self, effect: Callable[[T], object], argument: T) -> None:
        """Call `effect(argument)` now, or in order after the pending commit."""
        if self.is_dirty:
            self._effects.append((effect, argument))
        else:
            effect(argument)

    async def committed(self) -> None:
        """Return when the writes made so far are durable; raise when they never will be."""
        if not self.is_dirty:
            return
        loop = asyncio.get_running_loop()
        if not self._is_scheduled:
            self._is_scheduled = True
            loop.call_soon(self.flush)
        waiter = loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def flush(self) -> None:
        """Commit now and let out what waited for it."""
        self._is_scheduled = False
        if not self.is_dirty or self._committer is None:
            return
        try:
            done = self._committer.commit()
        except BaseException as error:
            self._committer.commit_failed(error)
            return
        if not done:
            return  # `mark_dirty` is called again when the transaction ends
        self.is_dirty = False
        effects, self._effects = self._effects, []
        waiters, self._waiters = self._waiters, []
        for effect, argument in effects:
            effect(argument)
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def release(self) -> None:
        """Let go of the committer: nothing will be written any more."""
        self._committer = None

    def discard(self, error: BaseException) -> None:
        """Let nothing out: forget the effects, fail those who wait for the commit."""
        self.is_dirty = False
        self._effects.clear()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)


class InputGate:
    """Lets events in, in order of arrival, unless closed. Closing nests."""

    __slots__ = ("_depth", "_waiting")

    def __init__(self) -> None:
        self._depth = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_closed(self) -> bool:
        return self._depth > 0 or bool(self._waiting)

    def close(self) -> None:
        """Keep new events out until the matching `open`."""
        self._depth += 1

    def open(self) -> None:
        """Undo one `close`; when it was the last, the first event waiting goes in and pulls the next behind it."""
        self._depth -= 1
        self._release()

    async def enter(self) -> None:
        """Wait for the gate. Only called when `is_closed`."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        try:
            await turn
            while self._depth > 0:  # closed again by the event let in just before
                turn = loop.create_future()
                self._waiting.appendleft(turn)
                await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            raise
        finally:
            self._release()

    def fail(self, error: BaseException) -> None:
        """Turn away everything that waits."""
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_exception(error)

    def _release(self) -> None:
        while self._depth == 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
