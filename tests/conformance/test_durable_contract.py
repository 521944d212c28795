"""Tasks, fibers and approvals on every host: they go on after the object was evicted, aborted or restarted."""

from __future__ import annotations

import asyncio
import contextlib

from tests.conformance.test_objects_contract import until


async def settled(world, name, run_id, expected, seconds=8.0):
    found = await until(lambda: world.call("DURABLE", name, "look", run_id), expected, seconds=seconds)
    assert found == expected


async def die(world, name):
    with contextlib.suppress(Exception):
        await world.call("DURABLE", name, "die")


async def test_a_task_runs_to_its_end(world, name):
    result = await world.call("DURABLE", name, "run", "work", ["bees", 2])
    assert result == {"topic": "bees", "pages": ["read bees 0", "read bees 1"]}
    assert await world.call("DURABLE", name, "notes") == ["plan bees", "read bees 0", "read bees 1"]


async def test_a_sleeping_task_outlives_memory(world, name):
    run_id, accepted = await world.call("DURABLE", name, "start", "work", ["bees", 1], "key")
    assert accepted
    assert await world.call("DURABLE", name, "start", "work", ["bees", 1], "key") == [run_id, False]
    await world.evict("DURABLE", name)
    await settled(world, name, run_id, ["completed", {"topic": "bees", "pages": ["read bees 0"]}])
    assert await world.call("DURABLE", name, "notes") == ["plan bees", "read bees 0"]


async def test_a_failing_step_is_tried_again(world, name):
    assert await world.call("DURABLE", name, "run", "flaky", []) == 3
    assert await world.call("DURABLE", name, "notes") == ["attempt 1", "attempt 2", "attempt 3"]


async def test_a_task_that_fails_says_why(world, name):
    reason = "StepFailed: the step 'fail' failed: ValueError: it cannot work"
    assert await world.call("DURABLE", name, "run", "hopeless", []) == reason


async def test_an_aborted_object_goes_on_with_the_step_that_was_interrupted(world, name):
    run_id, _ = await world.call("DURABLE", name, "start", "slow", [])
    notes = await until(lambda: world.call("DURABLE", name, "notes"), ["quick", "begun"])
    assert notes == ["quick", "begun"]
    await die(world, name)
    await settled(world, name, run_id, ["completed", "done"])
    assert await world.call("DURABLE", name, "notes") == ["quick", "begun", "begun", "ended"]


async def test_a_cancelled_task_does_nothing_more(world, name):
    run_id, _ = await world.call("DURABLE", name, "start", "slow", [])
    await until(lambda: world.call("DURABLE", name, "notes"), ["quick", "begun"])
    assert await world.call("DURABLE", name, "stop", run_id)
    await settled(world, name, run_id, ["cancelled", None])


async def test_a_task_waits_for_a_person(world, name):
    run_id, _ = await world.call("DURABLE", name, "start", "ask", [])
    await settled(world, name, run_id, ["waiting", None])
    await world.evict("DURABLE", name)
    assert await world.call("DURABLE", name, "decide", True) is True
    await settled(world, name, run_id, ["completed", {"by": "ada"}])


async def test_a_fiber_of_an_aborted_object_is_recovered(world, name):
    assert await world.call("DURABLE", name, "begin_fiber") == "pending"
    [status, snapshot] = await world.call("DURABLE", name, "fiber")
    for _ in range(100):
        if status == "running" and snapshot is not None and snapshot["number"] > 0:
            break
        await asyncio.sleep(0.02)
        [status, snapshot] = await world.call("DURABLE", name, "fiber")
    await die(world, name)
    found = await until(lambda: world.call("DURABLE", name, "fiber"), ["completed", "again"])
    assert found == ["completed", "again"]
    assert await world.call("DURABLE", name, "notes") == ["recovered index True ada"]
