"""The port that agents are built on answers the same on every host."""

from __future__ import annotations

import asyncio

import pytest

from tests.conformance.test_objects_contract import until
from tests.workerd.rig import RemoteError


async def test_sql_values(world, name):
    assert await world.call("PORTS", name, "sql_types") == [
        ["integer", "null", "NoneType", "None"],
        ["integer", "real", "int", "1"],
        ["integer", "real", "int", "0"],
        ["integer", "real", "int", "5"],
        ["integer", "real", "int", "2"],
        ["integer", "real", "float", "2.5"],
        ["integer", "text", "str", "'é'"],
        ["integer", "blob", "bytes", "b'\\x00\\xff'"],
        ["integer", "blob", "bytes", "b'mv'"],
        ["integer", "real", "int", "9007199254740990"],
    ]


async def test_sql_values_that_are_refused(world, name):
    refused = await world.call("PORTS", name, "sql_refused")
    assert refused[:2] == [
        f"the int {number} is beyond 2**53 - 2 and would be rounded on Workers; store it as str(value)"
        for number in (2**53, -(2**53))
    ]
    assert [text.split(" cannot ")[0] for text in refused[2:]] == ["a tuple", "a list", "a dict", "a object"]


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("select 1 as a, 'x' as b, null as c", [{"a": 1, "b": "x", "c": None}]),
        ("select 1 as a, 2 as a", [{"a": 2}]),
        ("  \n-- a comment\nselect 5 as n", [{"n": 5}]),
        ("create table if not exists t (a integer primary key, b)", []),
        ("with c as (select 7 as n) select n from c", [{"n": 7}]),
        ("pragma table_list", None),
        ("selec", 'near "selec": syntax error at offset 0: SQLITE_ERROR'),
        ("select * from nope", "no such table: nope: SQLITE_ERROR"),
    ],
)
async def test_sql_statements(world, name, query, answer):
    found = await world.call("PORTS", name, "sql", query, [])
    assert found == answer or (answer is None and isinstance(found, list)) or (found == f"Error: {answer}")


async def test_sql_writes_that_return_rows(world, name):
    await world.call("PORTS", name, "sql", "create table t (a integer primary key, b)", [])
    rows = await world.call("PORTS", name, "sql", "insert into t (b) values (?), (?) returning a, b", ["x", 2])
    assert rows == [{"a": 1, "b": "x"}, {"a": 2, "b": 2}]
    assert await world.call("PORTS", name, "sql", "update t set b = 3 where a = 1 returning b", []) == [{"b": 3}]
    cte = "with old as (select a from t where b = 3) delete from t where a in (select a from old) returning a"
    assert await world.call("PORTS", name, "sql", cte, []) == [{"a": 1}]
    assert await world.call("PORTS", name, "sql", "select a from t", []) == [{"a": 2}]


async def test_transactions_nest_and_keep_the_exception(world, name):
    assert await world.call("PORTS", name, "transact") == [True, [1], 1]


async def test_keys(world, name):
    first = {"list": [1, None, {"b": None}], "text": "é", "yes": True, "float": 1.5}
    assert await world.call("PORTS", name, "keys") == [first, None, None, 1_800_000_000_000, True, False, None]


async def test_keys_by_prefix(world, name):
    found = [["/a/1", "/a/10", "/a/2", "/a/é"], ["/b/1"], []]
    assert await world.call("PORTS", name, "keys_by_prefix") == found


async def test_identity_and_namespaces(world, name):
    own_name, digits, namespaces = await world.call("PORTS", name, "who")
    assert (own_name, digits) == (name, 64)
    assert {"PORTS", "PROBE", "DESK"} <= set(namespaces)
    assert not {"GREETING", "SETTINGS"} & set(namespaces)


async def test_chance_and_time(world, name):
    assert await world.call("PORTS", name, "chance") == [16, True, True]
    assert await world.call("PORTS", name, "clock") == [True, True]


async def test_the_alarm_reads_back_in_the_same_turn_and_after_eviction(world, name):
    assert await world.call("PORTS", name, "armed") is False
    assert await world.call("PORTS", name, "arm", 60_000)
    await world.evict("PORTS", name)
    assert await world.call("PORTS", name, "armed") is True
    assert await world.call("PORTS", name, "arm", None)
    await world.evict("PORTS", name)
    assert await world.call("PORTS", name, "armed") is False


async def test_the_alarm_can_be_read_within_a_transaction(world, name):
    await world.call("PORTS", name, "arm", 60_000)
    assert await world.call("PORTS", name, "armed_in_transaction") is True


async def test_the_alarm_fires_and_its_handler_has_none(world, name):
    await world.call("PORTS", name, "arm", 20)
    assert await until(lambda: world.call("PORTS", name, "fired"), [1, False]) == [1, False]


async def test_an_alarm_set_by_an_event_that_fails_is_set(world, name):
    with pytest.raises(RemoteError):
        await world.call("PORTS", name, "arm_and_fail")
    assert await until(lambda: world.call("PORTS", name, "fired"), [1, False]) == [1, False]


async def test_spawned_work_runs_after_the_answer_and_its_failure_harms_nobody(world, name):
    assert await world.call("PORTS", name, "spawn") == "answered"
    assert await until(lambda: world.call("PORTS", name, "stored", "spawned"), True) is True


async def test_blocked_work_admits_nobody_and_gives_its_result(world, name):
    calls = (world.call("PORTS", name, "block") for _ in range(3))
    assert sorted(await asyncio.gather(*calls)) == [1, 2, 3]


async def test_committed(world, name):
    assert await world.call("PORTS", name, "commit") == "committed"


async def test_deleting_everything(world, name):
    assert await world.call("PORTS", name, "wipe") == [[], None, None]
    assert await world.call("PORTS", name, "stored", "wiped") is None


async def test_an_abort_reaches_the_caller_and_the_object_lives_again(world, name):
    with pytest.raises(RemoteError) as caught:
        await world.call("PORTS", name, "abort")
    assert "aborted on purpose" in caught.value.message
    assert "Traceback" not in caught.value.message
    assert await world.call("PORTS", name, "stored", "x") is None


async def opened(world, name, tags=""):
    wire = await world.connect(f"/PORTS/{name}?{tags}")
    assert await wire.receive() == "welcome"
    return wire


async def asked(wire, text):
    await wire.send(text)
    return await wire.receive()


async def test_frames_go_both_ways_in_order(world, name):
    wire = await opened(world, name)
    for number in range(20):
        await wire.send(f"echo:{number}")
    assert [await wire.receive() for _ in range(20)] == [str(number) for number in range(20)]
    assert await asked(wire, b"\x00\x01\xff") == b"\xff\x01\x00"
    assert await asked(wire, "echo:") == ""


async def test_tags_and_attachment_survive_eviction(world, name):
    wire = await opened(world, name, "a,room:x")
    assert await asked(wire, "read:") == '{"n":0}'
    assert await asked(wire, 'write:{"n":1,"é":null}') == "written"
    assert await asked(wire, "life:") == "1"
    await world.evict("PORTS", name)
    assert await asked(wire, "life:") == "1"
    assert await asked(wire, "read:") == '{"n":1,"é":null}'
    assert await asked(wire, "tags:") == "a,room:x"


async def test_a_long_attachment_is_refused_and_the_old_one_stays(world, name):
    wire = await opened(world, name)
    answer = await asked(wire, "write:long")
    assert answer.startswith("ValueError: ")
    assert "16384" in answer
    assert await asked(wire, "read:") == '{"n":0}'


async def test_what_others_kept_with_a_socket_is_not_read_as_ours(world, name):
    wire = await opened(world, name)
    await wire.send("keep a number")
    await world.evict("PORTS", name)
    assert await asked(wire, "read:") == ""
    assert await asked(wire, 'write:{"n":2}') == "written"
    assert await asked(wire, "read:") == '{"n":2}'


async def test_sockets_are_listed_newest_first_and_by_tag(world, name):
    first, second = await opened(world, name, "a"), await opened(world, name, "b")
    assert await asked(first, "list:") == "other,me"
    assert await asked(second, "list:") == "me,other"
    assert await asked(first, "list:b") == "other"
    await world.evict("PORTS", name)
    assert await asked(second, "list:") == "me,other"
    await first.send("all:to everyone")
    assert [await wire.receive() for wire in (first, second)] == ["to everyone"] * 2


async def test_an_automatic_answer_does_not_wake_the_object(world, name):
    wire = await opened(world, name)
    assert await asked(wire, "auto:pong") == "set"
    assert await asked(wire, "life:") == "1"
    assert await asked(wire, "ping") == "pong"
    assert await asked(wire, "life:") == "2"


@pytest.mark.parametrize(("code", "reason"), [(1000, "bye"), (4001, "é"), (3000, "")])
async def test_a_close_is_told_and_answered_with_its_code(world, name, code, reason):
    wire, other = await opened(world, name), await opened(world, name)
    assert await wire.close(code, reason) == (code, reason)
    told = [code, reason, True, False, 1]
    assert await until(lambda: world.call("PORTS", name, "stored", "closed"), told) == told
    assert await asked(other, "list:") == "me"


async def test_a_connection_that_vanishes_is_told_as_1006(world, name):
    wire = await opened(world, name)
    await wire.drop()
    told = [1006, "WebSocket disconnected without sending Close frame.", False, False, 0]
    assert await until(lambda: world.call("PORTS", name, "stored", "closed"), told) == told


async def test_an_object_closes_a_connection_once(world, name):
    wire = await opened(world, name)
    await wire.send("close:4100:enough")
    assert await wire.ended() == (4100, "enough")
    assert (
        await until(lambda: world.call("PORTS", name, "stored", "send after close"), "SocketClosed") == "SocketClosed"
    )


async def test_a_handler_that_fails_leaves_the_connection_open(world, name):
    wire = await opened(world, name)
    await wire.send("fail:")
    assert await asked(wire, "echo:still here") == "still here"
