"""What agents offer for work of their own: trying again, and staying in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from agents_runtime._core.capability import capability
    from agents_runtime._core.keep_alive import Hold, KeepAlive
    from agents_runtime._core.retry import Retrier

T = TypeVar("T")


class CoreVerbs:
    """The verbs of retries and of keep-alive."""

    __slots__ = ()

    if TYPE_CHECKING:
        _keep_alive: capability[KeepAlive]
        _retrier: capability[Retrier]

    @overload
    async def retry(
        self,
        work: Callable[..., Awaitable[T]],
        /,
        *,
        max_attempts: int | None = None,
        base_delay_ms: float | None = None,
        max_delay_ms: float | None = None,
        should_retry: Callable[[Exception, int], object] | None = None,
    ) -> T: ...
    @overload
    async def retry(
        self,
        work: Callable[..., T],
        /,
        *,
        max_attempts: int | None = None,
        base_delay_ms: float | None = None,
        max_delay_ms: float | None = None,
        should_retry: Callable[[Exception, int], object] | None = None,
    ) -> T: ...
    async def retry(
        self,
        work: Callable[..., Any],
        /,
        *,
        max_attempts: int | None = None,
        base_delay_ms: float | None = None,
        max_delay_ms: float | None = None,
        should_retry: Callable[[Exception, int], object] | None = None,
    ) -> Any:
        """Call a function until it succeeds: `await self.retry(lambda attempt: fetch(url), max_attempts=5)`.

        It is called with the number of the attempt, from 1, if it takes an argument. After the n-th failure it waits a
        random time of up to 2**n * base_delay_ms, and never more than max_delay_ms. The last error is raised unchanged.
        Nothing is stored: when the agent dies meanwhile, nobody goes on.

        Args:
            work: sync or async.
            max_attempts: 3 by default, like the others from `options["retry"]` of the class.
            base_delay_ms: 100 by default.
            max_delay_ms: 3,000 by default.
            should_retry: called with the error and the number of the next attempt; a false answer ends it. May be
                async.

        Raises:
            UsageError: `retry.<field> ...`: a value is out of range.
        """
        given = {"max_attempts": max_attempts, "base_delay_ms": base_delay_ms, "max_delay_ms": max_delay_ms}
        return await self._retrier.run(work, given, should_retry)

    def keep_alive(self) -> Hold:
        """Keep the agent in memory until it is let go: `async with self.keep_alive(): ...`.

        Or `let_go = await self.keep_alive()`, and later `let_go()`, which may be called twice. Holders are counted.
        They are forgotten when the agent is lost all the same (a crash, a new version of the code); an alarm wakes it
        then within `options["keep_alive_interval_ms"]`.
        """
        return self._keep_alive.hold()

    async def keep_alive_while(self, work: Callable[[], Any] | Awaitable[Any], /) -> Any:  # noqa: ANN401 - the work's result
        """Keep the agent in memory while `work` is done, a function or an awaitable, and return its result."""
        from agents_runtime._core.keep_alive import while_held

        return await while_held(self._keep_alive, work)
