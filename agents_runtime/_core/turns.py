"""Letting other events in: waiting for turns of the event loop, which takes next to no time."""

from __future__ import annotations

import sys
from collections.abc import Generator


class _NextTurn:
    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield


NEXT_TURN = _NextTurn()
"""`await NEXT_TURN` goes on in the next turn of the event loop; what was written so far is committed before it."""

TURNS_OF_AN_EVENT = 2 if sys.platform == "emscripten" else 8
"""So many turns a short event takes from its first byte to its answer, with the commit of what was written before. On
Workers a turn is a timer, which takes a hundred times as long; requests are read and writes committed without turns."""


async def let_others_in() -> None:
    """Give short events the time to come in and be answered, before more is done that keeps the loop busy.

    After a single turn an event would have taken its first step, and would then wait again at each of its others.
    """
    for _ in range(TURNS_OF_AN_EVENT):
        await NEXT_TURN
