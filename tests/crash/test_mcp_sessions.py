"""What MCP sessions and tasks promise holds wherever the server dies: what was acknowledged is found again.

A session that was opened stays open. An event that was seen is never told again under another id, and what follows it
is told. A request that was under way is answered, with its result or with an error. A task that was acknowledged ends.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from agents_runtime.mcp.server.context import McpContext
from agents_runtime.mcp.tools.declare import tool
from agents_runtime.mcp_agent import McpAgent
from tests.js.harness import Server
from tests.mcp.legacy_client import Client
from tests.mcp.modern_client import ModernClient
from tests.mcp.raw_client import RawClient

PROJECT = Path(__file__).parents[1] / "mcp"


class Clerk(McpAgent):
    initial_state = {"filed": []}

    @tool
    async def file(self, ctx: McpContext, paper: str) -> str:
        """File a paper, and say so on the way."""
        self.set_state({"filed": [*self.state["filed"], paper]})
        ctx.progress(1, 2)
        await self._platform.clock.sleep(1)
        ctx.progress(2, 2)
        return f"filed {paper}"

    @tool(task="required")
    async def sign(self, ctx: McpContext, paper: str) -> str:
        """Have a paper signed."""
        answer = await ctx.elicit(f"Sign {paper}?", {"yes": "boolean"})
        return f"{paper}: {answer.content['yes']}"


ENDPOINT = Clerk.serve("/mcp")


async def worker(request, env, ctx):
    return await ENDPOINT.fetch(request, env, ctx)


async def test_whenever_it_dies_the_session_stays_and_each_request_is_answered(runtime):
    runtime.bind(Clerk)
    runtime.serve(worker)

    async def story(world):
        client = Client(world)
        await client.initialize()
        yield "session", client
        call = {"name": "file", "arguments": {"paper": "a"}, "_meta": {"progressToken": 1}}
        stream = await client.open("tools/call", call)
        while (event := await stream.next()) is not None:
            yield "event", event
            if event.data and json.loads(event.data).get("params", {}).get("progress") == 1:
                await world.advance(seconds=1)

    async def invariant(world, acknowledged):
        kinds = [kind for kind, _ in acknowledged]
        if "session" not in kinds:
            return
        client = acknowledged[kinds.index("session")][1]
        client.runtime = world
        assert (await client.call("ping"))["result"] == {}
        seen = [event for kind, event in acknowledged if kind == "event"]
        if not seen:
            return
        resumed = await client.listen(seen[-1].id)
        assert resumed.status == 200
        told = list(seen)
        while (event := await resumed.next()) is not None:
            told.append(event)
        ids = [event.id for event in told]
        assert len(set(ids)) == len(ids)
        assert [int(number.partition(":")[2]) for number in ids] == list(range(1, len(ids) + 1))
        last = json.loads(told[-1].data)
        assert last["id"] == 1
        assert ("result" in last) != ("error" in last)

    report = await runtime.crash_sweep(story, invariant)
    assert report.runs > 10


async def test_whenever_it_dies_an_acknowledged_task_comes_to_its_end(runtime):
    runtime.bind(Clerk)
    runtime.serve(worker)

    async def story(world):
        client = ModernClient(world)
        task = await client.request("tools/call", name="sign", arguments={"paper": "p"})
        yield task["taskId"]
        await answer(client, task["taskId"])
        yield "answered"
        await world.settle()

    async def answer(client, task_id):
        found = await client.request("tasks/get", taskId=task_id)
        for _ in range(100):
            if found["status"] != "working":
                break
            await client.runtime.settle()
            await client.runtime.advance(seconds=30)
            found = await client.request("tasks/get", taskId=task_id)
        if found["status"] == "input_required":
            (key,) = found["inputRequests"]
            answers = {key: {"action": "accept", "content": {"yes": True}}}
            assert await client.request("tasks/update", taskId=task_id, inputResponses=answers) == {}
        return found

    async def invariant(world, acknowledged):
        if not acknowledged:
            return
        client = ModernClient(world)
        found = await answer(client, acknowledged[0])
        assert found["status"] in ("input_required", "completed")
        for _ in range(100):
            found = await client.request("tasks/get", taskId=acknowledged[0])
            if found["status"] == "completed":
                break
            await world.advance(seconds=30)
        assert found["result"]["content"][0]["text"] == "p: True"

    report = await runtime.crash_sweep(story, invariant)
    assert report.runs > 10


@pytest.fixture
def server(tmp_path):
    server = Server(PROJECT, tmp_path / "data", "--config", "sessions.wrangler.jsonc", "--durability", "process")
    server.start()
    yield server
    server.stop()


def test_a_killed_server_goes_on_with_sessions_streams_and_tasks(server):
    client = RawClient(server.port)
    client.initialize()
    done = client.call("slow_compute", seconds=0.3, label="done")
    first = done.next()
    assert done.messages()[-1]["result"]["content"][0]["text"] == "computed done for 0.3 s"
    working = client.call("slow_compute", seconds=30)
    second = working.next()
    listening = client.listen()
    task = client.modern("tools/call", name="slow_compute", arguments={"seconds": 1, "label": "task"})["result"]
    assert client.modern("tasks/get", taskId=task["taskId"])["result"]["status"] == "working"
    server.kill()
    assert all("id" not in message for message in working.messages())
    assert listening.messages() == []
    server.start()

    assert client.listen(first.id).messages()[-1]["result"]["content"][0]["text"] == "computed done for 0.3 s"
    lost = client.listen(second.id).messages()[-1]
    assert "restarted" in lost["error"]["message"]
    listening = client.listen()
    assert client.call("test_trigger_tool_change").messages()[-1]["result"]
    assert "list_changed" in listening.next().data
    deadline = time.monotonic() + 30
    while (found := client.modern("tasks/get", taskId=task["taskId"])["result"])["status"] == "working":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert found["result"]["content"][0]["text"] == "computed task for 1 s"
    client.close()
