"""Agents on the real Workers runtime beside a Durable Object written by hand and the JavaScript SDK, in one run.

`bench/run workers` writes RESULTS-workers.md; `python -m bench.on_platform` only prints. It needs what tests/workerd
needs.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import platform
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from tests.workerd import javascript
from tests.workerd.rig import LAPTOP_ONLY, Rig
from tests.workerd.tools import NODE_MODULES, ROOT, Tools, find_tools

HERE = Path(__file__).parent
ROUNDS = 5
CALLS = 300
CONNECTS = 40
IMPORTS = 5
GREETING_FRAMES = 3
AGENT, BY_HAND, JAVASCRIPT = "Agent", "by hand", "JS SDK"
TARGETS = {"echo": 1.5, "increment": 1.5, "connect": 2.0}
WHAT = {"echo": "RPC echo", "increment": "RPC durable increment", "connect": "connect, to the last greeting frame"}
IMPORT_MS, IMPORT_MIB, UPLOAD_KIB = 150, 2.0, 500
HOW_TO_READ = """\
Real workerd with real Pyodide, one client on 127.0.0.1, one call at a time, compression off. *Agent* and *by hand* are
in `platform/platform_objects.py`: the same calls, once through `Agent` and once in a bare `DurableObject` with the SDK
alone. *JS SDK* is `js/worker.js` in a second process of the same workerd. All three are loaded in turn. The best round
counts, because other work on the machine can only add time. Compare ratios, not figures of different machines or days.

The time of an import is that of the first `from agents_runtime import Agent, callable, route_agent_request` in a fresh
process, compiled from source, with everything it loads that the SDK alone does not; the best of several processes.
""".splitlines()

Times = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Cost:
    """What the library adds to a worker."""

    import_ms: float
    compile_ms: float
    import_mib: float
    upload_kib: float


async def opened(url: str) -> ClientConnection:
    """A connection that was greeted."""
    socket = await connect(url, proxy=None, compression=None)
    for _ in range(GREETING_FRAMES):
        await socket.recv()
    return socket


async def call_us(socket: ClientConnection, method: str) -> float:
    """Microseconds for one call and its answer."""
    frame = json.dumps({"type": "rpc", "id": "1", "method": method, "args": [1]})
    started = time.perf_counter()
    for _ in range(CALLS):
        await socket.send(frame)
        while '"rpc"' not in str(await socket.recv()):
            pass
    return (time.perf_counter() - started) / CALLS * 1e6


async def connect_us(url: str) -> float:
    """Microseconds from nothing to the last greeting frame."""
    started = time.perf_counter()
    for _ in range(CONNECTS):
        (await opened(url)).transport.abort()
    return (time.perf_counter() - started) / CONNECTS * 1e6


async def measure(urls: dict[str, str]) -> Times:
    """The best time of each side for each thing measured."""
    found: dict[str, dict[str, list[float]]] = {}
    sockets = {side: await opened(url) for side, url in urls.items()}
    for _ in range(ROUNDS):
        for side, url in urls.items():
            for method in ("echo", "increment"):
                found.setdefault(method, {}).setdefault(side, []).append(await call_us(sockets[side], method))
            found.setdefault("connect", {}).setdefault(side, []).append(await connect_us(url))
    for socket in sockets.values():
        socket.transport.abort()
    return {what: {side: min(times) for side, times in sides.items()} for what, sides in found.items()}


@contextmanager
def both_running(tools: Tools, folder: Path) -> Iterator[dict[str, str]]:
    """The WebSocket address of each side."""
    rig = Rig(tools, HERE / "platform", folder / "python")
    (folder / "python").mkdir()
    process = javascript.start(
        tools, HERE / "js/worker.js", folder / "js", folder / "js-storage", {"Counter": "counter-bench"}
    )
    try:
        base = rig.start().url.replace("http", "ws")
        other = f"ws://127.0.0.1:{process.ports['http']}"
        yield {AGENT: f"{base}/agents/count/it", BY_HAND: f"{base}/bare/it", JAVASCRIPT: f"{other}/agents/counter/it"}
    finally:
        process.kill()
        rig.kill()


def import_cost(tools: Tools, folder: Path) -> Cost:
    """Import the library in fresh processes."""
    timed = [imported(tools, folder / str(number), "/timed") for number in range(IMPORTS)]
    best = min(timed, key=lambda found: found["import_s"])
    heap = imported(tools, folder / "heap", "/")["heap_bytes"]
    return Cost(best["import_s"] * 1e3, best["compile_s"] * 1e3, heap / 2**20, upload_bytes() / 1024)


def imported(tools: Tools, folder: Path, path: str) -> dict[str, float]:
    """What one fresh process tells."""
    folder.mkdir(parents=True)
    rig = Rig(tools, ROOT / "tests/workerd/import_cost", folder)
    rig.start()
    try:
        found: dict[str, float] = json.loads(rig.process.request(rig.port, path)[1])
        return found
    finally:
        rig.kill()


def upload_bytes() -> int:
    """The size of what a deploy uploads of the library, compressed as in a wheel."""
    package = ROOT / "agents_runtime"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path in sorted(package.rglob("*.py")):
            if path.relative_to(package).parts[0] not in LAPTOP_ONLY:
                wheel.write(path, path.relative_to(ROOT))
        return sum(file.compress_size for file in wheel.infolist())


def table(best: Times, cost: Cost) -> list[str]:
    """The figures, with the wanted ones beside them."""
    lines = ["| measurement | Agent | by hand | ratio | target | | JS SDK |", "|---|---:|---:|---:|---:|---|---:|"]
    for what, sides in best.items():
        ratio = sides[AGENT] / sides[BY_HAND]
        cells = [f"{sides[AGENT]:.0f} µs", f"{sides[BY_HAND]:.0f} µs", f"{ratio:.2f}x", f"≤ {TARGETS[what]:g}x"]
        lines.append(
            f"| {WHAT[what]} | {' | '.join(cells)} | {met(ratio, TARGETS[what])} | {sides[JAVASCRIPT]:.0f} µs |"
        )
    return [
        *lines,
        "",
        "| what the library adds | | target | |",
        "|---|---:|---:|---|",
        f"| import, time | {cost.import_ms:.0f} ms | < {IMPORT_MS} ms | {met(cost.import_ms, IMPORT_MS)} |",
        f"| of it compiling the source | {cost.compile_ms:.0f} ms | | |",
        f"| import, heap | {cost.import_mib:.2f} MiB | < {IMPORT_MIB:g} MiB | {met(cost.import_mib, IMPORT_MIB)} |",
        f"| upload, compressed | {cost.upload_kib:.0f} KiB | < {UPLOAD_KIB} KiB | {met(cost.upload_kib, UPLOAD_KIB)} |",
    ]


def met(value: float, target: float) -> str:
    """The verdict on a figure that must not be above its target."""
    return "met" if value <= target else "**missed**"


def page(lines: list[str]) -> list[str]:
    """The page with the table."""
    versions = [
        f"{name} {json.loads((folder / name / 'package.json').read_text())['version']}"
        for folder, name in (
            (NODE_MODULES, "workerd"),
            (NODE_MODULES, "pyodide"),
            (javascript.PACKAGES / "node_modules", "agents"),
        )
    ]
    return [
        "# Results on Workers: in workerd with Pyodide",
        "",
        f"Made by `bench/run workers` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, best of {ROUNDS} interleaved rounds "
        f"of {CALLS} calls and {CONNECTS} connects, load average {os.getloadavg()[0]:.1f} at the end.",
        "",
        *lines,
        "",
        "## How to read it",
        "",
        *HOW_TO_READ,
        "",
        f"Machine: {os.cpu_count()} CPUs, {platform.system()} {platform.release()}; npm {', '.join(versions)}.",
    ]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="bench.on_platform", description=__doc__)
    parser.add_argument("--out", type=Path, help="write the page there (RESULTS-workers.md, from bench/run workers)")
    options = parser.parse_args()
    tools = find_tools()
    with tempfile.TemporaryDirectory() as folder:
        with both_running(tools, Path(folder)) as urls:
            best = asyncio.run(measure(urls))
        lines = table(best, import_cost(tools, Path(folder) / "import"))
    print("\n".join(lines))
    if options.out is not None:
        options.out.write_text("\n".join(page(lines)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
