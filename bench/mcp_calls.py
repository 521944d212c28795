"""Tool calls over MCP beside the official Python SDK and the JavaScript SDK on workerd, and what the imports cost."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import peer
from bench.figure import Bench, Figure
from bench.load import Run, Runs
from bench.mcp_servers import CLIENT, HEADERS, LEGACY, bytecode_environment, js_sdk, open_session, ours, python_sdk
from bench.process import Server

CONNECTIONS = 16
MODERN = "2026-07-28"
ANSWER = "Hello, Ada! Hello, Ada!"
TOOL = {"name": "greet", "arguments": {"name": "Ada", "times": 2}}
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": CLIENT,
}
IMPORT_ROUNDS = 9
OURS = "from agents_runtime import McpServer, create_mcp_handler; create_mcp_handler(McpServer('bench', '1'))"
TIMED = "{}import time; began = time.process_time(); {}; print((time.process_time() - began) * 1000)"


@dataclass(frozen=True)
class Load:
    """One way of calling the tool."""

    what: str
    version: str
    has_sessions: bool = False

    def options(self, path: str, sessions: list[str]) -> dict[str, object]:
        """What the load client is told."""
        is_modern = self.version == MODERN
        routing = {"mcp-method": "tools/call", "mcp-name": "greet"} if is_modern else {}
        headers = {**HEADERS, "mcp-protocol-version": self.version, **routing}
        params = {**TOOL, "_meta": META} if is_modern else TOOL
        return {
            "P": path,
            "X": "".join(f"{name}: {value}\r\n" for name, value in headers.items()),
            "B": json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}),
            "e": ANSWER,
            **({"S": ",".join(sessions)} if sessions else {}),
        }


LOADS = [
    Load(f"MCP tool call, stateless, {MODERN}", MODERN),
    Load(f"MCP tool call, stateless, {LEGACY}", LEGACY),
    Load(f"MCP tool call in a session, {LEGACY}", LEGACY, has_sessions=True),
]


def mcp(bench: Bench) -> list[Figure]:
    """Tool calls a second and their latency, for each way of calling; and what importing a server costs."""
    figures: list[Figure] = []
    with ours(bench.lab) as python, js_sdk(bench.lab) as js:
        for load in LOADS:
            kind = "sessions" if load.has_sessions else "stateless"
            with python_sdk(bench.lab, kind, "plain") as plain, python_sdk(bench.lab, kind, "tuned") as tuned:
                figures += _calls(bench, load, {"python": python, "sdk": plain, "sdk tuned": tuned, "js": js})
    return [*figures, _imports(bench)]


def _calls(bench: Bench, load: Load, servers: Mapping[str, Server]) -> list[Figure]:
    loads: dict[str, dict[str, object]] = {}
    for name, server in servers.items():
        path = "/session" if load.has_sessions and not name.startswith("sdk") else "/mcp"
        sessions = [open_session(server, path) for _ in range(CONNECTIONS)] if load.has_sessions else []
        loads[name] = load.options(path, sessions)
    n, few = bench.size(3_000), bench.size(600)
    many = _runs(bench, servers, loads, c=CONNECTIONS, n=n, w=n // 10)
    alone = _runs(bench, servers, loads, c=1, n=few, w=few // 10)
    wall = " / ".join(f"{name} {each.per_s:,.0f}" for name, each in many.items())
    p99 = " / ".join(f"{name} {each.p99_us / 1000:.2f}" for name, each in alone.items())
    rate, wait_ms = many["python"].per_cpu_s, alone["python"].p50_us / 1000

    def beside(name: str, at_least: float, called: str = "") -> list[Figure]:
        theirs, wait = many[name].per_cpu_s, alone[name].p50_us / 1000
        return [
            Figure(load.what, "per CPU-s", theirs, rate, at_least=at_least, peer=called, note="" if called else wall),
            Figure(load.what, "ms, p50", wait, wait_ms, at_most=1, peer=called, note="" if called else p99),
        ]

    sdk = f"the official Python SDK {peer.version_of('mcp')}"
    wall, p99 = f"per wall second: {wall}", f"p99 ms: {p99}"
    return [
        *beside("js", 2),
        *beside("sdk", 5, f"{sdk} as `pip install mcp` serves it"),
        *beside("sdk tuned", 1, "the same with uvloop, httptools and JSON answers"),
    ]


def _runs(
    bench: Bench, servers: Mapping[str, Server], loads: Mapping[str, Mapping[str, object]], **options: object
) -> dict[str, Runs]:
    """The same load on each server in turn, `rounds` times."""
    runs: dict[str, list[Run]] = {name: [] for name in servers}
    for number in range(bench.rounds):
        for name in servers if number % 2 == 0 else reversed(list(servers)):
            server = servers[name]
            found = bench.client.run(server, "http", H=f"127.0.0.1:{server.port}", t=60, **loads[name], **options)
            runs[name].append(found)
    return {name: Runs(found) for name, found in runs.items()}


def _imports(bench: Bench) -> Figure:
    """CPU time of importing what a server needs, and making one, beside `import mcp`; each in a new process.

    asyncio is there already, as in every server: it is no part of either, and most of what ours would take otherwise.
    """
    programs = {"python": (sys.executable, OURS), "sdk": (str(bench.lab / "peers/bin/python"), "import mcp")}
    bare, whole = (
        {name: [_import_ms(Path(python), before, statement) for _ in range(IMPORT_ROUNDS)][1:]
         for name, (python, statement) in programs.items()}
        for before in ("import asyncio; ", "")
    )  # fmt: skip
    ours_ms, theirs_ms = (statistics.median(bare[name]) for name in ("python", "sdk"))
    return Figure(
        "MCP server: import and create_mcp_handler, asyncio apart",
        "ms of CPU time",
        theirs_ms,
        ours_ms,
        at_most=0.1,
        peer=f"`import mcp` of the official Python SDK {peer.version_of('mcp')}",
        note="with asyncio: " + " / ".join(f"{name} {statistics.median(times):.0f}" for name, times in whole.items()),
    )


def _import_ms(python: Path, before: str, statement: str) -> float:
    command = [str(python), "-c", TIMED.format(before, statement)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=bytecode_environment())
    return float(result.stdout)
