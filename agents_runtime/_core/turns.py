"""Letting other events in: waiting for turns of the event loop, which takes no time."""

from __future__ import annotations

from collections.abc import Generator


class _NextTurn:
    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield


NEXT_TURN = _NextTurn()
"""`await NEXT_TURN` goes on in the next turn of the event loop; what was written so far is committed before it."""

TURNS_OF_AN_EVENT = 8
"""So many turns a short event takes from its first byte to its answer, with the commit of what was written before."""


async def let_others_in() -> None:
    """Give short events the time to come in and be answered, before more is done that keeps the loop busy.

    After a single turn an event would have taken its first step, and would then wait again at each of its others.
    """
    for _ in range(TURNS_OF_AN_EVENT):
        await NEXT_TURN
