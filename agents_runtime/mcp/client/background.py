"""Background work that ends with its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Background:
    """The background work of one connection.

    Args:
        spawn: the platform's; it keeps the agent in memory until the work ends.
    """

    def __init__(self, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._spawn = spawn
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_over = False

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`."""
        self._spawn(self._run(work))

    def end(self) -> None:
        """Cancel all of it but the task that calls this."""
        self._is_over = True
        for task in tuple(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await work
        except asyncio.CancelledError:
            if not self._is_over:
                raise
        finally:
            self._tasks.discard(task)
