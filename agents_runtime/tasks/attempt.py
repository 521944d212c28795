"""One attempt of one run: the task's code runs from the top, and each step consults and continues the journal.

An attempt ends when the code does, or when all of it waits for something that is not there yet: then the code is
cancelled, the run is stored as waiting, and a later attempt replays up to that point. A step's result is journaled
before the code sees it, and committed before the next step's function is called.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from agents_runtime._core.capability import DONE, Done
from agents_runtime._core.turns import NEXT_TURN
from agents_runtime.errors import DurabilityError, StorageError, UsageError
from agents_runtime.tasks.declare import MAX_NAME_CHARS, checked_json
from agents_runtime.tasks.errors import DuplicateStep, ReplayDiverged
from agents_runtime.tasks.models import MAX_STEPS, StepKind, WaitReason
from agents_runtime.tasks.step import StepContext

if TYPE_CHECKING:
    from agents_runtime._core.decisions import Desk
    from agents_runtime._core.jsonx import Json
    from agents_runtime._platform.ports import Clock, Platform
    from agents_runtime.tasks.journal import Entry
    from agents_runtime.tasks.store import Claim, TaskStore

logger = logging.getLogger("agents_runtime")

TURNS_OF_REST = 5
"""Turns of the loop without any progress after which code whose steps wait counts as waiting for nothing else."""

GRACE_S = 30.0
"""How long code that was cancelled may take to clean up, before the run goes on without it."""


class Around(Protocol):
    """What an attempt needs of the object it runs in."""

    @property
    def platform(self) -> Platform:
        """The platform."""
        ...

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    @property
    def emit(self) -> Callable[[str, Mapping[str, Json]], None]:
        """Tells an event: its type and its payload."""
        ...


@dataclass(frozen=True, slots=True)
class Completed:
    """The code returned."""

    result: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The code raised, or did what no task may."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Suspended:
    """All of the code waits; None: not for a time."""

    wake_ms: int | None
    reason: WaitReason


@dataclass(frozen=True, slots=True)
class Lost:
    """The run is no longer this attempt's, or its journal could not be written."""

    error: Exception | None


End = Completed | Failed | Suspended | Lost


class Attempt:
    """One attempt of one run."""

    def __init__(
        self, claim: Claim, task: str, around: Around, desk: Desk, store: TaskStore, entries: Mapping[str, Entry]
    ) -> None:
        self.run_id = claim.run_id
        self.interrupted = _interrupted(claim.run_id, entries.values())
        self.is_poked = False
        """Whether a decision arrived that nobody in this attempt has looked at."""
        self._claim = claim
        self._task = task
        self.around = around
        self.desk = desk
        self.clock = around.clock
        self.store = store
        self._entries = entries
        self._visited: set[str] = set()
        self._unvisited = len(entries)
        self._handler: asyncio.Task[Any] | None = None
        self._is_parallel = False
        self._working = 0
        self._waits: dict[str, tuple[int | None, WaitReason]] = {}
        self._signals: dict[str, asyncio.Event] = {}
        self._inside: set[asyncio.Task[Any]] = set()
        self._news = asyncio.Event()
        self._progress = 0
        self._doom: Exception | None = None
        self._lost: Lost | None = None
        self._is_over = False
        self._is_broken = False
        self._is_progress_noted = claim.attempt <= 1
        self._status: str | None = None

    # The whole of it

    async def run(self, work: Awaitable[Any]) -> End:
        """Run the code until it ends or all of it waits."""
        handler = self._handler = asyncio.ensure_future(work)
        handler.add_done_callback(self._stir)
        handler.add_done_callback(_forget)  # what it raised is looked at here, or the agent is gone
        has_ended = False
        try:
            while not (has_ended := handler.done()) and not self.is_ending:
                await self._news.wait()
                self._news.clear()
                if await self._is_at_rest(handler):
                    break
            waits = tuple(self._waits.values())
        finally:
            self._is_over = True
            await self.end({handler, *self._inside})
        if self._lost is not None:
            return self._lost
        if self._doom is not None:
            return Failed(self._doom)
        if not has_ended:
            return _suspension(waits)
        return self._verdict(handler)

    @property
    def is_ending(self) -> bool:
        """Whether the attempt ends, whatever its code does."""
        return self._is_over or self._lost is not None or self._is_broken

    def fail(self, error: Exception) -> None:
        """Fail the run without waiting for its code, which does not answer."""
        self._doom = self._doom or error
        self._is_broken = True
        self._stir()

    def abandon(self) -> None:
        """End the attempt: the run is settled."""
        self._lost = self._lost or Lost(None)
        self._stir()

    def poke(self) -> None:
        """Let the steps that wait for an approval look again."""
        self.is_poked = True
        for signal in self._signals.values():
            signal.set()

    def _verdict(self, handler: asyncio.Task[Any]) -> End:
        if handler.cancelled():
            return Failed(DurabilityError("the task was cancelled from within: something it awaited was cancelled"))
        error = handler.exception()
        if error is None:
            return self._completed(handler.result())
        if not isinstance(error, Exception):
            raise error
        return Failed(error)

    def _completed(self, result: object) -> Completed | Failed:
        if self._unvisited:
            missing = next(name for name in self._entries if name not in self._visited)
            return Failed(ReplayDiverged(missing, "was journaled and is not reached any more"))
        try:
            return Completed(checked_json(result, f"the result of the task {self._task!r}"))
        except UsageError as error:
            return Failed(error)

    async def _is_at_rest(self, handler: asyncio.Task[Any]) -> bool:
        for _ in range(TURNS_OF_REST):
            seen = self._progress
            if handler.done() or self._working or not self._waits:
                return False
            await NEXT_TURN
            if seen != self._progress:
                return False
        return not handler.done()

    async def end(self, tasks: set[asyncio.Task[Any]]) -> None:
        """Cancel what still runs, and give it time to clean up."""
        pending = {task for task in tasks if not task.done()}
        if not pending:
            return
        for task in pending:
            task.cancel()
        timer = asyncio.ensure_future(self.clock.sleep(GRACE_S))
        try:
            while pending and not timer.done():
                _, unfinished = await asyncio.wait({*pending, timer}, return_when=asyncio.FIRST_COMPLETED)
                pending = unfinished - {timer}
        finally:
            timer.cancel()
        if pending:
            logger.error("the task %r ignores its cancellation; the run %s goes on without it", self._task, self.run_id)

    def _stir(self, _: object = None) -> None:
        self._progress += 1
        self._news.set()

    # For the steps

    def idempotency_key(self, name: str) -> str:
        """The key of a step."""
        return f"{self.run_id}:{name}"

    def set_status(self, text: str) -> Done:
        """Note what the run says about itself, unless it only repeats what it did before."""
        if not self._unvisited and text != self._status and not self._is_over:
            self._status = text
            try:
                self.store.set_status(self._claim, str(text), self.clock.now_ms())
            except StorageError as error:
                self.lose(error)
        return DONE

    def visit(self, name: str, kind: StepKind) -> Entry | None:
        """Find a step in the journal, and see to it that the code does what it did before."""
        if self._is_over:
            raise asyncio.CancelledError
        if not _is_name(name):
            raise UsageError(f"a step's name is a text of 1 to {MAX_NAME_CHARS} characters, not {name!r}"[:300])
        if name in self._visited:
            self._condemn(DuplicateStep(name))
        self._visited.add(name)
        if asyncio.current_task() is not self._handler:
            self._is_parallel = True
        entry = self._entries.get(name)
        if entry is not None:
            self._unvisited -= 1
            if entry.kind != kind:
                self._condemn(ReplayDiverged(name, f"was journaled as {entry.kind!r} and is {kind!r} now"))
        elif len(self._visited) > MAX_STEPS:
            self._condemn(
                UsageError(f"a run has at most {MAX_STEPS:,} steps: let one step do more, or start more runs")
            )
        elif self._unvisited and not self._is_parallel:
            self._condemn(ReplayDiverged(name, "is new, where the journal goes on with others"))
        return entry

    def _condemn(self, error: Exception) -> NoReturn:
        """Fail the run, even if its code handles the error."""
        self._doom = self._doom or error
        raise error

    def journal(self, write: Callable[[Claim, Entry, int], bool], entry: Entry) -> Entry:
        """Write to the journal. If that cannot be done the attempt ends, whatever its code would do about it."""
        if self._is_over:
            raise asyncio.CancelledError
        try:
            if not self._is_progress_noted:
                self.store.note_progress(self._claim)
                self._is_progress_noted = True
            is_ours = write(self._claim, entry, self.clock.now_ms())
        except StorageError as error:
            self.lose(error)
        if not is_ours:
            self.lose(None)
        return entry

    def lose(self, error: Exception | None) -> NoReturn:
        """End the attempt where it is: the run is no longer ours, or its journal cannot be written."""
        self._lost = self._lost or Lost(error)
        self._stir()
        raise asyncio.CancelledError

    def tell(self, event: str, step: str, attempt: int) -> None:
        """Emit an event about a step."""
        payload: dict[str, Json] = {"runId": self.run_id, "definition": self._task, "step": step, "attempt": attempt}
        self.around.emit(f"task:step:{event}", payload)

    def begin_work(self) -> None:
        """Keep the attempt going while a step's function runs, until `end_work`."""
        self._working += 1
        task = asyncio.current_task()
        if task is not None and task is not self._handler:
            self._inside.add(task)

    def end_work(self) -> None:
        """Take note that a step's function has ended."""
        self._working -= 1
        task = asyncio.current_task()
        if task is not None:
            self._inside.discard(task)
        self._stir()

    @contextmanager
    def waiting(self, name: str, until_ms: int | None, reason: WaitReason) -> Generator[asyncio.Event]:
        """Let the attempt end while a step waits, if nothing else of it goes on. Gives what `poke` sets."""
        signal = self._signals[name] = asyncio.Event()
        self._waits[name] = (until_ms, reason)
        self._stir()
        try:
            yield signal
        finally:
            del self._waits[name], self._signals[name]
            self._stir()


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARS


def _suspension(waits: Iterable[tuple[int | None, WaitReason]]) -> Suspended:
    """Until when a run waits, and for what: the first of what its steps wait for."""
    first: Suspended | None = None
    for until_ms, reason in waits:
        if until_ms is not None and (first is None or first.wake_ms is None or until_ms < first.wake_ms):
            first = Suspended(until_ms, reason)
    return first or Suspended(None, "approval")


def _interrupted(run_id: str, entries: Iterable[Entry]) -> StepContext | None:
    for entry in entries:
        if entry.kind == "do" and entry.state == "running":
            return StepContext(run_id, entry.name, entry.attempt, f"{run_id}:{entry.name}")
    return None


def _forget(task: asyncio.Future[Any]) -> None:
    """Let work that was cancelled end without a word."""
    if not task.cancelled():
        task.exception()
