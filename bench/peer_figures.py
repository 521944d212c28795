"""What is measured beside Python peers, each in a process of its own and with the same durability as ours."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from bench import jobs, peer
from bench.figure import Bench, Figure
from bench.job_figures import AGENT, Costs, per_wall_s
from bench.load import LoadError
from bench.process import Server
from bench.sides import Python

ROUNDS = 3
MORE_ROUNDS = 5
UNSYNCED = "no sync"
SYNCED = "one sync or more for each commit"


@contextmanager
def _ours(bench: Bench) -> Iterator[tuple[Server, Server]]:
    """Two local hosts: one that syncs each commit, one whose commits survive the process only."""
    side = next((side for side in bench.sides if isinstance(side, Python)), None)
    if side is None:
        raise LoadError("the peers are measured beside the Python side")
    with ExitStack() as stack:
        synced = stack.enter_context(side.running())
        yield synced, stack.enter_context(side.running_unsynced())


def steps(bench: Bench) -> list[Figure]:
    """Steps of one task, each synced before the next; beside DBOS."""
    n = bench.size(2_000)
    costs = defaultdict[str, list[jobs.Each]](list)
    commits: list[float] = []
    with _ours(bench) as (server, _):
        jobs.walk(server, f"{AGENT}/warm", n // 10)
        for number in range(min(bench.rounds, MORE_ROUNDS)):
            commits.append(jobs.disk_commits_per_s(bench.lab))
            costs["python"].append(jobs.walk(server, f"{AGENT}/t{number}", n))
            costs["dbos"].append(peer.run(bench.lab, "dbos", bench.size(500))["steps"])
    ceiling, ours = statistics.median(commits), per_wall_s(costs, "python")
    what = "Task: steps of one run, each synced before the next"
    return [
        Figure(
            what,
            "per wall second",
            None,
            ours,
            no_less=2_500,
            is_alone=True,
            note=f"meanwhile sqlite3 alone made {ceiling:,.0f} commits a second on this disk, of one row and one sync "
            f"each, which is the ceiling; this is {ours / ceiling:.0%} of it",
        ),
        _beside(what, costs, "dbos", f"DBOS {peer.version_of('dbos')}, SQLite, {SYNCED}", at_least=4),
    ]


def peers(bench: Bench) -> list[Figure]:
    """The queue beside huey, schedules beside APScheduler."""
    n, few = bench.size(10_000), bench.size(2_000)
    unsynced, synced, created = (defaultdict[str, list[jobs.Each]](list) for _ in range(3))
    fired = defaultdict[str, list[jobs.Each]](list)
    with _ours(bench) as (power, process):
        for number in range(min(bench.rounds, ROUNDS)):
            huey = peer.run(bench.lab, "huey", n, few)
            unsynced["huey"].append(huey["queue"])
            synced["huey"].append(huey["queue_synced"])
            unsynced["python"].append(jobs.process(process, f"{AGENT}/q{number}", n))
            synced["python"].append(jobs.process(power, f"{AGENT}/q{number}", few))
            apscheduler = peer.run(bench.lab, "apscheduler", bench.size(1_000))
            created["apscheduler"].append(apscheduler["schedules"])
            fired["apscheduler"].append(apscheduler["fire"])
            created["python"].append(jobs.create(power, f"{AGENT}/s{number}", bench.size(1_000)))
            burst = jobs.fire(power, f"{AGENT}/f{number}", bench.size(1_000))
            fired["python"].append(jobs.Each(1e6 / burst.per_s, 0))
    huey_is = f"huey {peer.version_of('huey')}, SQLite"
    apscheduler_is = f"APScheduler {peer.version_of('apscheduler')}, SQLite, {SYNCED}"
    return [
        _beside(f"Queue: {n:,}, enqueue and process", unsynced, "huey", f"{huey_is}, {UNSYNCED}", at_least=1),
        _beside(f"Queue: {few:,}, enqueue and process", synced, "huey", f"{huey_is}, {SYNCED}", at_least=1),
        _beside("Schedules: create 1,000, one by one", created, "apscheduler", apscheduler_is, at_least=1),
        _beside("Schedules: fire 1,000 due at one moment", fired, "apscheduler", apscheduler_is, at_least=1),
    ]


def _beside(what: str, costs: Costs, name: str, is_called: str, *, at_least: float) -> Figure:
    theirs, ours = per_wall_s(costs, name), per_wall_s(costs, "python")
    return Figure(what, "per wall second", theirs, ours, at_least=at_least, peer=is_called)
