"""One test: the runtimes it made, the event loop it runs on, and what must hold when it ends.

A test that another plug-in runs (pytest-asyncio, anyio) keeps that plug-in's loop; the checks are the same.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from agents_runtime.testing.guard import NetworkGuard
from agents_runtime.testing.leaks import TaskWatch

if TYPE_CHECKING:
    from agents_runtime.testing.runtime import Runtime

T = TypeVar("T")


class TestSession:
    """What the fixtures of one test share."""

    __test__ = False

    def __init__(self, allow_hosts: list[str]) -> None:
        self.runtimes: list[Runtime] = []
        self._guard = NetworkGuard(allow_hosts)
        self._runner: asyncio.Runner | None = None
        self._context = contextvars.copy_context()

    @contextmanager
    def open(self) -> Generator[TestSession]:
        """Guard the network meanwhile; afterwards close the loop, if this session has one of its own."""
        self._guard.start()
        try:
            yield self
        finally:
            self._guard.stop()
            if self._runner is not None:
                self._runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on this test's own loop, made on first use and the same until the test is torn down."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(work, context=self._context)

    def watch(self, test: Callable[..., Awaitable[object]]) -> Callable[..., Coroutine[Any, Any, None]]:
        """`test`, followed on the same loop by the end of its runtimes and the checks."""

        @functools.wraps(test)
        async def watched(*args: object, **kwargs: object) -> None:
            with TaskWatch() as tasks:
                try:
                    await test(*args, **kwargs)
                except BaseException as failure:
                    await self._end_after(failure, tasks)
                    raise
                await self._end(tasks)

        return watched

    def on_new_loops(self, example: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
        """`example`, run on a new loop each time: hypothesis calls it often."""

        @functools.wraps(example)
        def run(*args: object, **kwargs: object) -> None:
            asyncio.run(example(*args, **kwargs))

        return run

    def fixture(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """An async fixture as a plain one that runs on this test's loop."""

        @functools.wraps(function)
        def plain(*args: object, **kwargs: object) -> object:
            return self.run(function(*args, **kwargs))

        @functools.wraps(function)
        def generator(*args: object, **kwargs: object) -> Iterator[object]:
            steps: AsyncGenerator[object, None] = function(*args, **kwargs)
            yield self.run(_next(steps))
            if self.run(_next(steps, _END)) is not _END:
                raise ValueError(f"the fixture {function.__name__} yields more than once")

        return generator if inspect.isasyncgenfunction(function) else plain

    async def _end(self, tasks: TaskWatch) -> None:
        problems = [problem for runtime in self.runtimes for problem in runtime.unexpected_errors()]
        tolerant = any(runtime.expects_errors for runtime in self.runtimes)
        where = "\n".join(runtime.describe(errors=False) for runtime in self.runtimes)
        for runtime in self.runtimes:
            await runtime.aclose()
        self.runtimes.clear()
        leaks = await tasks.finish()
        if not tolerant:
            problems += leaks
        if problems:
            pytest.fail("\n\n".join([*problems, where]), pytrace=False)

    async def _end_after(self, failure: BaseException, tasks: TaskWatch) -> None:
        for runtime in self.runtimes:
            for note in [*runtime.unexpected_errors(), runtime.describe(errors=False)]:
                if note not in str(failure) and note not in getattr(failure, "__notes__", ()):
                    failure.add_note(note)
            await runtime.aclose()
        self.runtimes.clear()
        for note in await tasks.finish():
            failure.add_note(note)


_END = object()


async def _next(steps: AsyncGenerator[object, None], *default: object) -> object:
    return await anext(steps, *default)


def is_async_test(function: Callable[..., object]) -> bool:
    """Whether a test function is a coroutine function, also behind hypothesis' `@given`."""
    return inspect.iscoroutinefunction(inner_test(function))


def inner_test(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function a test author wrote, under hypothesis' wrapper when there is one."""
    hypothesis = getattr(function, "hypothesis", None)
    return getattr(hypothesis, "inner_test", function)
