"""What user code may rely on in a Durable Object: calls, values, errors, gates, background work, HTTP."""

from __future__ import annotations

import asyncio

import pytest

from tests.conformance.differences import differs
from tests.workerd.rig import RemoteError


async def until(ask, wanted, seconds=5.0):
    """Ask until the answer is the wanted one; the last answer when it never was."""
    answer = None
    for _ in range(int(seconds / 0.02)):
        answer = await ask()
        if answer == wanted:
            break
        await asyncio.sleep(0.02)
    return answer


async def test_an_object_knows_its_name_and_id(world, name):
    assert await world.call("PROBE", name, "who") == [name, 64]


async def test_the_environment_has_the_variables_and_nothing_else(world, name):
    assert await world.call("PROBE", name, "settings") == ["hello", "absent", True]


async def test_memory_lasts_until_eviction_and_storage_beyond_it(world, name):
    assert [await world.call("PROBE", name, "count") for _ in range(2)] == [1, 2]
    await world.call("PROBE", name, "note", "kept")
    await world.evict("PROBE", name)
    assert await world.call("PROBE", name, "count") == 1
    assert await world.call("PROBE", name, "notes") == ["kept"]


async def test_values_that_json_has_cross_unchanged(world, name):
    assert await world.call("PROBE", name, "relay", f"{name}-peer") == {
        "none": None, "yes": True, "int": 7, "float": 2.5, "whole": 2, "text": "é😀", "list": [1, [None]],
        "dict": {"a": None},
    }  # fmt: skip


async def test_what_values_become_in_another_object(world, name):
    types = await world.call("PROBE", name, "relay_types", f"{name}-peer")
    assert types == [
        "NoneType", "bool", "int", "int", "float", "str", "list", "JsDict", "memoryview", "set", "datetime",
    ]  # fmt: skip


async def test_values_that_cannot_be_sent(world, name):
    refused = await world.call("PROBE", name, "relay_refused", f"{name}-peer")
    assert refused == {
        "object": "DataCloneError", "function result": "DataCloneError", "complex": "DataCloneError",
        "frozenset": "DataCloneError", "tuple": "TypeError", "bytearray": "TypeError", "nested tuple": "TypeError",
    }  # fmt: skip


async def test_keyword_arguments_do_not_arrive_as_such(world, name):
    arrived = await world.call("PROBE", name, "relay_keywords", f"{name}-peer")
    assert arrived == [1, {"b": 2}]


async def test_even_a_call_to_oneself_copies(world, name):
    assert await world.call("PROBE", name, "copies") == [{"list": [1]}, {"list": [1, 2]}]


async def test_an_exception_crosses_as_a_python_error_that_ends_with_its_text(world, name):
    seen = await world.call("PROBE", name, "ask", f"{name}-peer", "fail", "what is wrong")
    assert seen == {
        "type": "JsException",
        "name": "PythonError",
        "last": "ValueError: what is wrong",
        "is_exception": True,
    }
    own = await world.call("PROBE", name, "ask", f"{name}-peer", "fail_with_own")
    assert own["last"].endswith("Note: mine")


async def test_an_exception_undoes_no_write(world, name):
    with pytest.raises(RemoteError):
        await world.call("PROBE", name, "fail_after_write")
    assert await world.call("PROBE", name, "notes") == ["written before the failure"]


@pytest.mark.parametrize("method", ["nope", "attribute", "prop"])
async def test_what_is_no_method_cannot_be_called(world, name, method):
    with pytest.raises(RemoteError) as caught:
        await world.call("PROBE", name, method)
    assert method in caught.value.message


async def test_underscore_methods_are_reachable_for_whoever_holds_a_stub(world, name):
    assert await world.call("PROBE", name, "_hidden") == "underscore methods are reachable"


@differs(
    "Awaiting `ctx.storage.get` and `put`",
    workers="Events that have already entered the object run between two awaited storage calls.",
    local="Awaited storage calls never give up control, so nothing runs between them.",
    why="The gates of the platform hold back events that arrive, not Python code that has begun. Read and write with "
    "`ctx.storage.sql` and `ctx.storage.kv`, which wait for nothing, or use `blockConcurrencyWhile`.",
)
async def test_storage_calls_between_awaits(world, name):
    await world.call("PROBE", name, "count")
    calls = (world.call("PROBE", name, "increment_through_storage") for _ in range(5))
    values = sorted(await asyncio.gather(*calls))
    assert set(values) <= {1, 2, 3, 4, 5} if world.is_real else values == [1, 2, 3, 4, 5]


async def test_synchronous_storage_admits_nobody(world, name):
    calls = (world.call("PROBE", name, "increment") for _ in range(5))
    assert sorted(await asyncio.gather(*calls)) == [1, 2, 3, 4, 5]


async def test_other_awaits_do_admit_others(world, name):
    calls = (world.call("PROBE", name, "increment_through_sleep") for _ in range(3))
    assert set(await asyncio.gather(*calls)) == {1}


async def test_blocked_parts_admit_nobody(world, name):
    calls = (world.call("PROBE", name, "increment_blocked") for _ in range(3))
    assert sorted(await asyncio.gather(*calls)) == [1, 2, 3]


async def test_events_interleave_at_awaits(world, name):
    await asyncio.gather(*(world.call("PROBE", name, "steps", label) for label in "ab"))
    notes = await world.call("PROBE", name, "notes")
    assert {note[2:] for note in notes[:2]} == {"begins"}
    assert {note[2:] for note in notes[2:]} == {"ends"}


async def test_a_failure_in_a_blocked_part_resets_the_object(world, name):
    await world.call("PROBE", name, "count")
    with pytest.raises(RemoteError) as caught:
        await world.call("PROBE", name, "block_and_fail")
    assert "blocked part failed" in caught.value.message
    assert await world.call("PROBE", name, "count") == 1


@pytest.mark.parametrize("way", ["later", "task"])
async def test_background_work_goes_on_after_the_answer(world, name, way):
    assert await world.call("PROBE", name, way, "done later") == "answered"
    notes = await until(lambda: world.call("PROBE", name, "notes"), ["done later"])
    assert notes == ["done later"]


@differs(
    "`wait_until` with a coroutine",
    workers="A coroutine handed to it in an object never runs. A task does.",
    local="Both run.",
    why="Nobody is helped by losing work in silence. Write `wait_until(asyncio.create_task(work()))`.",
)
async def test_wait_until_with_a_coroutine(world, name):
    await world.call("PROBE", name, "later_bare", "ran")
    notes = await until(lambda: world.call("PROBE", name, "notes"), ["ran"], seconds=0.5)
    assert notes == ([] if world.is_real else ["ran"])


async def test_an_abort_drops_the_memory_and_tells_the_caller_why(world, name):
    await world.call("PROBE", name, "count")
    with pytest.raises(RemoteError) as caught:
        await world.call("PROBE", name, "abort", "for a reason")
    assert "for a reason" in caught.value.message
    assert await world.call("PROBE", name, "count") == 1


async def test_an_abort_cannot_be_caught_as_an_exception(world, name):
    with pytest.raises(RemoteError) as caught:
        await world.call("PROBE", name, "abort_catching")
    assert "not to be caught" in caught.value.message


async def test_delete_all_leaves_an_empty_storage_and_the_memory(world, name):
    await world.call("PROBE", name, "count")
    assert await world.call("PROBE", name, "delete_everything") == [[], None, 2]


@differs(
    "A constructor that raises",
    workers="Every event gets that error until the object leaves memory. What the constructor wrote stays.",
    local="The next event constructs the object again. What the constructor wrote is undone.",
    why="Repeated errors help nobody on a laptop, and a crash there undoes writes too. Let a constructor only assign; "
    "start in `on_start`.",
)
async def test_an_object_whose_constructor_fails(world, name):
    for _ in range(2 if world.is_real else 1):
        with pytest.raises(RemoteError) as caught:
            await world.call("BROKEN", name, "has_tried")
        assert "broken from the start" in caught.value.message
    await world.evict("BROKEN", name)
    assert await world.call("BROKEN", name, "has_tried") is world.is_real


async def test_requests_reach_an_object_with_method_body_and_headers(world, name):
    answer = await world.fetch(f"/PROBE/{name}/body", "POST", "grüße")
    assert answer.json() == {"method": "POST", "text": "grüße"}
    answer = await world.fetch(f"/PROBE/{name}/headers", **{"X-Test": "sent"})
    assert (answer.status, answer.text, answer.headers["x-back"]) == (201, "sent", "yes")


async def test_an_uncaught_exception_is_a_500_without_details(world, name):
    answer = await world.fetch(f"/PROBE/{name}/boom")
    assert answer.status == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_streamed_body_arrives_while_it_is_produced(world, name):
    loop = asyncio.get_running_loop()
    async with world.stream(f"/PROBE/{name}/ticks") as chunks:
        arrived = [(loop.time(), chunk) async for chunk in chunks]
    assert b"".join(chunk for _, chunk in arrived) == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert arrived[-1][0] - arrived[0][0] > 0.03
    assert await until(lambda: world.call("PROBE", name, "notes"), ["ticks ended"]) == ["ticks ended"]
