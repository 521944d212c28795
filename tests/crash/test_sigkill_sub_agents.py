"""A real server process is killed with SIGKILL while sub-agents are made, work and are deleted: nothing is half there.

The moments of the kills come from a seed, which is printed; AGENTS_KILL_SEED=<seed> repeats them.
"""

import asyncio
import json
import logging
import os
import random
import textwrap

import pytest
import websockets

from tests.crash.test_sigkill import ServerProcess

logger = logging.getLogger(__name__)

ROUNDS = 8
LONGEST_LOAD_S = 0.8
SETTLED_WITHIN_S = 25.0

WRANGLER = """
    name = "cells"
    main = "cells_main.py"
    compatibility_date = "2026-06-01"
    compatibility_flags = ["python_workers"]

    [[durable_objects.bindings]]
    name = "Tissue"
    class_name = "Tissue"

    [[migrations]]
    tag = "v1"
    new_sqlite_classes = ["Tissue"]
"""

MAIN = """
    from agents_runtime import Agent, callable, route_agent_request
    from workers import Response, WorkerEntrypoint

    class Cell(Agent):
        initial_state = {"marks": [], "done": 0}

        async def mark(self, text):
            self.set_state({**self.state, "marks": [*self.state["marks"], text]})
            await self.schedule(0.3, self.finish, text)

        async def finish(self, text):
            self.set_state({**self.state, "done": self.state["done"] + 1})

        async def inner(self, text):
            await (await self.sub_agent(Cell, "inner")).mark(text)

        async def report(self):
            inner = await (await self.sub_agent(Cell, "inner")).state
            return [self.state["marks"], inner["marks"], self.state["done"], inner["done"]]

    class Tissue(Agent):
        @callable
        async def grow(self, name: str) -> str:
            cell = await self.sub_agent(Cell, name)
            await cell.mark(name)
            await cell.inner(name)
            return name

        @callable
        async def cut(self, name: str) -> str:
            await self.delete_sub_agent(Cell, name)
            return name

        @callable
        async def cells(self) -> list:
            return [info.name for info in self.list_sub_agents()]

        @callable
        async def report(self, name: str) -> list:
            return await (await self.sub_agent(Cell, name)).report()

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


async def load(port, turn, grown, asked_to_cut, cut):
    async with websockets.connect(f"ws://127.0.0.1:{port}/agents/tissue/t") as socket:
        client = Client(socket)
        for number in range(1_000):
            name = f"{turn}-{number}"
            grown.append(await client.call("grow", name))
            if number % 3 == 0:
                asked_to_cut.append(name)
                cut.append(await client.call("cut", name))


@pytest.mark.slow
async def test_sub_agents_are_whole_or_gone_whenever_the_process_is_killed(tmp_path):
    seed = int(os.environ.get("AGENTS_KILL_SEED") or random.randrange(2**32))
    logger.warning("AGENTS_KILL_SEED=%d", seed)
    moments = random.Random(seed)
    (tmp_path / "wrangler.toml").write_text(textwrap.dedent(WRANGLER))
    (tmp_path / "cells_main.py").write_text(textwrap.dedent(MAIN))
    grown, asked_to_cut, cut = [], [], []
    for turn in range(ROUNDS):
        async with ServerProcess(tmp_path) as server:
            loading = asyncio.create_task(load(server.port, turn, grown, asked_to_cut, cut))
            await asyncio.sleep(moments.uniform(0.05, LONGEST_LOAD_S))
            server.kill()
            await asyncio.gather(loading, return_exceptions=True)
    assert len(grown) > ROUNDS, f"too few to prove anything; AGENTS_KILL_SEED={seed}"
    async with (
        ServerProcess(tmp_path) as server,
        websockets.connect(f"ws://127.0.0.1:{server.port}/agents/tissue/t") as socket,
    ):
        client = Client(socket)
        listed = set(await client.call("cells"))
        assert set(grown) - set(asked_to_cut) <= listed, "what was made is there"
        assert not listed & set(cut), "what was deleted is gone"
        for name in grown:
            if name in listed:
                marks, inner, *done = await settled(client, name)
                assert [marks, inner] == [[name], [name]], f"{name} is not whole; AGENTS_KILL_SEED={seed}"
                assert min(done) >= 1, f"what {name} planned has happened; AGENTS_KILL_SEED={seed}"
        for name in cut:
            assert await client.call("report", name) == [[], [], 0, 0], "a new one of that name has nothing of the old"


async def settled(client, name):
    """What a cell reports once everything it planned has happened."""
    async with asyncio.timeout(SETTLED_WITHIN_S):
        while min((report := await client.call("report", name))[2:]) < 1:
            await asyncio.sleep(0.1)
    return report
