"""Schedules and queue items on every host: in order, never early, kept while the object is out of memory."""

from __future__ import annotations

from tests.conformance.test_objects_contract import until


async def noted(world, name, expected, seconds=8.0):
    assert await until(lambda: world.call("PLANNED", name, "notes"), expected, seconds=seconds) == expected


async def test_a_schedule_runs_after_the_object_left_memory(world, name):
    [schedule_id, kind, payload] = await world.call("PLANNED", name, "plan", 0.4, "tea")
    assert (len(schedule_id), kind, payload) == (16, "delayed", "tea")
    await world.evict("PLANNED", name)
    await noted(world, name, ["tea"])
    assert await until(lambda: world.call("PLANNED", name, "waiting"), 0) == 0


async def test_the_same_moment_runs_in_order(world, name):
    await world.call("PLANNED", name, "plan_several", 0.2, 12)
    await noted(world, name, [str(number) for number in range(12)])


async def test_nothing_is_early(world, name):
    await world.call("PLANNED", name, "plan_exactly")
    assert await until(lambda: world.call("PLANNED", name, "waiting"), 0) == 0
    assert await world.call("PLANNED", name, "early") is False


async def test_an_interval_goes_on_until_it_is_cancelled(world, name):
    schedule_id = await world.call("PLANNED", name, "plan_every", 0.1)
    await noted(world, name, ["every"] * 3)
    assert await world.call("PLANNED", name, "forget", schedule_id) is True
    assert await world.call("PLANNED", name, "forget", schedule_id) is False
    assert await world.call("PLANNED", name, "waiting") == 0


async def test_payload_first(world, name):
    await world.call("PLANNED", name, "plan_task")
    await noted(world, name, ["digest"])


async def test_cron_and_time_zones(world, name):
    assert await world.call("PLANNED", name, "plan_cron") == [1, "Europe/Paris", "0 9 * * 5,6,0,1"]


async def test_queue_items_run_in_order(world, name):
    await world.call("PLANNED", name, "enqueue", "a", "b", 3, None)
    await noted(world, name, ["a", "b", "3", "None"])


async def test_an_item_that_fails_is_tried_again_and_kept(world, name):
    await world.call("PLANNED", name, "enqueue_failing")
    expected = ["it cannot work"]
    assert await until(lambda: world.call("PLANNED", name, "dead"), expected) == expected
    assert await world.call("PLANNED", name, "notes") == ["tried", "tried"]


async def test_items_to_pull(world, name):
    assert await world.call("PLANNED", name, "pull_in_order") == [
        {"n": 0},
        [{"n": 1}, {"n": 2}],
        [{"n": 1}, {"n": 2}],
        None,
    ]
