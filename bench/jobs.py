"""Loads of schedules and queue items, made by requests to one agent each. Each time on a new agent."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from bench.load import LoadError
from bench.process import TICKS_PER_S, Server

LIMIT_S = 120
POLL_S = 0.002


@dataclass(frozen=True)
class Created:
    """Microseconds for each of the operations of one load."""

    wall_us: float
    cpu_us: float


@dataclass(frozen=True)
class Fired:
    """One burst of schedules that were due together."""

    per_s: float
    longest_wait_ms: float


def create(server: Server, agent: str, n: int) -> Created:
    """Create `n` schedules for in an hour, one by one in one call."""
    before_s, began = server.cpu_s(), time.perf_counter()
    server.get(f"{agent}?op=schedule&n={n}", timeout_s=LIMIT_S)
    return _each(server, before_s, began, n)


def process(server: Server, agent: str, n: int) -> Created:
    """Queue `n` items in one call, and wait until all have run."""
    before_s, began = server.cpu_s(), time.perf_counter()
    server.get(f"{agent}?op=queue&n={n}", timeout_s=LIMIT_S)
    while _hits(server, agent) < n:
        _check(began)
        time.sleep(0.02)
    return _each(server, before_s, began, n)


def fire(server: Server, agent: str, n: int) -> Fired:
    """Create `n` schedules for one moment, and ask the agent all the time how many have run."""
    due_s = int(time.time()) + 3
    server.get(f"{agent}?op=schedule&n={n}&at={due_s}", timeout_s=LIMIT_S)
    if time.time() > due_s - 0.1:
        raise LoadError(f"{n} schedules could not be created in time")
    time.sleep(max(due_s - time.time() - 0.05, 0))
    began = asked = time.perf_counter()
    longest_s = 0.0
    while (hits := _hits(server, agent)) < n:
        if hits:
            longest_s = max(longest_s, time.perf_counter() - asked)
        _check(began)
        time.sleep(POLL_S)
        asked = time.perf_counter()
    took_s = max(time.time() - due_s, 0.001)
    longest_s = max(longest_s, time.perf_counter() - asked)
    return Fired(n / took_s, longest_s * 1000)


def _hits(server: Server, agent: str) -> int:
    return int(json.loads(server.get(f"{agent}?op=hits", timeout_s=LIMIT_S))["hits"])


def _check(began: float) -> None:
    if time.perf_counter() - began > LIMIT_S:
        raise LoadError(f"not done in {LIMIT_S} s")


def _each(server: Server, before_s: float, began: float, n: int) -> Created:
    wall_s = time.perf_counter() - began
    cpu_s = max(server.cpu_s() - before_s, 1 / TICKS_PER_S)
    return Created(wall_s / n * 1e6, cpu_s / n * 1e6)
