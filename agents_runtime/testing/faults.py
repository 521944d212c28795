"""Failures on demand: the n-th write or commit of a host is refused, or is the moment its process dies.

It counts all objects of a host together. Nothing is random: the same story makes the same writes.
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agents_runtime.errors import Evicted

Moment = Literal["write", "before commit", "after commit"]
"""Where a failure may strike. After a commit only a death makes sense: the disk has already said yes."""

PACKAGE = str(Path(__file__).parent.parent)


class InjectedFault(OSError):
    """Raised in place of a write or commit that a test wanted to fail; agents see the `StorageError` it becomes."""


class Killed(Evicted):
    """Raised where a test wanted the process to die, and at every later write: nothing is stored any more."""


@dataclass(frozen=True)
class FaultPoint:
    """One moment in a story at which something goes wrong.

    Attributes:
        moment: the kind of moment.
        number: which of them, counted from 1.
        kills: whether the process dies there, or the disk refuses.
    """

    moment: Moment
    number: int
    kills: bool = True

    def __str__(self) -> str:
        where = f"{self.moment} {self.number}"
        return f"killed at {where}" if self.kills else f"refused {where.removeprefix('before ')}"


class FaultPlan:
    """The `Faults` of one host: counts writes and commits, and fails where it was told to.

    Attributes:
        counts: how many moments of each kind have passed.
        struck: the point that was reached last, or None.
        struck_at: source lines of the code that was writing then, outermost first, this package left out.
    """

    def __init__(self) -> None:
        self.counts: dict[Moment, int] = {"write": 0, "before commit": 0, "after commit": 0}
        self.struck: FaultPoint | None = None
        self.struck_at: list[str] = []
        self.on_strike: Callable[[], None] | None = None
        self._points: list[FaultPoint] = []
        self._is_dead = False

    @property
    def total(self) -> int:
        """How many moments of any kind have passed."""
        return sum(self.counts.values())

    def add(self, point: FaultPoint) -> None:
        """Fail at a point, counted from the beginning of the host."""
        self._points.append(point)

    def add_next(self, moment: Moment, number: int) -> FaultPoint:
        """Refuse the n-th moment of this kind from now on."""
        point = FaultPoint(moment, self.counts[moment] + number, kills=False)
        self._points.append(point)
        return point

    def revive(self) -> None:
        """Store again: the process was started anew."""
        self._is_dead = False
        self._points.clear()

    def before_write(self) -> None:
        """Count a write statement, which has not happened yet."""
        self._pass("write")

    def before_commit(self) -> None:
        """Count a commit, which has not happened yet."""
        self._pass("before commit")

    def after_commit(self) -> None:
        """Count a commit that is durable, and that nobody has been told of."""
        self._pass("after commit")

    def _pass(self, moment: Moment) -> None:
        if self._is_dead:
            raise Killed("the process was killed by the test")
        self.counts[moment] += 1
        for point in self._points:
            if (point.moment, point.number) == (moment, self.counts[moment]):
                self._strike(point)

    def _strike(self, point: FaultPoint) -> None:
        self.struck = point
        self.struck_at = _user_lines()
        self._is_dead = point.kills
        if self.on_strike is not None:
            self.on_strike()
        if not point.kills:
            raise InjectedFault(errno.EIO, f"the test let this fail: {point}")
        raise Killed(f"the process was killed by the test: {point}")


def _user_lines() -> list[str]:
    frames = [frame for frame in traceback.extract_stack() if not _is_machinery(frame.filename, frame.name)]
    return [f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames[-3:]]


def _is_machinery(filename: str, name: str) -> bool:
    return (
        name == "<module>"
        or filename.startswith((PACKAGE, "<"))
        or any(
            part in filename
            for part in ("/asyncio/", "/_pytest/", "/pluggy/", "/site-packages/", "/runpy.py", "/pytest/")
        )
    )
