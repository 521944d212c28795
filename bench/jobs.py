"""Loads of schedules, queue items, fibers and tasks, made by requests to one agent each. Each time on a new agent."""

from __future__ import annotations

import http.client
import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from websockets.sync.client import connect

from bench.load import LoadError
from bench.process import TICKS_PER_S, Server

LIMIT_S = 120
POLL_S = 0.001
LOOK_BEFORE_S = 0.05
COMMITS = 500


@dataclass(frozen=True)
class Each:
    """Microseconds for each of the operations of one load."""

    wall_us: float
    cpu_us: float


@dataclass(frozen=True)
class Fired:
    """One burst of schedules that were due together."""

    per_s: float
    longest_wait_ms: float
    longest_wait_before_ms: float


def create(server: Server, agent: str, n: int) -> Each:
    """Create `n` schedules for in an hour, one by one in one call."""
    return _measured(server, n, lambda: _ask(server, f"{agent}?op=schedule&n={n}"))


def process(server: Server, agent: str, n: int) -> Each:
    """Queue `n` items in one call, and wait until all have run."""

    def work() -> None:
        _ask(server, f"{agent}?op=queue&n={n}")
        began = time.perf_counter()
        while int(_ask(server, f"{agent}?op=hits")["hits"]) < n:
            _check(began)
            time.sleep(0.02)

    return _measured(server, n, work)


def stash(server: Server, agent: str, fibers: int, stashes: int) -> Each:
    """Run fibers one after the other in one call, each with so many stashes; the figure is for one stash."""
    return _measured(server, fibers * stashes, lambda: _ask(server, f"{agent}?op=fiber&n={fibers}&stashes={stashes}"))


def walk(server: Server, agent: str, n: int) -> Each:
    """Run a task of `n` steps, each of which is committed before the next begins."""

    def work() -> None:
        done = _ask(server, f"{agent}?op=walk&n={n}")["done"]
        if done != n:
            raise LoadError(f"{done} of {n} steps were done")

    return _measured(server, n, work)


def disk_commits_per_s(folder: Path) -> float:
    """How often a second this disk commits one row: sqlite3 alone, a write-ahead log, one sync for each commit."""
    path = folder / "commits.db"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE rows (key INTEGER PRIMARY KEY, value INTEGER)")
        connection.execute("INSERT INTO rows VALUES (1, 0)")
        began = time.perf_counter()
        for number in range(COMMITS):
            connection.execute("UPDATE rows SET value = ?", (number,))
        return COMMITS / (time.perf_counter() - began)
    finally:
        connection.close()


def fire(server: Server, agent: str, n: int) -> Fired:
    """Create `n` schedules for one moment, and send the agent one request or call after the other meanwhile."""
    due_s = int(time.time()) + 2
    _ask(server, f"{agent}?op=schedule&n={n}&at={due_s}")
    if time.time() > due_s - 0.1:
        raise LoadError(f"{n} schedules could not be created in time")
    with Neighbour(server, agent) as neighbour:
        time.sleep(max(due_s - time.time() - LOOK_BEFORE_S, 0))
        began, hits = time.perf_counter(), 0
        before_s = after_s = 0.0
        while hits < n:
            hits, waited_s = neighbour.ask()
            if time.time() < due_s:
                before_s = max(before_s, waited_s)
            else:
                after_s = max(after_s, waited_s)
            _check(began)
            time.sleep(POLL_S)
        return Fired(n / max(time.time() - due_s, 0.001), after_s * 1000, before_s * 1000)


class Neighbour:
    """Another client of the agent: a request, a call over a WebSocket and so on, on connections that stay open."""

    def __init__(self, server: Server, agent: str) -> None:
        self._agent = agent
        self._http = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
        self._socket = connect(f"ws://127.0.0.1:{server.port}{agent}", open_timeout=LIMIT_S, compression=None)
        self._is_call_next = False
        self.ask()
        self.ask()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()
        self._socket.close()

    def ask(self) -> tuple[int, float]:
        """How many schedules have run, and after how many seconds that was answered."""
        self._is_call_next = not self._is_call_next
        began = time.perf_counter()
        hits = self._call() if self._is_call_next else self._request()
        return hits, time.perf_counter() - began

    def _call(self) -> int:
        self._socket.send('{"type": "rpc", "id": "1", "method": "ran", "args": []}')
        while True:
            frame = json.loads(self._socket.recv(LIMIT_S))
            if frame.get("type") == "rpc":
                return int(frame["result"])

    def _request(self) -> int:
        self._http.request("GET", f"{self._agent}?op=hits")
        return int(json.loads(self._http.getresponse().read())["hits"])


def _ask(server: Server, path: str) -> dict[str, float]:
    answer: dict[str, float] = json.loads(server.get(path, timeout_s=LIMIT_S))
    return answer


def _check(began: float) -> None:
    if time.perf_counter() - began > LIMIT_S:
        raise LoadError(f"not done in {LIMIT_S} s")


def _measured(server: Server, n: int, work: Callable[[], object]) -> Each:
    before_s, began = server.cpu_s(), time.perf_counter()
    work()
    wall_s = time.perf_counter() - began
    cpu_s = max(server.cpu_s() - before_s, 1 / TICKS_PER_S)
    return Each(wall_s / n * 1e6, cpu_s / n * 1e6)
