"""Where the local host differs from Workers on purpose. `scripts/platform_differences.py` makes the page from this.

A difference that a test can show is declared on that test with `@differs`; the test then says what each host does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., object])


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same.

    Attributes:
        about: the subject, as a heading.
        workers: what Workers does.
        local: what the local host does.
        why: why it stays so, and what to do in code that runs on both.
    """

    about: str
    workers: str
    local: str
    why: str


def differs(about: str, *, workers: str, local: str, why: str) -> Callable[[Test], Test]:
    """Declare a difference on the test that shows it."""
    return pytest.mark.differs(Difference(about, workers, local, why))


NOT_TESTED = (
    Difference(
        about="Seldom used parts of Workflows",
        workers="Restart from a step, rollbacks, a function as `delay`, streams as results, `subscribe`, `schedules`.",
        local="Refused, or not there. Steps, retries, waits, events, batches and control are the same.",
        why="The SDK offers Python code only some of them. The contract suite holds the rest to both hosts.",
    ),
    Difference(
        about="Machine limits",
        workers="128 MB of memory for all objects of an isolate, limited CPU time per event, 1,000 subrequests.",
        local="None of these limits; one object may have up to 2 GB of storage in either place.",
        why="They are the machine's, not the program's: measure a deploy, do not guess from a laptop.",
    ),
    Difference(
        about="Where objects are",
        workers="Each object lives in one place of the world; `locationHint` and jurisdictions choose it.",
        local="All objects live in one process; both are accepted, and a jurisdiction gives ids of its own.",
        why="There is one machine.",
    ),
    Difference(
        about="The clock",
        workers="It stands still between two pieces of I/O once deployed.",
        local="It moves all the time.",
        why="Stopping it would make every log and every measurement on a laptop wrong. Never wait by looking at it.",
    ),
    Difference(
        about="Entropy, timers and I/O while the main module is imported",
        workers="Refused, and the clock says 1970.",
        local="They work.",
        why="Other packages of a laptop's Python ask for entropy while they are imported. Do such work in `on_start`.",
    ),
    Difference(
        about="Threads and subprocesses",
        workers="`threading.Thread.start` and `subprocess` raise.",
        local="They work.",
        why="They are Python's own. Code that runs on both uses neither.",
    ),
    Difference(
        about="JavaScript",
        workers="`import js` and `import pyodide` give its objects.",
        local="There are no such modules.",
        why="There is no JavaScript engine. `self.ctx`, `self.env` and the `workers` module are the same on both.",
    ),
)
"""What no test on one machine can show."""
