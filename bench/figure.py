"""What the bench prints: figures of both sides with the wanted ratio, and what every measurement needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import LoadClient
from bench.process import Server
from bench.sides import Side


@dataclass(frozen=True)
class Figure:
    """One row: the same quantity on both sides, and what is wanted: a ratio, or a quantity of ours alone.

    Attributes:
        theirs: of the JavaScript SDK, or of the peer that is named.
        python: ours.
        at_least: the wanted ratio of ours to theirs.
        at_most: the same, for what should be small.
        no_less: the wanted quantity itself.
        no_more: the same, for what should be small.
        peer: what ours is beside; by default the JavaScript SDK.
        is_alone: whether the others have nothing like it.
    """

    what: str
    unit: str
    theirs: float | None
    python: float | None
    at_least: float | None = None
    at_most: float | None = None
    no_less: float | None = None
    no_more: float | None = None
    note: str = ""
    peer: str = ""
    is_alone: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours to theirs."""
        return self.python / self.theirs if self.theirs and self.python is not None else None

    @property
    def target(self) -> str:
        """What is wanted, for people."""
        wanted = (("≥", self.at_least, "x"), ("≤", self.at_most, "x"), ("≥", self.no_less, ""), ("≤", self.no_more, ""))
        said = [f"{sign} {value:,g}{times}" for sign, value, times in wanted if value is not None]
        return ", ".join(said) or "works"

    @property
    def is_met(self) -> bool:
        """Whether it is as wanted; when nothing is, whether ours works at all."""
        if self.python is None:
            return False
        if self.at_least is None and self.at_most is None:
            return _is_within(self.python, self.no_less, self.no_more)
        return self.ratio is not None and _is_within(self.ratio, self.at_least, self.at_most)


def _is_within(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


@dataclass(frozen=True)
class Bench:
    """Everything a measurement needs."""

    sides: list[Side]
    client: LoadClient
    rounds: int
    quick: bool
    lab: Path

    def size(self, n: int) -> int:
        """The number of operations of a load; a tenth when only trying things out."""
        return max(n // 10, 50) if self.quick else n

    @contextmanager
    def servers(self, *, live: bool = False) -> Iterator[dict[str, Server]]:
        """Both sides, running side by side on empty stores."""
        with ExitStack() as stack:
            yield {side.name: stack.enter_context(side.running(live=live)) for side in self.sides}
