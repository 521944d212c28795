"""Tells the user's code that the state has changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from agents_runtime.context import CURRENT, call_in, is_awaitable, run_in

if TYPE_CHECKING:
    from agents_runtime._core.peer import CurrentAgent


class ChangeHook:
    """Calls the user's hook at once, as JavaScript does; what the hook awaits goes on in the background.

    What it raises is reported and changes nothing: the state stays.

    Args:
        scope: who runs when nobody of this agent does, as when a client wrote the state.
        hook: finds the user's method.
        spawn: runs something in the background.
        report: tells the user's `on_error`.
    """

    __slots__ = ("_hook", "_report", "_scope", "_spawn")

    def __init__(
        self,
        scope: CurrentAgent,
        hook: Callable[..., object],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        report: Callable[[Exception], Coroutine[Any, Any, None]],
    ) -> None:
        self._scope = scope
        self._hook = hook
        self._spawn = spawn
        self._report = report

    def __call__(self, state: object, source: object) -> None:
        """Tell of a new state, and of whose it is."""
        current = CURRENT.get()
        scope = current if current.agent is self._scope.agent else self._scope
        try:
            work = call_in(scope, self._hook, state, source)
        except Exception as error:
            self._spawn(self._report(error))
            return
        if is_awaitable(work):
            self._spawn(self._finish(scope, work))

    async def _finish(self, scope: CurrentAgent, work: Awaitable[object]) -> None:
        try:
            await run_in(scope, lambda: work)
        except Exception as error:
            await self._report(error)
