"""Agents inside agents, on every host: calls, work that is due later, HTTP and WebSockets by nested URLs, deletion."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.workerd.rig import RemoteError

PATHS = pytest.mark.parametrize("path", [["a"], ["a", "b c/d", "é"]], ids=len)


def url_of(name: str, path: list[str]) -> str:
    from urllib.parse import quote

    return f"/agents/team/{name}" + "".join(f"/sub/member/{quote(step, safe='')}" for step in path)


async def until(read: Any, wanted: Any, seconds: float = 15.0) -> None:
    """Wait for `await read()` to be what is wanted."""
    async with asyncio.timeout(seconds):
        while (found := await read()) != wanted:
            await asyncio.sleep(0.05)
    assert found == wanted


async def frames(wire: Any, count: int) -> list[Any]:
    return [json.loads(await wire.receive()) for _ in range(count)]


async def test_children_have_state_and_tables_of_their_own(world, name):
    assert [await world.call("TEAM", name, "below", ["a"], "add", 2) for _ in range(2)] == [2, 4]
    assert await world.call("TEAM", name, "below", ["b"], "add", 1) == 1
    assert await world.call("TEAM", name, "members") == ["a", "b"]
    assert await world.call("TEAM", f"{name}-other", "members") == []


async def test_a_child_knows_its_path_and_calls_its_parent(world, name):
    assert await world.call("TEAM", name, "below", ["a", "b"], "who") == ["b", [name, "a", "b"], [name, "a"]]
    assert await world.call("TEAM", name, "below", ["a"], "ask_parent", "Team", "members") == ["a"]
    assert await world.call("TEAM", name, "below", ["a", "b"], "ask_parent", "Member", "members") == ["b"]


async def test_exceptions_keep_their_texts(world, name):
    with pytest.raises(RemoteError, match="ValueError: it cannot"):
        await world.call("TEAM", name, "below", ["a"], "fail")


async def test_children_nest_three_deep(world, name):
    assert await world.call("TEAM", name, "below", ["a", "b", "c"], "add", 1) == 1
    with pytest.raises(RemoteError, match="nest 3 deep at most"):
        await world.call("TEAM", name, "below", ["a", "b", "c", "d"], "add", 1)


async def test_what_cannot_be_a_child_is_refused(world, name):
    assert "has no Agent class 'Nobody'" in await world.call("TEAM", name, "refused", "Nobody", "x")
    assert "has no Agent class 'Parent'" in await world.call("TEAM", name, "refused", "Parent", "x")
    assert "255 bytes" in await world.call("TEAM", name, "refused", "Member", "x" * 300)
    assert await world.call("TEAM", name, "refused", "Member", "x" * 249) == "created"


@PATHS
async def test_schedules_queue_and_tasks_run_in_a_child(world, name, path):
    await world.call("TEAM", name, "below", path, "plan", 0.2, "planned")
    await until(lambda: world.call("TEAM", name, "below", path, "notes"), ["planned"])
    await world.call("TEAM", name, "below", path, "enqueue", "1", "2")
    await until(lambda: world.call("TEAM", name, "below", path, "notes"), ["planned", "1", "2"])
    await world.call("TEAM", name, "below", path, "begin")
    await until(lambda: world.call("TEAM", name, "below", path, "notes"), ["planned", "1", "2", "first", "second"])


@pytest.mark.parametrize("path", [[], ["a"]], ids=["root", "child"])
async def test_no_link_of_a_long_chain_of_alarms_is_lost(world, name, path):
    await world.call("TEAM", name, "below", path, "chain", 100)
    notes = [str(number) for number in range(100, -1, -1)]
    await until(lambda: world.call("TEAM", name, "below", path, "notes"), notes, 30)


async def test_a_child_cannot_call_its_root_while_that_starts(world, name):
    async with asyncio.timeout(20):
        [note] = await world.call("TEAM", f"{name}-eager", "notes")
    assert "the Team around this agent is starting and waits for it" in note
    assert await world.call("TEAM", f"{name}-eager", "below", ["first"], "ask_parent", "Team", "members") == ["first"]


@pytest.mark.parametrize("path", [[], ["a"]], ids=["root", "child"])
async def test_what_is_planned_after_an_undone_transaction_happens(world, name, path):
    await world.call("TEAM", name, "below", path, "undo_and_plan")
    await until(lambda: world.call("TEAM", name, "below", path, "notes"), ["kept"])


async def test_a_child_plans_while_its_root_starts(world, name):
    root = f"{name}-starter"
    assert await world.call("TEAM", root, "members") == ["first"]
    await until(lambda: world.call("TEAM", root, "below", ["first"], "notes"), ["planned at the start"])


async def test_what_is_planned_outlives_the_process(world, name):
    await world.call("TEAM", name, "below", ["a", "b"], "plan", 1.0, "planned")
    await world.restart()
    await until(lambda: world.call("TEAM", name, "below", ["a", "b"], "notes"), ["planned"], 15)


async def test_an_aborted_child_starts_again_with_what_it_stored(world, name):
    await world.call("TEAM", name, "below", ["a"], "add", 5)
    assert [await world.call("TEAM", name, "below", ["a"], "count") for _ in range(2)] == [1, 2]
    await world.call("TEAM", name, "interrupt", "a")
    assert await world.call("TEAM", name, "below", ["a"], "count") == 1
    assert await world.call("TEAM", name, "below", ["a"], "add", 1) == 6


async def test_children_that_destroy_themselves_leave_without_a_noise(world, name):
    rig = getattr(world, "rig", None)
    since = rig.log_size() if rig is not None else 0
    for path in (["a"], ["a", "b"], ["c"]):
        assert await world.call("TEAM", name, "below", path, "finish") == "gone"
    await until(lambda: world.call("TEAM", name, "members"), ["a"])
    assert rig is None or not [text for _, text in rig.console(since) if "was destroyed" in text]


async def test_a_deleted_child_is_gone_with_all_below_it(world, name):
    for path in (["a"], ["a", "b"]):
        await world.call("TEAM", name, "below", path, "note", "old")
        await world.call("TEAM", name, "below", path, "plan", 0.6, "late")
    await world.call("TEAM", name, "drop", "a")
    assert await world.call("TEAM", name, "members") == []
    await asyncio.sleep(0.8)
    assert await world.call("TEAM", name, "members") == []
    assert await world.call("TEAM", name, "below", ["a"], "members") == []
    assert await world.call("TEAM", name, "below", ["a", "b"], "notes") == []


@PATHS
async def test_a_child_destroys_itself(world, name, path):
    await world.call("TEAM", name, "below", path, "note", "old")
    wire = await world.connect(url_of(name, path))
    assert await world.call("TEAM", name, "below", path, "finish") == "gone"
    assert (await wire.ended())[0] == 1001
    await until(lambda: world.call("TEAM", name, "below", path[:-1], "members"), [])
    assert await world.call("TEAM", name, "below", path, "notes") == []


async def test_an_agent_takes_its_children_along(world, name):
    await world.call("TEAM", name, "below", ["a", "b"], "note", "old")
    await world.call("TEAM", name, "finish")
    await until(lambda: _quietly(world.call("TEAM", name, "members")), [])
    assert await world.call("TEAM", name, "below", ["a", "b"], "notes") == []


async def _quietly(call: Any) -> Any:
    """The result, or None while the object is about to leave memory."""
    try:
        return await call
    except RemoteError:
        return None


@PATHS
async def test_http_reaches_a_child(world, name, path):
    answer = await world.fetch(url_of(name, path) + "/x/y?q=1", "POST", "hello")
    assert answer.status == 200
    member, method, url, body = answer.text.replace(path[-1], "NAME", 1).split(" ")
    assert [member, method, body] == ["NAME", "POST", "hello"]
    assert url.endswith("/x/y?q=1")
    assert "/sub/" not in url


async def test_http_passes_the_gate_and_no_unknown_class(world, name):
    assert (await world.fetch(url_of(name, ["secret"]))).status == 403
    own = await world.fetch(f"/agents/team/{name}/sub/nobody/x")
    assert own.text.startswith(f"{name} GET")
    assert (await world.fetch(f"/agents/team/{name}/sub/member/a%00b")).status == 400
    forged = {"x-cf-agents-subagent-url": "http://x/sub/member/secret"}
    assert (await world.fetch(url_of(name, ["secret"]), **forged)).status == 403
    assert await world.call("TEAM", name, "members") == []


@PATHS
async def test_clients_of_a_child(world, name, path):
    one, two = [await world.connect(url_of(name, path) + f"?_pk={pk}") for pk in ("one", "two")]
    for wire in (one, two):
        identity, state, servers = await frames(wire, 3)
        assert [identity["name"], identity["agent"], state["state"]] == [path[-1], "member", {"n": 0}]
        assert servers["type"] == "cf_agent_mcp_servers"
    await one.send(json.dumps({"type": "rpc", "id": "1", "method": "add", "args": [3]}))
    first, second = await frames(one, 2)
    assert [first["type"], first["state"]] == ["cf_agent_state", {"n": 3}]
    assert [second["success"], second["result"]] == [True, 3]
    assert (await frames(two, 1))[0]["state"] == {"n": 3}
    await two.send("hello")
    assert [await wire.receive() for wire in (one, two)] == ["two: hello"] * 2
    await two.send(b"abc")
    assert await two.receive() == b"cba"
    assert await world.call("TEAM", name, "say", "to nobody") == 0
    assert await world.call("TEAM", name, "below", path, "say", "to all") == 2
    assert [await wire.receive() for wire in (one, two)] == ["to all"] * 2
    assert await one.close(4000, "enough") == (4000, "enough")
    await two.send("bye")
    assert await two.ended() == (4001, "as asked")
    await until(lambda: world.call("TEAM", name, "below", path, "say", "anyone?"), 0)
    assert "close one 4000" in await world.call("TEAM", name, "below", path, "notes")


async def test_clients_stay_connected_while_everything_sleeps(world, name):
    wire = await world.connect(url_of(name, ["a", "b"]) + "?_pk=one")
    await frames(wire, 3)
    await world.evict("TEAM", name)
    await world.call("TEAM", name, "below", ["a"], "interrupt", "b")
    await wire.send("hello")
    assert await wire.receive() == "one: hello"
    assert await world.call("TEAM", name, "below", ["a", "b"], "say", "again") == 1
    assert await wire.receive() == "again"


async def test_a_child_speaks_from_the_background(world, name):
    wire = await world.connect(url_of(name, ["a", "b"]))
    await frames(wire, 3)
    await world.call("TEAM", name, "below", ["a", "b"], "in_background", 0.3)
    assert await wire.receive() == "from the background"


async def test_a_refused_client_reads_why(world, name):
    wire = await world.connect(url_of(name, ["secret"]))
    assert await wire.ended() == (4403, "Sub-agent connection rejected (403)")
    wire = await world.connect(url_of(name, ["a", "b", "c", "d"]))
    assert await wire.ended() == (4404, "Sub-agent connection rejected (404)")


async def test_deletion_disconnects_clients(world, name):
    wires = [await world.connect(url_of(name, path)) for path in (["a"], ["a", "b"])]
    await world.call("TEAM", name, "drop", "a")
    assert [await wire.ended() for wire in wires] == [(1001, "Sub-agent deleted")] * 2


async def test_clients_lost_with_the_process_are_not_remembered(world, name):
    wire = await world.connect(url_of(name, ["a"]))
    await frames(wire, 3)
    await world.restart()
    assert await world.call("TEAM", name, "below", ["a"], "say", "anyone?") == 0
