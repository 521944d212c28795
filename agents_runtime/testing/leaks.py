"""Finds what a test leaves running on its event loop, and exceptions that nobody retrieved."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING, Any, Self

from agents_runtime.errors import Evicted

if TYPE_CHECKING:
    from types import TracebackType

GRACE_TURNS = 20
"""Turns of the loop that tasks which are just ending get to end."""

CANCEL_S = 2.0
"""Real seconds a cancelled task gets to clean up."""


class TaskWatch:
    """From `with` on: which tasks came up and stayed, and which exceptions were lost."""

    def __init__(self) -> None:
        self._lost: list[str] = []

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._before = asyncio.all_tasks()
        self._previous = self._loop.get_exception_handler()
        self._loop.set_exception_handler(self._on_lost)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._loop.set_exception_handler(self._previous)

    async def finish(self) -> list[str]:
        """Cancel what still runs; a description of each such task and of each lost exception."""
        for _ in range(GRACE_TURNS):
            if not self._leaked():
                return self._lost
            await asyncio.sleep(0)
        leaked = self._leaked()
        if not leaked:
            return self._lost
        problems = self._lost + sorted(map(describe_task, leaked))
        for task in leaked:
            task.cancel()
        _, stuck = await asyncio.wait(leaked, timeout=CANCEL_S)
        return problems + [f"A task went on after it was cancelled: {describe_task(task)}" for task in stuck]

    def _leaked(self) -> set[asyncio.Task[Any]]:
        leaked = asyncio.all_tasks() - self._before
        return {task for task in leaked if task is not asyncio.current_task()}

    def _on_lost(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Evicted):
            return  # an object was dropped on purpose
        text = str(context.get("message", "Unhandled error in the event loop"))
        if isinstance(error, BaseException):
            text += "\n" + "".join(traceback.format_exception(error)).rstrip()
        self._lost.append(text)


def describe_task(task: asyncio.Task[Any]) -> str:
    """Which coroutine a task runs, where it waits, and what to do about it."""
    coroutine = task.get_coro()
    name = getattr(coroutine, "__qualname__", repr(coroutine))
    text = f"A task was left running when the test ended: {name} ({task.get_name()})"
    stack = task.get_stack(limit=1)
    if stack:
        frame = stack[-1]
        text += f"\n  it waits at {frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_name}"
    return text + "\n  await it, cancel it, or let the object hold it with `ctx.waitUntil(...)`"
