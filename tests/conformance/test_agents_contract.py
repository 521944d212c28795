"""Agents on every host: clients, calls, state, lifecycle, handles, errors. Their exact frames are in tests/wire."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.conformance.test_objects_contract import until
from tests.conformance.worlds import Closed, Refused
from tests.workerd.rig import RemoteError


class Client:
    """A client of an agent, on top of a plain WebSocket."""

    def __init__(self, wire):
        self.wire = wire
        self.calls = 0

    async def next(self) -> Any:
        frame = await self.wire.receive()
        return json.loads(frame) if isinstance(frame, str) and frame.startswith("{") else frame

    async def until(self, kind):
        while not isinstance(frame := await self.next(), dict) or frame.get("type") != kind:
            pass
        return frame

    async def send(self, frame):
        await self.wire.send(json.dumps(frame))

    async def call(self, method, *args) -> Any:
        """The result of a call; the error's text as an exception."""
        self.calls += 1
        await self.send({"type": "rpc", "id": str(self.calls), "method": method, "args": args})
        while (frame := await self.until("rpc"))["id"] != str(self.calls):
            pass
        if not frame["success"]:
            raise RuntimeError(frame["error"])
        return frame.get("result")


async def joined(world, name, agent="desk", **headers):
    client = Client(await world.connect(f"/agents/{agent}/{name}?_pk=me", **headers))
    assert [(await client.next())["type"] for _ in range(3)] == [
        "cf_agent_identity", "cf_agent_state", "cf_agent_mcp_servers",
    ]  # fmt: skip
    return client


async def test_calls_change_the_state_for_everyone(world, name):
    first, second = await joined(world, name), await joined(world, name)
    assert await first.call("increment", 2) == 2
    assert (await second.until("cf_agent_state"))["state"] == {"count": 2}
    await second.send({"type": "cf_agent_state", "state": {"count": 7}})
    assert (await first.until("cf_agent_state"))["state"] == {"count": 7}
    assert await first.call("increment") == 8


async def test_a_refused_state_comes_back_to_its_sender(world, name):
    client = await joined(world, name)
    await client.send({"type": "cf_agent_state", "state": {"count": -1}})
    frames = [await client.next() for _ in range(2)]
    assert {frame["type"] for frame in frames} == {"cf_agent_state", "cf_agent_state_error"}
    assert await client.call("increment") == 1


async def test_connections_and_state_survive_eviction(world, name):
    client = await joined(world, name)
    await client.call("increment", 3)
    await world.evict("DESK", name)
    assert await client.call("increment") == 4
    assert await client.call("me") == [True, "me", name]


async def test_state_hooks_and_starts_are_noted_in_order(world, name):
    client = await joined(world, name)
    await client.call("increment")
    await client.send({"type": "cf_agent_state", "state": {"count": 5}})
    await client.call("echo", None)
    expected = ["start None", "state 0 by server", "state 1 by server", "state 5 by client"]
    assert await until(lambda: client.call("notes"), expected) == expected
    await world.evict("DESK", name)
    assert await client.call("notes") == [*expected, "start None"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1,
        2.5,
        9_007_199_254_740_991,
        "é😀",
        [],
        [[1, {"a": None}]],
        {"a": {"b": [1, 2.5]}},
    ],
    ids=repr,
)
async def test_values_come_back_from_calls(world, name, value):
    assert await (await joined(world, name)).call("echo", value) == value


async def test_columns_of_integers_hold_integers(world, name):
    assert await (await joined(world, name)).call("integers") == ["integer", 1_800_000_000_000, 1]


@pytest.mark.parametrize(
    ("how", "told"), [("other", "what went wrong"), ("sql", "Storage error")], ids=["an exception", "an SQL error"]
)
async def test_a_client_is_told_no_details(world, name, how, told):
    with pytest.raises(RuntimeError) as caught:
        await (await joined(world, name)).call("fail", how)
    assert str(caught.value) == told


async def test_a_streaming_call_sends_chunks_and_a_result(world, name):
    client = await joined(world, name)
    await client.send({"type": "rpc", "id": "s", "method": "count_to", "args": [3]})
    frames = [await client.until("rpc") for _ in range(4)]
    assert [frame.get("result") for frame in frames] == [0, 1, 2, "done"]
    assert [frame["done"] for frame in frames] == [False, False, False, True]


async def test_text_and_bytes_reach_on_message(world, name):
    client = await joined(world, name)
    await client.wire.send("hello")
    assert await client.next() == "text hello"
    await client.wire.send(b"\x00\x01\xff")
    assert await client.next() == b"\xff\x01\x00"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"type":"rpc","id":"1","method":"echo","args":[' + "[" * 100_000 + "]" * 100_000 + "]}",
    ],
    ids=["arrays", "objects", "a call"],
)
async def test_json_that_nests_deep_harms_nobody(world, name, text):
    client = await joined(world, name)
    await client.wire.send(text)
    assert str(await client.next()).startswith("text ")
    assert await client.call("echo", "still here") == "still here"


async def test_closes_are_told_and_answered(world, name):
    client, other = await joined(world, name), await joined(world, name)
    assert await client.wire.close(4001, "bye") == (4001, "bye")
    expected = ["start None", "state 0 by server", "close 4001 bye"]
    assert await until(lambda: other.call("notes"), expected) == expected


async def test_requests_reach_on_request(world, name):
    answer = await world.fetch(f"/agents/desk/{name}/sub?x=1", "POST", "body")
    assert answer.json() == {"name": name, "method": "POST", "body": "body"}
    assert (await world.fetch("/agents/nobody/x")).status == 400
    assert (await world.fetch("/elsewhere")).status == 404


async def test_a_failing_request_tells_nothing(world, name):
    answer = await world.fetch(f"/agents/desk/{name}/boom")
    assert (answer.status, answer.text) == (500, "Internal Server Error")


async def test_a_response_may_be_streamed(world, name):
    async with world.stream(f"/agents/desk/{name}/stream") as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


async def test_a_start_that_failed_is_tried_again_by_the_next_event(world, name):
    assert (await world.fetch(f"/agents/slow/{name}")).status == 500
    wire = await world.connect(f"/agents/slow/{name}?_pk=a")
    client = Client(wire)
    assert await client.call("ping") == "pong"


async def test_events_that_arrive_during_a_start_wait_for_it(world, name):
    await world.fetch(f"/agents/slow/{name}")
    answers = await asyncio.gather(*(world.fetch(f"/agents/slow/{name}") for _ in range(5)))
    assert {answer.status for answer in answers} == {404}


async def test_many_agents_start_at_once(world, name):
    clients = await asyncio.gather(*(joined(world, f"{name}-{number}") for number in range(10)))
    assert await asyncio.gather(*(client.call("increment") for client in clients)) == [1] * 10


async def test_handles_carry_names_props_and_results(world, name):
    client = await joined(world, name)
    peer = f"{name}-peer"
    assert await client.call("ask_with_names", peer) == [
        5, 5, [f"start {{'from': '{name}'}}", "state 0 by server", "state 5 by server"],
    ]  # fmt: skip


async def test_an_error_of_another_agent_has_no_traceback(world, name):
    kind, text = await (await joined(world, name)).call("ask", f"{name}-peer", "fail", "other")
    assert kind == "RemoteError"
    assert "what went wrong" in text
    assert "Traceback" not in text
    assert "File" not in text


async def test_a_destroyed_agent_says_goodbye_and_begins_anew(world, name):
    client = await joined(world, name)
    await client.call("increment", 4)
    await client.send({"type": "rpc", "id": "d", "method": "finish", "args": []})
    assert await client.wire.ended() == (1001, "Durable Object destroyed")
    assert await first_answer(world, name, "increment") == 1, "nothing may be left of it"
    assert (await (await joined(world, name)).call("notes"))[:1] == ["start None"]


async def first_answer(world, name, method):
    """The first result that a new connection gets; those that are turned away try again, as clients do."""
    for _ in range(50):
        try:
            return await (await joined(world, name)).call(method)
        except (Closed, Refused):
            await asyncio.sleep(0.02)
    return "no answer"


async def test_an_agent_can_be_called_over_plain_rpc(world, name):
    assert await world.call("DESK", name, "increment", 2) == 2
    with pytest.raises(RemoteError) as caught:
        await world.call("DESK", name, "fail", "other")
    assert caught.value.message.rstrip().endswith("ValueError: what went wrong")


@pytest.mark.slow
async def test_connected_clients_find_their_agent_after_a_restart(world, name):
    client = await joined(world, name)
    await client.call("increment", 3)
    await client.wire.drop()
    await world.restart()
    again = await joined(world, name)
    assert await again.call("increment") == 4
