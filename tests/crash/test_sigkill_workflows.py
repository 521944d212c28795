"""A real server process is killed with SIGKILL while workflows run: those started end, and journaled steps stay done.

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
ENDED_WITHIN_S = 25.0
STEPS = 4

WRANGLER = """
    name = "works"
    main = "flow_main.py"
    compatibility_date = "2026-06-01"
    compatibility_flags = ["python_workers"]

    [[durable_objects.bindings]]
    name = "Works"
    class_name = "Works"

    [[workflows]]
    name = "chain"
    binding = "CHAIN"
    class_name = "Chain"

    [[migrations]]
    tag = "v1"
    new_sqlite_classes = ["Works"]
"""

MAIN = """
    import asyncio
    from pathlib import Path

    from agents_runtime import Agent, AgentWorkflow, callable, route_agent_request
    from workers import Response, WorkerEntrypoint

    EFFECTS = Path(__file__).with_name("effects.log")

    def log(what):
        with EFFECTS.open("a") as file:
            file.write(what + "\\n")

    class Works(Agent):
        @callable
        async def start(self, workflow_id: str, count: int) -> str:
            return await self.run_workflow("CHAIN", {"count": count}, id=workflow_id)

        @callable
        async def states(self) -> dict:
            found, cursor = {}, None
            while True:
                page = await self.get_workflows(limit=100, cursor=cursor)
                found |= {info.workflow_id: info.status for info in page.workflows}
                cursor = page.next_cursor
                if cursor is None:
                    return found

        def on_workflow_complete(self, name, workflow_id, result):
            log(f"{workflow_id}:told")

    class Chain(AgentWorkflow):
        async def run(self, event, step):
            for number in range(event["payload"]["count"]):
                @step.do(f"part {number}")
                async def part():
                    log(f"{self.workflow_id}:part {number}")
                    await asyncio.sleep(0.02)

                await part()
                await step.sleep(f"nap {number}", 50)
            return event["payload"]["count"]

    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            return await route_agent_request(request, self.env) or Response("Not found", status=404)
"""


@contextlib.asynccontextmanager
async def connected(port, name):
    async with websockets.connect(f"ws://127.0.0.1:{port}/agents/works/{name}") as socket:

        async def call(method, *args):
            await socket.send(json.dumps({"type": "rpc", "id": "1", "method": method, "args": args}))
            async for text in socket:
                frame = json.loads(text)
                if frame["type"] == "rpc":
                    assert frame["success"], frame
                    return frame["result"]
            raise ConnectionError("closed")

        yield call


async def start_workflows(port, name, turn, acknowledged):
    async with connected(port, name) as call:
        for number in range(1_000):
            acknowledged.append(await call("start", f"{name}-{turn}-{number}", STEPS))
            await asyncio.sleep(0.05)


async def all_ended(port, name):
    async with connected(port, name) as call, asyncio.timeout(ENDED_WITHIN_S):
        while True:
            states = await call("states")
            if all(state in ("complete", "errored", "terminated") for state in states.values()):
                return states
            await asyncio.sleep(0.2)


@pytest.mark.slow
async def test_started_workflows_end_whenever_the_process_is_killed(tmp_path):
    seed = int(os.environ.get("AGENTS_KILL_SEED") or random.randrange(2**32))
    logger.warning("AGENTS_KILL_SEED=%d", seed)
    moments = random.Random(seed)
    (tmp_path / "wrangler.toml").write_text(textwrap.dedent(WRANGLER))
    (tmp_path / "flow_main.py").write_text(textwrap.dedent(MAIN))
    names = ("one", "two")
    acknowledged = {name: [] for name in names}
    for turn in range(ROUNDS):
        async with ServerProcess(tmp_path) as server:
            load = [asyncio.create_task(start_workflows(server.port, name, turn, acknowledged[name])) for name in names]
            await asyncio.sleep(moments.uniform(0.05, LONGEST_LOAD_S))
            server.kill()
            await asyncio.gather(*load, return_exceptions=True)
    async with ServerProcess(tmp_path) as server:
        states = {}
        for name in names:
            states |= await all_ended(server.port, name)
    started = [workflow_id for name in names for workflow_id in acknowledged[name]]
    assert len(started) > ROUNDS, f"too few to prove anything; AGENTS_KILL_SEED={seed}"
    assert {states.get(workflow_id) for workflow_id in started} == {"complete"}, f"AGENTS_KILL_SEED={seed}"
    done = Counter((tmp_path / "effects.log").read_text().splitlines())
    for workflow_id in started:
        assert done[f"{workflow_id}:told"] >= 1, "its agent was told"
        times = [done[f"{workflow_id}:part {number}"] for number in range(STEPS)]
        assert min(times) >= 1, "each step ran"
        assert sum(times) <= STEPS + ROUNDS, "a kill repeats the step it interrupts, and no other"
    assert set(states) >= set(started)
