"""What is measured of work that waits and survives, beside the JavaScript SDK: schedules, the queue, fibers."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from bench import jobs
from bench.figure import Bench, Figure
from bench.process import Server

AGENT = "/agents/counter"
ROUNDS = 3
FIRING_ROUNDS = 5
Costs = Mapping[str, Sequence[jobs.Each]]


def schedules(bench: Bench) -> list[Figure]:
    """Schedules created one by one, and a thousand that are due at once."""
    n = bench.size(10_000)
    more = n // 20
    created, first, last = (defaultdict[str, list[jobs.Each]](list) for _ in range(3))
    with bench.servers() as servers:
        for number, (name, server) in _turns(servers, bench.rounds):
            jobs.create(server, f"{AGENT}/s{number}", n // 10)
            first[name].append(jobs.create(server, f"{AGENT}/s{number}", more))
            created[name].append(jobs.create(server, f"{AGENT}/l{number}", n))
            last[name].append(jobs.create(server, f"{AGENT}/l{number}", more))
    growth = {name: per_wall_s(first, name) / per_wall_s(last, name) for name in created}
    return [
        Figure(
            f"schedule(): create {n:,}, one by one in one call",
            "per CPU-s",
            *_both(created, per_cpu_s),
            at_least=30,
            note=_each_side("per wall second", {name: per_wall_s(created, name) for name in created}),
        ),
        Figure(
            f"schedule(): cost of one when {n:,} exist, to that when {n // 10:,} do",
            "times",
            growth.get("js"),
            growth.get("python"),
            no_more=1.2,
            note=f"{more:,} more of them each time",
        ),
        *_firing(bench),
    ]


def _firing(bench: Bench) -> list[Figure]:
    n = bench.size(1_000)
    fired = defaultdict[str, list[jobs.Fired]](list)
    with bench.servers() as servers:
        for number, (name, server) in _turns(servers, bench.rounds, FIRING_ROUNDS):
            fired[name].append(jobs.fire(server, f"{AGENT}/f{number}", n))
    rates = {name: statistics.median(run.per_s for run in runs) for name, runs in fired.items()}
    waits = {name: statistics.median(run.longest_wait_ms for run in runs) for name, runs in fired.items()}
    worst = {name: max(run.longest_wait_ms for run in runs) for name, runs in fired.items()}
    quiet = {name: statistics.median(run.longest_wait_before_ms for run in runs) for name, runs in fired.items()}
    return [
        Figure(
            f"Schedules due at one moment: fire {n:,}",
            "per wall second",
            rates.get("js"),
            rates.get("python"),
            at_least=1,
        ),
        Figure(
            "Longest wait of another request or call meanwhile",
            "ms",
            waits.get("js"),
            waits.get("python"),
            no_more=5,
            note=f"the longest in each of {len(fired['python'])} runs, median; "
            + f"{_each_side('longest of all, ms', worst, digits=1)}; "
            + _each_side("as long before, with nothing firing, ms", quiet, digits=1),
        ),
    ]


def queue(bench: Bench) -> list[Figure]:
    """Queue items, enqueued in one call and processed."""
    n = bench.size(10_000)
    found = defaultdict[str, list[jobs.Each]](list)
    with bench.servers() as servers:
        for number, (name, server) in _turns(servers, bench.rounds):
            found[name].append(jobs.process(server, f"{AGENT}/q{number}", n))
    wall = _each_side("per wall second", {name: per_wall_s(found, name) for name in found})
    what = f"queue(): {n:,}, enqueue and process"
    return [Figure(what, "per CPU-s", *_both(found, per_cpu_s), at_least=15, note=wall)]


def fibers(bench: Bench) -> list[Figure]:
    """Fibers that stash how far they are, one after the other in one call."""
    n, stashes = bench.size(1_000), 10
    found = defaultdict[str, list[jobs.Each]](list)
    with bench.servers() as servers:
        for number, (name, server) in _turns(servers, bench.rounds):
            found[name].append(jobs.stash(server, f"{AGENT}/w{number}", n, stashes))
    wall = _each_side("per wall second", {name: per_wall_s(found, name) for name in found})
    what = f"stash(): {n:,} fibers of {stashes} stashes"
    return [Figure(what, "per CPU-s", *_both(found, per_cpu_s), at_least=3, note=wall)]


def per_cpu_s(costs: Costs, name: str) -> float:
    """Operations per second of CPU time, median."""
    return 1e6 / statistics.median(each.cpu_us for each in costs[name])


def per_wall_s(costs: Costs, name: str) -> float:
    """Operations per second of wall time, median."""
    return 1e6 / statistics.median(each.wall_us for each in costs[name])


def _both(costs: Costs, rate: Callable[[Costs, str], float]) -> tuple[float | None, float | None]:
    js, python = (rate(costs, name) if name in costs else None for name in ("js", "python"))
    return js, python


def _turns(servers: Mapping[str, Server], rounds: int, most: int = ROUNDS) -> Iterator[tuple[int, tuple[str, Server]]]:
    """Every round on every side; the order turns round each time."""
    names = list(servers)
    for number in range(min(rounds, most)):
        for name in names if number % 2 == 0 else reversed(names):
            yield number, (name, servers[name])


def _each_side(what: str, figures: Mapping[str, float], digits: int = 0) -> str:
    return f"{what}: " + " / ".join(f"{name} {figure:,.{digits}f}" for name, figure in figures.items())
