"""What children say to their root, put back into order: each entry once, although it may come twice or out of turn."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

MAX_LIVES = 10_000
"""So many lives of children are followed. A child evicted in between starts a new one."""

MAX_WAITING = 256
"""So many entries of one life wait for one that is missing; then it is given up."""


class Inbox:
    """The entries of all children, by life."""

    def __init__(self) -> None:
        self._lives: OrderedDict[str, _Life] = OrderedDict()

    def take(self, life: str, entries: list[list[Any]]) -> list[list[Any]]:
        """Take in entries of one life, and return what is to be done now, in order, without its numbers."""
        known = self._lives.get(life)
        if known is None:
            known = self._lives[life] = _Life()
            if len(self._lives) > MAX_LIVES:
                self._lives.popitem(last=False)
        self._lives.move_to_end(life)
        return known.take(entries)


class _Life:
    """One life of a child. It may be known only from some entry on: this object may have slept meanwhile."""

    __slots__ = ("first", "late", "next", "waiting")

    def __init__(self) -> None:
        self.first = 0
        self.next = 0
        self.waiting: dict[int, list[Any]] = {}
        self.late: set[int] = set()

    def take(self, entries: list[list[Any]]) -> list[list[Any]]:
        if not self.first and entries:
            self.first = self.next = int(entries[0][0])
        ready: list[list[Any]] = []
        for number, *entry in entries:
            if number >= self.next:
                self.waiting[int(number)] = entry
            elif number < self.first and number not in self.late:
                self.late.add(int(number))
                ready.append(entry)
        if len(self.waiting) > MAX_WAITING and self.next not in self.waiting:
            self.next = min(self.waiting)  # what is missing will not come any more
        while self.next in self.waiting:
            ready.append(self.waiting.pop(self.next))
            self.next += 1
        return ready
