"""Workflows on the local host: steps of one, each synced, beside DBOS; and many small ones that an agent starts."""

from __future__ import annotations

import http.client
import json
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import peer
from bench.figure import Bench, Figure
from bench.jobs import LIMIT_S, Each, disk_commits_per_s
from bench.load import LoadError
from bench.process import TICKS_PER_S, Server
from bench.sides import free_port

HERE = Path(__file__).resolve().parent
ROUNDS = 5
SMALL = 3
"""Steps of a small workflow."""


def workflows(bench: Bench) -> list[Figure]:
    """Steps of one workflow beside DBOS, and workflows an agent starts and hears the end of."""
    n, many = bench.size(2_000), bench.size(200)
    ours, theirs, small, commits = (list[float]() for _ in range(4))
    with _running(bench.lab) as server:
        _walk(server, f"/?n={n // 10}", n // 10)
        for _ in range(min(bench.rounds, ROUNDS)):
            commits.append(disk_commits_per_s(bench.lab))
            ours.append(_per_s(_walk(server, f"/?n={n}", n)))
            theirs.append(_per_s(peer.run(bench.lab, "dbos", bench.size(500))["steps"]))
            small.append(_per_s(_walk(server, f"/?n={many}&steps={SMALL}", many)))
    ceiling, rate = statistics.median(commits), statistics.median(ours)
    what = "Workflow: steps of one instance, each synced before the next"
    is_called = f"DBOS {peer.version_of('dbos')}, SQLite, one sync or more for each commit"
    return [
        Figure(what, "per wall second", statistics.median(theirs), rate, at_least=4, peer=is_called),
        Figure(
            what,
            "per wall second",
            None,
            rate,
            no_less=1_500,
            is_alone=True,
            note=f"meanwhile sqlite3 alone made {ceiling:,.0f} commits a second on this disk, of one row and one sync "
            f"each, which is the ceiling; this is {rate / ceiling:.0%} of it",
        ),
        Figure(
            f"Workflows of {SMALL} steps, started by one agent one by one, to the end of which it hears",
            "per wall second",
            None,
            statistics.median(small),
            no_less=50,
            is_alone=True,
            note="each is an object with a database file of its own, made and synced",
        ),
    ]


def _per_s(each: Each) -> float:
    return 1e6 / each.wall_us


@contextmanager
def _running(lab: Path) -> Iterator[Server]:
    data = lab / "workflow-data"
    shutil.rmtree(data, ignore_errors=True)
    port = free_port()
    program = Path(sys.executable).parent / "agents-runtime"
    command = [str(program), "serve", "--port", str(port), "--data", str(data), "--no-access-log"]
    server = Server(command, port, HERE / "workflow_worker", lab / "workflows.log")
    try:
        server.wait_until_open()
        yield server
    finally:
        server.stop()


def _walk(server: Server, path: str, n: int) -> Each:
    """Run something of `n` parts to its end; the cost of one part."""
    before_s, began = server.cpu_s(), time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
    try:
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    wall_s = time.perf_counter() - began
    if answer["done"] != n:
        raise LoadError(f"{answer} instead of {n}")
    cpu_s = max(server.cpu_s() - before_s, 1 / TICKS_PER_S)
    return Each(wall_s / n * 1e6, cpu_s / n * 1e6)
