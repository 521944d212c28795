"""What a call to a sub-agent costs: beside the JavaScript SDK, and beside a method call within the agent itself."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Mapping

from bench.figure import Bench, Figure
from bench.job_figures import AGENT
from bench.load import LoadError
from bench.process import TICKS_PER_S, Server

ROUNDS = 3
LIMIT_S = 120
CALLS = {
    "sub": "to a sub-agent",
    "subinc": "to a sub-agent that changes its state",
    "sub3": "to one three deep",
    "own": "to itself",
}


def sub_agents(bench: Bench) -> list[Figure]:
    """Calls one after the other, made by one request, so that routing and HTTP do not count."""
    n = bench.size(2_000)
    per_s: dict[str, dict[str, float]] = {}
    with bench.servers() as servers:
        for op in CALLS:
            found = defaultdict[str, list[float]](list)
            for number in range(min(bench.rounds, ROUNDS)):
                for name in sorted(servers, reverse=number % 2 == 1):
                    found[name].append(_call(servers[name], f"{AGENT}/{op}{number}?op={op}&n={n}", n))
            per_s[op] = {name: statistics.median(rates) for name, rates in found.items()}
    own = _cost_us(per_s["own"])
    rows = [
        Figure(
            f"Call {CALLS[op]}, one after another",
            "per CPU-s",
            per_s[op].get("js"),
            per_s[op].get("python"),
            at_least=wanted,
            note=_each_side("microseconds of CPU each", _cost_us(per_s[op])),
        )
        for op, wanted in (("sub", 1), ("subinc", 1), ("sub3", 1))
    ]
    return [
        *rows,
        Figure(
            "Call to a sub-agent, to a method of its own awaited",
            "times the CPU time",
            _ratio(_cost_us(per_s["sub"]), own, "js"),
            _ratio(_cost_us(per_s["sub"]), own, "python"),
            no_more=1_000,
            note=_each_side("microseconds of CPU for one of its own", own),
        ),
    ]


def _call(server: Server, path: str, n: int) -> float:
    """Calls per second of CPU time."""
    server.get(path.replace(f"&n={n}", "&n=1"), timeout_s=LIMIT_S)
    before_s, began = server.cpu_s(), time.perf_counter()
    repeats = 0
    while True:
        server.get(path, timeout_s=LIMIT_S)
        repeats += 1
        spent_s = server.cpu_s() - before_s
        if spent_s >= 20 / TICKS_PER_S or repeats >= 200:
            break
        if time.perf_counter() - began > LIMIT_S:
            raise LoadError(f"not done in {LIMIT_S} s")
    return n * repeats / max(spent_s, 1 / TICKS_PER_S)


def _cost_us(per_s: Mapping[str, float]) -> dict[str, float]:
    return {name: 1e6 / rate for name, rate in per_s.items()}


def _ratio(cost: Mapping[str, float], own: Mapping[str, float], name: str) -> float | None:
    return cost[name] / own[name] if name in cost else None


def _each_side(what: str, figures: Mapping[str, float]) -> str:
    return f"{what}: " + " / ".join(f"{name} {figures[name]:,.2f}" for name in sorted(figures))
