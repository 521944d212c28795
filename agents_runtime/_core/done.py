"""An awaitable that is done: what verbs return that act at once and may be awaited all the same."""

from __future__ import annotations

from collections.abc import Iterator


class Done:
    """Awaiting it takes no time and gives None. Not awaiting it is fine."""

    __slots__ = ()

    def __await__(self) -> Iterator[None]:
        return iter(())

    def __repr__(self) -> str:
        return "<done>"


DONE = Done()
