"""What `raw()` and `kv.list()` give: to be iterated once, or stepped with the platform's own `next()`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from agents_runtime.local.values import JsDict, JsValue

T = TypeVar("T")


class Steps(Generic[T]):
    """Items taken one by one. As on Workers this can be iterated but is no Python iterator: use `for` or `list`."""

    __slots__ = ("_take",)

    def __init__(self, take: Callable[[], T | None]) -> None:
        self._take = take

    def __iter__(self) -> Iterator[T]:
        while (item := self._take()) is not None:
            yield item

    def next(self) -> JsDict:
        """The next item as `{"done": False, "value": item}`, or `{"done": True, "value": None}`."""
        return step_of(self._take())


def step_of(item: JsValue) -> JsDict:
    """One step of a JavaScript iterator; None is the end."""
    return JsDict(done=item is None, value=item)
