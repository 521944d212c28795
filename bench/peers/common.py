"""What the programs of the peers share: time and CPU of one piece of work, and one line of JSON with all of it."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from typing import Any

LIMIT_S = 120
POLL_S = 0.005


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measured(n: int, work: Callable[[], Any]) -> dict[str, float]:
    """Microseconds of wall time and of CPU time for each of `n` operations."""
    cpu, began = cpu_s(), time.perf_counter()
    work()
    wall = time.perf_counter() - began
    return {"wall_us": wall / n * 1e6, "cpu_us": max(cpu_s() - cpu, 1e-6) / n * 1e6}


def wait_until(done: Callable[[], bool]) -> None:
    end = time.perf_counter() + LIMIT_S
    while not done():
        if time.perf_counter() > end:
            raise TimeoutError(f"not done in {LIMIT_S} s")
        time.sleep(POLL_S)


def report(**figures: dict[str, float]) -> None:
    print(json.dumps(figures), flush=True)
