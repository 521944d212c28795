"""Letting other events in: waiting for one turn of the event loop, which takes no time."""

from __future__ import annotations

from collections.abc import Generator


class _NextTurn:
    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield


NEXT_TURN = _NextTurn()
"""`await NEXT_TURN` goes on in the next turn of the event loop; what was written so far is committed before it."""
