"""An awaitable whose work is done: `await` returns at once and lets no other event in."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Finished(Coroutine[Any, Any, T], Generic[T]):
    """A finished result. Awaiting never yields to the event loop, and not awaiting loses nothing."""

    __slots__ = ("_result",)

    def __init__(self, result: T) -> None:
        self._result = result

    def __await__(self) -> Generator[Any, Any, T]:
        return self._result
        yield

    def send(self, value: object) -> None:
        raise StopIteration(self._result)

    def throw(self, *error: Any) -> None:
        raise error[0]

    def close(self) -> None:
        """Nothing is left to stop."""
