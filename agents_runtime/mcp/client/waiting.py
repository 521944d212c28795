"""Waiting with a limit, in the agent's own time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from agents_runtime.mcp.client.errors import McpTimeout

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock

T = TypeVar("T")


async def within(
    clock: Clock,
    seconds: float,
    what: str,
    work: Coroutine[Any, Any, T],
    is_excused: Callable[[], bool] = lambda: False,
) -> T:
    """Do `work`, and cancel it when it takes too long.

    Args:
        is_excused: whether the time is to be given once more when it is over.

    Raises:
        McpTimeout: naming `what`.
    """
    doing = asyncio.get_running_loop().create_task(work)
    timer = asyncio.get_running_loop().create_task(_wait(clock, seconds, is_excused))
    try:
        await asyncio.wait((doing, timer), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise McpTimeout(what, seconds)
    finally:
        doing.cancel()
        timer.cancel()
        await asyncio.gather(doing, timer, return_exceptions=True)


async def _wait(clock: Clock, seconds: float, is_excused: Callable[[], bool]) -> None:
    await clock.sleep(seconds)
    while is_excused():
        await clock.sleep(seconds)
