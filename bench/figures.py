"""What is measured: each function returns figures of both sides, taken in one run with the same client."""

from __future__ import annotations

import re
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Callable

from bench.figure import Bench, Figure
from bench.job_figures import AGENT, fibers, queue, schedules
from bench.load import LoadError, Runs
from bench.mail import mail
from bench.mcp_calls import mcp
from bench.peer_figures import peers, steps
from bench.process import NOFILE, Server
from bench.sides import Side
from bench.sub_agent_figures import sub_agents
from bench.workflows import workflows

IDLE_S = 10  # both sides drop an agent after so long without an event
ECHO = {"m": "echo", "a": '["x"]'}
INCREMENT = {"m": "increment", "a": "[]"}


def _throughput(what: str, at_least: float, runs: dict[str, Runs]) -> Figure:
    wall = " / ".join(f"{name} {found.per_s:,.0f}" for name, found in runs.items())
    js, python = (runs[name].per_cpu_s if name in runs else None for name in ("js", "python"))
    return Figure(what, "per CPU-s", js, python, at_least=at_least, note=f"per wall second: {wall}")


def _latency(what: str, at_most: float, runs: dict[str, Runs]) -> Figure:
    p99 = " / ".join(f"{name} {found.p99_us / 1000:.2f}" for name, found in runs.items())
    js, python = (runs[name].p50_us / 1000 if name in runs else None for name in ("js", "python"))
    return Figure(what, "ms, p50", js, python, at_most=at_most, note=f"p99 ms: {p99}")


def http(bench: Bench) -> list[Figure]:
    """Requests through routing: reads, and one durable increment each."""
    with bench.servers() as servers:

        def load(path: str, n: int, **options: object) -> dict[str, Runs]:
            return bench.client.interleaved(
                servers,
                bench.rounds,
                "http",
                P=AGENT + path,
                c=16,
                n=bench.size(n),
                w=bench.size(n) // 10,
                t=60,
                **options,
            )

        return [
            _throughput("HTTP read through routing, 1 agent", 2, load("/a", 10_000)),
            _throughput("HTTP read through routing, 100 agents", 2, load("/a%d", 10_000, k=100)),
            _throughput("HTTP durable increment, 1 agent, 16 connections", 3, load("/a?op=inc", 4_000)),
        ]


def rpc(bench: Bench) -> list[Figure]:
    """Calls over WebSockets: one at a time for latency, many in flight for throughput."""
    with bench.servers() as servers:

        def load(path: str, n: int, **options: object) -> dict[str, Runs]:
            return bench.client.interleaved(
                servers, bench.rounds, "rpc", P=AGENT + path, n=bench.size(n), w=bench.size(n) // 20, t=60, **options
            )

        return [
            _latency("RPC echo, sequential", 1.0, load("/e", 10_000, c=1, d=1, **ECHO)),
            _latency("RPC durable increment, sequential", 1.0, load("/i", 3_000, c=1, d=1, **INCREMENT)),
            _throughput("RPC echo, 50 clients x 8 in flight, 1 agent", 3, load("/x", 30_000, c=50, d=8, **ECHO)),
        ]


def fanout(bench: Bench) -> list[Figure]:
    """One client changes the state, a hundred receive it: frames delivered."""
    with bench.servers() as servers:
        runs = bench.client.interleaved(
            servers, bench.rounds, "fanout", P=f"{AGENT}/f", c=100, d=16, n=bench.size(300), m="increment", t=60
        )
        return [_throughput("State fan-out to 100 clients, frames", 2, runs)]


def cold(bench: Bench) -> list[Figure]:
    """The first request to names never seen before."""
    n = bench.size(300)

    def new_names(number: int) -> dict[str, object]:
        return {"P": f"{AGENT}/c%d", "k": 1_000_000, "b": number * n, "c": 1, "n": n, "t": 60}

    with bench.servers() as servers:
        runs = bench.client.each_round(servers, bench.rounds, "http", new_names)
    return [_latency("Cold start: first request to a new agent", 0.5, runs)]


def wake(bench: Bench) -> list[Figure]:
    """A request to agents that were dropped from memory after ten idle seconds."""
    n = bench.size(300)
    load = {"k": n, "c": 1, "n": n, "t": 60}

    def once_asleep(number: int) -> dict[str, object]:
        time.sleep(IDLE_S + 3)
        return {"P": f"{AGENT}/w%d", **load}

    with bench.servers() as servers:
        bench.client.interleaved(servers, 1, "http", P=f"{AGENT}/w%d?op=inc", **load)
        runs = bench.client.each_round(servers, min(bench.rounds, 4), "http", once_asleep)
    return [_latency("Wake: first request after idle eviction", 0.5, runs)]


def memory(bench: Bench) -> list[Figure]:
    """Resident memory for each of 1,000 agents: in memory with their database open, and after eviction."""
    n = bench.size(1_000)

    def kb_each(server: Server, idle_s: float) -> float:
        base = server.rss_kb()
        bench.client.run(server, "http", P=f"{AGENT}/m%d?op=inc", k=n, c=8, n=n, t=120)
        time.sleep(idle_s)
        return max(server.rss_kb() - base, 1) / n

    live: dict[str, float] = {}
    evicted: dict[str, float] = {}
    for kept, idle_s, is_live in ((live, 1.0, True), (evicted, IDLE_S + 5.0, False)):
        for side in bench.sides:
            with side.running(live=is_live) as server:
                kept[side.name] = kb_each(server, idle_s)
    return [
        Figure("Memory of a live agent", "KB", live.get("js"), live.get("python"), at_most=0.4),
        Figure("Memory of an evicted agent", "KB", evicted.get("js"), evicted.get("python"), at_most=0.05),
    ]


def startup(bench: Bench) -> list[Figure]:
    """From starting the process to the first answer of an agent."""
    times: dict[str, list[float]] = {side.name: [] for side in bench.sides}
    for number in range(bench.rounds + 2):
        for side in bench.sides if number % 2 == 0 else reversed(bench.sides):
            times[side.name].append(_first_answer_ms(side))
    js, python = (statistics.median(times[name]) if name in times else None for name in ("js", "python"))
    best = " / ".join(f"{name} {min(found):.0f}" for name, found in times.items())
    return [Figure("Process start to first answer", "ms", js, python, at_most=1.5, note=f"best ms: {best}")]


def _first_answer_ms(side: Side) -> float:
    server = side.launch()
    try:
        while time.perf_counter() - server.started_at < 30:
            try:
                server.get(f"{AGENT}/first", timeout_s=5)
                return (time.perf_counter() - server.started_at) * 1000
            except OSError:
                time.sleep(0.002)
        raise LoadError(f"{side.name} gave no answer in 30 s; see {side.log}")
    finally:
        server.stop()


def ten_thousand(bench: Bench) -> list[Figure]:
    """10,000 agents in memory at once, each with committed state, under 20,000 descriptors."""
    n = bench.size(10_000)
    megabytes: dict[str, float | None] = {}
    notes: list[str] = []
    for side in bench.sides:
        with side.running(live=True) as server:
            try:
                bench.client.run(server, "http", P=f"{AGENT}/t%d?op=inc", k=n, c=8, n=n, t=240)
                seen = [server.get(f"{AGENT}/t{index}?op=seen") for index in range(0, n, max(n // 50, 1))]
                stayed = sum('"seen":2' in text.replace(" ", "") for text in seen)
                megabytes[side.name] = server.rss_kb() / 1024 if stayed == len(seen) else None
                notes.append(f"{side.name}: {stayed} of {len(seen)} asked again had stayed in memory, "
                             f"{server.descriptors():,} descriptors")  # fmt: skip
            except (LoadError, OSError) as error:
                megabytes[side.name] = None
                notes.append(f"{side.name}: fails at {server.descriptors():,} descriptors ({str(error)[-60:]})")
    what = f"{n:,} live agents under {NOFILE:,} descriptors"
    return [Figure(what, "MB in all", megabytes.get("js"), megabytes.get("python"), note="; ".join(notes))]


def syncs(bench: Bench) -> list[Figure]:
    """Disk syncs behind 100 durable increments in a row: the proof that durability is equal. Needs strace."""
    tracer = shutil.which("strace")
    if tracer is None:
        return []
    counts: dict[str, float] = {}
    for side in bench.sides:
        with side.running() as server:
            bench.client.run(server, "http", P=f"{AGENT}/s?op=inc", c=1, n=20, t=30)
            command = [tracer, "-f", "-c", "-e", "trace=fsync,fdatasync", "-p", str(server.pid)]
            trace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            time.sleep(1)
            bench.client.run(server, "http", P=f"{AGENT}/s?op=inc", c=1, n=100, t=30)
            trace.send_signal(signal.SIGINT)
            report = trace.communicate(timeout=20)[1]
            rows = re.findall(r"^\s*\S+\s+\S+\s+\S+\s+(\d+)\s+(?:\d+\s+)?(?:fsync|fdatasync)$", report, re.MULTILINE)
            counts[side.name] = sum(map(int, rows)) / 100
    return [
        Figure("Disk syncs behind one durable increment", "syncs", counts.get("js"), counts.get("python"), at_least=1)
    ]


MEASUREMENTS: dict[str, Callable[[Bench], list[Figure]]] = {
    "http": http,
    "rpc": rpc,
    "fanout": fanout,
    "cold": cold,
    "wake": wake,
    "memory": memory,
    "startup": startup,
    "schedules": schedules,
    "queue": queue,
    "fibers": fibers,
    "steps": steps,
    "peers": peers,
    "workflows": workflows,
    "mail": mail,
    "sub-agents": sub_agents,
    "mcp": mcp,
    "ten-thousand": ten_thousand,
    "syncs": syncs,
}
