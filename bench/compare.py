"""Measure the local host beside the JavaScript SDK and write RESULTS.md. Started by bench/run, which builds the lab."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import peer
from bench.figure import Bench, Figure
from bench.figures import MEASUREMENTS
from bench.load import LoadClient, LoadError
from bench.sides import JavaScript, Python

HERE = Path(__file__).resolve().parent
HOW_TO_READ = """\
Both sides ran at the same time on the same machine, loaded in turn by the same client on 127.0.0.1, each on an empty
store. Both sync the disk once before they answer a durable increment (the last row counts it). Throughput is per second
of *server CPU time*, because other work on the machine hardly disturbs it; latency is the median as the client saw it.
A ratio is ours divided by theirs; compare ratios, not figures of different machines or days. What has a target without
an x is wanted as it stands. The Python peers ran in between, one process each, on the same disk.""".splitlines()
SIDES = {"js": JavaScript, "python": Python}


def main() -> int:
    """Run the chosen measurements; 0 when every target is met."""
    options = _parser().parse_args()
    lab = Path(os.environ["BENCH_LAB"])
    lock = (lab / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"another bench is running in {lab}: wait for it, or choose another folder with BENCH_LAB")
    bench = Bench(
        sides=[SIDES[name](lab) for name in ([options.only] if options.only else SIDES)],
        client=LoadClient(lab / "agentload"),
        rounds=1 if options.quick else options.rounds,
        quick=options.quick,
        lab=lab,
    )
    figures: list[Figure] = []
    for name in options.measurements or MEASUREMENTS:
        started = time.perf_counter()
        try:
            figures += MEASUREMENTS[name](bench)
        except (LoadError, OSError, RuntimeError, subprocess.SubprocessError) as error:
            figures.append(Figure(f"{name}: not measured", "", None, None, at_least=1, note=str(error)))
            print(f"{name}: {error}", file=sys.stderr)
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    print("\n".join(_tables(figures)))
    if options.out:
        Path(options.out).write_text("\n".join(_page(figures, options)) + "\n")
        print(f"written to {options.out}", file=sys.stderr)
    return 0 if all(figure.is_met for figure in figures) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("measurements", nargs="*", choices=[[], *MEASUREMENTS], help="all when none is named")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs of each load (default 5)")
    parser.add_argument("--quick", action="store_true", help="one round of a tenth: to try the programs, not to quote")
    parser.add_argument("--only", choices=SIDES, help="measure one of the two sides")
    parser.add_argument("--out", help="write the page there (RESULTS.md, from bench/run without arguments)")
    return parser


def _number(value: float | None) -> str:
    if value is None:
        return "fails"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def _tables(figures: list[Figure]) -> list[str]:
    beside_js = [figure for figure in figures if not figure.peer]
    beside_peers = [figure for figure in figures if figure.peer]
    lines = _table("JS SDK on workerd", beside_js)
    if beside_peers:
        lines += ["", "Beside Python peers:", "", *_table("the peer", beside_peers)]
    return lines


def _table(theirs: str, figures: Iterable[Figure]) -> list[str]:
    lines = [
        f"| measurement | unit | {theirs} | agents_runtime | ratio | target | |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for figure in figures:
        what = f"{figure.what}, beside {figure.peer}" if figure.peer else figure.what
        other = "–" if figure.is_alone else _number(figure.theirs)
        ratio = f"{figure.ratio:.2f}x" if figure.ratio is not None else "–"
        cells = [what, figure.unit, other, _number(figure.python), ratio, figure.target]
        lines.append(f"| {' | '.join(cells)} | {'met' if figure.is_met else '**missed**'} |")
    return lines


def _page(figures: list[Figure], options: argparse.Namespace) -> list[str]:
    js = json.loads((HERE / "js/package.json").read_text())
    packages = {**js["dependencies"], **js["optionalDependencies"]}
    workerd = packages["@cloudflare/workerd-linux-64"]
    servers = ", ".join(f"{name} {version(name)}" for name in ("uvicorn", "httptools", "uvloop", "websockets"))
    met = sum(figure.is_met for figure in figures)
    command = " ".join(
        ["bench/run", *(argument for argument in sys.argv[1:] if argument not in ("--out", options.out))]
    )
    return [
        "# Results",
        "",
        f"{met} of {len(figures)} targets met. Made by `{command}` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, "
        f"{bench_rounds(options)}, load average {os.getloadavg()[0]:.1f} at the end.",
        "",
        *_tables(figures),
        "",
        "## How to read it",
        "",
        *HOW_TO_READ,
        "",
        "[RESULTS-workers.md](RESULTS-workers.md) has the results on Workers: in workerd with Pyodide.",
        "",
        "## Details",
        "",
        *[f"- {figure.what}: {figure.note}" for figure in figures if figure.note],
        "",
        "## Machine",
        "",
        f"- {os.cpu_count()} CPUs ({_cpu_model()}), {platform.system()} {platform.release()}",
        f"- JS: npm agents {packages['agents']}, esbuild {packages['esbuild']}, workerd {workerd} without a proxy",
        f"- Python: CPython {platform.python_version()}, agents_runtime {version('agents_runtime')}, {servers}",
        "- Peers: " + ", ".join(f"{name} {peer.version_of(name)}" for name in ("huey", "APScheduler", "DBOS", "mcp")),
    ]


def bench_rounds(options: argparse.Namespace) -> str:
    """How many runs the figures stand on."""
    return "one short trial run" if options.quick else f"median of {options.rounds} interleaved runs"


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
