"""Runs of the load client, interleaved between the sides so that both meet the same neighbours on the machine."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.process import TICKS_PER_S, Server


@dataclass(frozen=True)
class Run:
    """One run of the client against one server."""

    per_s: float
    per_cpu_s: float
    p50_us: float
    p99_us: float


@dataclass(frozen=True)
class Runs:
    """All runs of one load on one side."""

    runs: list[Run]

    @property
    def per_cpu_s(self) -> float:
        """Operations per second of server CPU time, median."""
        return statistics.median(run.per_cpu_s for run in self.runs)

    @property
    def per_s(self) -> float:
        """Operations per second of wall time, median."""
        return statistics.median(run.per_s for run in self.runs)

    @property
    def p50_us(self) -> float:
        """Median over the runs of each run's median latency."""
        return statistics.median(run.p50_us for run in self.runs)

    @property
    def p99_us(self) -> float:
        """Median over the runs of each run's 99th percentile."""
        return statistics.median(run.p99_us for run in self.runs)


class LoadError(Exception):
    """Raised when the client saw errors or could not finish in time."""


class LoadClient:
    """The compiled client. Options are its one-letter flags: see the head of client/agentload.c."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def run(self, server: Server, mode: str, **options: object) -> Run:
        """One load. Counts warm-up operations as work, since the server did them.

        Raises:
            LoadError: an operation failed, or the client's own limit passed.
        """
        command = [str(self._program), mode, "-p", str(server.port)]
        for flag, value in options.items():
            command += [f"-{flag}", str(value)]
        before = server.cpu_s()
        environment = {**os.environ, "LC_ALL": "C"}
        result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
        cpu_s = max(server.cpu_s() - before, 1 / TICKS_PER_S)
        if not result.stdout.strip():
            raise LoadError(f"{' '.join(command)}: {result.stderr.strip()[:200]}")
        seen = json.loads(result.stdout)
        wanted = int(str(options.get("n", 0)))
        if seen["errors"] or seen["done"] < wanted:
            raise LoadError(f"{' '.join(command)}: {seen['done']} of {wanted} done, {seen['errors']} errors")
        is_fan_out = mode == "fanout"
        work = seen["delivered"] if is_fan_out else seen["done"] + int(str(options.get("w", 0)))
        rate = seen["delivered_per_s" if is_fan_out else "per_s"]
        return Run(rate, work / cpu_s, seen["p50_us"], seen["p99_us"])

    def interleaved(self, servers: Mapping[str, Server], rounds: int, mode: str, **options: object) -> dict[str, Runs]:
        """The same load on each server in turn, `rounds` times; the order turns round each time."""
        return self.each_round(servers, rounds, mode, lambda number: options)

    def each_round(
        self, servers: Mapping[str, Server], rounds: int, mode: str, options_of: Callable[[int], Mapping[str, object]]
    ) -> dict[str, Runs]:
        """The same with options that differ from round to round; `options_of` may also wait before one."""
        names = list(servers)
        runs: dict[str, list[Run]] = {name: [] for name in names}
        for number in range(rounds):
            options = options_of(number)
            for name in names if number % 2 == 0 else reversed(names):
                runs[name].append(self.run(servers[name], mode, **options))
        return {name: Runs(found) for name, found in runs.items()}
