"""Waiting with a limit, in the agent's own time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from agents_runtime.mcp.client.errors import McpTimeout

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock

T = TypeVar("T")


async def within(clock: Clock, seconds: float, what: str, work: Coroutine[Any, Any, T]) -> T:
    """Do `work`, and cancel it when it takes too long.

    Raises:
        McpTimeout: naming `what`.
    """
    doing = asyncio.get_running_loop().create_task(work)
    timer = asyncio.get_running_loop().create_task(clock.sleep(seconds))
    try:
        await asyncio.wait((doing, timer), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise McpTimeout(what, seconds)
    finally:
        doing.cancel()
        timer.cancel()
        await asyncio.gather(doing, timer, return_exceptions=True)
