"""A real server process is killed with SIGKILL under load, again and again, and loses nothing it acknowledged.

The moments of the kills come from a seed, which is printed; AGENTS_KILL_SEED=<seed> repeats them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import sys
import textwrap
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
import pytest
import websockets

logger = logging.getLogger(__name__)

ROUNDS = 10
COUNTERS = ("alpha", "beta", "shared")
LONGEST_LOAD_S = 0.5
READY_S = 15.0

WRANGLER = """
    name = "tally"
    main = "tally_main.py"
    compatibility_date = "2026-06-01"
    compatibility_flags = ["python_workers"]

    [[durable_objects.bindings]]
    name = "Tally"
    class_name = "Tally"

    [[migrations]]
    tag = "v1"
    new_sqlite_classes = ["Tally"]
"""

MAIN = """
    from agents_runtime import Agent, callable, route_agent_request
    from workers import Response, WorkerEntrypoint

    class Tally(Agent):
        initial_state = {"count": 0}

        @callable
        async def increment(self):
            count = self.state["count"] + 1
            await self.set_state({"count": count})
            self.sql("CREATE TABLE IF NOT EXISTS log (count INTEGER PRIMARY KEY)")
            self.sql("INSERT INTO log VALUES (?)", count)
            return count

        @callable
        async def audit(self):
            self.sql("CREATE TABLE IF NOT EXISTS log (count INTEGER PRIMARY KEY)")
            [row] = self.sql("SELECT count(*) AS rows, coalesce(max(count), 0) AS last FROM log")
            return {"state": self.state["count"], **row}

        async def on_request(self, request):
            return Response(str(await self.increment()))

    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            return await route_agent_request(request, self.env) or Response("Not found", status=404)
"""


@dataclass
class Record:
    """What the clients were told, and what they asked for, by counter."""

    acknowledged: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    seen: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class ServerProcess:
    """`agents-runtime serve` on the project in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __aenter__(self) -> Self:
        self._log = (self._folder / "server.log").open("ab")
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agents_runtime.local.cli", "serve"),
            *("--port", "0", "--data", "data", "--log-format", "json", "--no-access-log"),
            cwd=self._folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._log,
        )
        assert self._process.stdout is not None
        self.port = await asyncio.wait_for(self._ready_port(self._process.stdout), READY_S)
        self._drain = asyncio.create_task(self._process.stdout.read())
        return self

    async def __aexit__(self, *error: object) -> None:
        self.kill()
        await self._process.wait()
        await self._drain
        self._log.close()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _ready_port(self, output: asyncio.StreamReader) -> int:
        async for line in output:
            event = json.loads(line)
            if event.get("event") == "ready":
                return int(event["url"].rpartition(":")[2])
        raise AssertionError(f"the server ended:\n{(self._folder / 'server.log').read_text()}")


async def count_over_websocket(port: int, name: str, record: Record) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{port}/agents/tally/{name}") as socket:
        while True:
            record.asked[name] += 1
            await socket.send(json.dumps({"type": "rpc", "id": "1", "method": "increment", "args": []}))
            async for text in socket:
                frame = json.loads(text)
                if frame["type"] == "cf_agent_state":
                    record.seen[name] = max(record.seen[name], frame["state"]["count"])
                elif frame["type"] == "rpc":
                    assert frame["success"], frame
                    record.acknowledged[name].append(frame["result"])
                    break


async def count_over_http(port: int, name: str, record: Record) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        while True:
            record.asked[name] += 1
            response = await client.post(f"/agents/tally/{name}")
            assert response.status_code == 200, response.text
            record.acknowledged[name].append(int(response.text))


async def until_cut_off(work) -> None:
    """Run a client until the server dies under it."""
    with contextlib.suppress(httpx.TransportError, websockets.WebSocketException, OSError, EOFError):
        await work


async def load_and_kill(server: ServerProcess, record: Record, load_s: float) -> None:
    async with asyncio.TaskGroup() as clients, asyncio.timeout(20):
        for work in (
            count_over_websocket(server.port, "alpha", record),
            count_over_http(server.port, "beta", record),
            count_over_websocket(server.port, "shared", record),
            count_over_websocket(server.port, "shared", record),
            count_over_http(server.port, "shared", record),
        ):
            clients.create_task(until_cut_off(work))
        await asyncio.sleep(load_s)
        server.kill()


async def ask_audit(port: int, name: str) -> dict[str, int]:
    async with asyncio.timeout(10), websockets.connect(f"ws://127.0.0.1:{port}/agents/tally/{name}") as socket:
        await socket.send(json.dumps({"type": "rpc", "id": "audit", "method": "audit", "args": []}))
        async for text in socket:
            frame = json.loads(text)
            if frame["type"] == "rpc":
                assert frame["success"], frame
                return frame["result"]
    raise AssertionError("the connection ended before the audit was answered")


async def audit(server: ServerProcess, record: Record, context: str) -> None:
    for name in COUNTERS:
        stored = await ask_audit(server.port, name)
        acknowledged = record.acknowledged[name]
        told = max([record.seen[name], *acknowledged])
        assert stored["state"] >= told, f"{name}: {told} was told to a client, {stored} is stored; {context}"
        assert stored["state"] == stored["rows"] == stored["last"], (
            f"{name}: half a turn is stored: {stored}; {context}"
        )
        assert stored["state"] <= record.asked[name], f"{name}: {stored}, asked {record.asked[name]} times; {context}"
        assert len(set(acknowledged)) == len(acknowledged), f"{name}: one number was given out twice; {context}"


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(tmp_path):
    (tmp_path / "wrangler.toml").write_text(textwrap.dedent(WRANGLER))
    (tmp_path / "tally_main.py").write_text(textwrap.dedent(MAIN))
    seed = int(os.environ.get("AGENTS_KILL_SEED") or random.randrange(2**32))
    logger.warning("AGENTS_KILL_SEED=%s", seed)  # shown when the test fails
    moments = random.Random(seed)
    record = Record()
    for round_number in range(ROUNDS):
        load_s = moments.uniform(0.02, LONGEST_LOAD_S)
        context = f"AGENTS_KILL_SEED={seed}, round {round_number}, killed after {load_s:.3f} s of load"
        async with ServerProcess(tmp_path) as server:
            if round_number:
                await audit(server, record, context)
            await load_and_kill(server, record, load_s)
    async with ServerProcess(tmp_path) as server:
        await audit(server, record, f"AGENTS_KILL_SEED={seed}, after the last round")
    assert all(record.acknowledged[name] for name in COUNTERS), "the load never got through, so nothing was tested"
