"""A real server process is killed with SIGKILL while tasks run: those accepted end, journaled steps are not redone.

The moments of the kills come from a seed, which is printed; AGENTS_KILL_SEED=<seed> repeats them.
"""

import asyncio
import contextlib
import json
import logging
import os
import random
import textwrap
from collections import Counter

import pytest
import websockets

from tests.crash.test_sigkill import ServerProcess

logger = logging.getLogger(__name__)

ROUNDS = 8
LONGEST_LOAD_S = 1.0
SETTLED_WITHIN_S = 25.0
STEPS = 4

WRANGLER = """
    name = "works"
    main = "works_main.py"
    compatibility_date = "2026-06-01"
    compatibility_flags = ["python_workers"]

    [[durable_objects.bindings]]
    name = "Works"
    class_name = "Works"

    [[migrations]]
    tag = "v1"
    new_sqlite_classes = ["Works"]
"""

MAIN = """
    import asyncio
    from pathlib import Path

    from agents_runtime import Agent, callable, route_agent_request, task
    from agents_runtime.tasks.step import get_current_step
    from workers import Response, WorkerEntrypoint

    EFFECTS = Path(__file__).with_name("effects.log")

    class Works(Agent):
        options = {"keep_alive_interval_ms": 500}

        @task
        async def chain(self, step, count):
            for number in range(count):
                await step.do(f"part {number}", self.act)
                await step.sleep(f"nap {number}", 0.05)
            return count

        async def act(self):
            with EFFECTS.open("a") as log:
                log.write(get_current_step().idempotency_key + "\\n")
            await asyncio.sleep(0.02)

        @callable
        async def start(self, run_id: str, count: int) -> str:
            return (await self.tasks.run("chain", count, run_id=run_id)).run_id

        @callable
        async def states(self) -> dict:
            return {info.run_id: info.state for info in await self.tasks.list(limit=1000)}

    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            return await route_agent_request(request, self.env) or Response("Not found", status=404)
"""


class Client:
    """One WebSocket on which calls are made one after the other."""

    def __init__(self, socket):
        self._socket = socket

    async def call(self, method, *args):
        await self._socket.send(json.dumps({"type": "rpc", "id": "1", "method": method, "args": args}))
        async for text in self._socket:
            frame = json.loads(text)
            if frame["type"] == "rpc":
                assert frame["success"], frame
                return frame["result"]
        raise ConnectionError("closed")


@contextlib.asynccontextmanager
async def connected(port, name):
    async with websockets.connect(f"ws://127.0.0.1:{port}/agents/works/{name}") as socket:
        yield Client(socket)


async def start_tasks(port, name, turn, acknowledged):
    async with connected(port, name) as client:
        for number in range(1_000):
            acknowledged.append(await client.call("start", f"{name}-{turn}-{number}", STEPS))
            await asyncio.sleep(0.05)


async def all_settled(port, name):
    async with connected(port, name) as client:
        async with asyncio.timeout(SETTLED_WITHIN_S):
            while True:
                states = await client.call("states")
                if all(state in ("completed", "failed", "cancelled") for state in states.values()):
                    return states
                await asyncio.sleep(0.2)


@pytest.mark.slow
async def test_accepted_tasks_end_whenever_the_process_is_killed(tmp_path):
    seed = int(os.environ.get("AGENTS_KILL_SEED") or random.randrange(2**32))
    logger.warning("AGENTS_KILL_SEED=%d", seed)
    moments = random.Random(seed)
    (tmp_path / "wrangler.toml").write_text(textwrap.dedent(WRANGLER))
    (tmp_path / "works_main.py").write_text(textwrap.dedent(MAIN))
    names = ("one", "two")
    acknowledged = {name: [] for name in names}
    for turn in range(ROUNDS):
        async with ServerProcess(tmp_path) as server:
            load = [asyncio.create_task(start_tasks(server.port, name, turn, acknowledged[name])) for name in names]
            await asyncio.sleep(moments.uniform(0.05, LONGEST_LOAD_S))
            server.kill()
            await asyncio.gather(*load, return_exceptions=True)
    async with ServerProcess(tmp_path) as server:
        states = {}
        for name in names:
            states |= await all_settled(server.port, name)
    accepted = [run_id for name in names for run_id in acknowledged[name]]
    assert len(accepted) > ROUNDS, f"too few to prove anything; AGENTS_KILL_SEED={seed}"
    assert {states.get(run_id) for run_id in accepted} == {"completed"}, f"AGENTS_KILL_SEED={seed}"
    done = Counter((tmp_path / "effects.log").read_text().splitlines())
    expected = {f"{run_id}:part {number}" for run_id in accepted for number in range(STEPS)}
    assert expected <= set(done), "each step ran"
    for run_id in accepted:
        times = [done[f"{run_id}:part {number}"] for number in range(STEPS)]
        assert sum(times) <= STEPS + ROUNDS, "a kill repeats the step it interrupts, and no other"
    assert max(done.values()) <= 5, "and no step is begun more often than it may be"
