"""Alarms: when they fire, what the handler sees, how failures are repeated, what a restart does."""

from __future__ import annotations

import pytest

from tests.conformance.test_objects_contract import until
from tests.workerd.rig import RemoteError

FIRST = "alarm retry=0 false set=None"


async def test_an_alarm_fires_once_at_its_time_and_is_gone_for_its_handler(world, name):
    await world.call("PROBE", name, "plan", {}, 30)
    assert await until(lambda: world.call("PROBE", name, "notes"), [FIRST]) == [FIRST]
    assert await world.call("PROBE", name, "get_alarm") is None


async def test_an_alarm_wakes_an_object_that_left_memory(world, name):
    await world.call("PROBE", name, "plan", {}, 100)
    await world.evict("PROBE", name)
    assert await until(lambda: world.call("PROBE", name, "notes"), [FIRST]) == [FIRST]


async def test_a_handler_may_set_the_next_alarm(world, name):
    await world.call("PROBE", name, "plan", {"rearm": True})
    assert await until(lambda: world.call("PROBE", name, "notes"), [FIRST, FIRST]) == [FIRST, FIRST]


async def test_setting_replaces_and_reads_back(world, name):
    first = await world.call("PROBE", name, "set_alarm", 60_000)
    second = await world.call("PROBE", name, "set_alarm", 30_000)
    assert first - second > 20_000
    assert await world.call("PROBE", name, "get_alarm") == second


async def test_a_failed_alarm_is_repeated_after_two_seconds_and_told_so(world, name):
    expected = [FIRST, "alarm retry=1 true set=None"]
    await world.call("PROBE", name, "plan", {"failures": 1})
    assert await until(lambda: world.call("PROBE", name, "notes"), expected[:1]) == expected[:1]
    assert await until(lambda: world.call("PROBE", name, "notes"), expected) == expected
    assert await world.call("PROBE", name, "get_alarm") is None


async def test_a_handler_that_sets_an_alarm_and_fails_keeps_that_alarm(world, name):
    await world.call("PROBE", name, "plan", {"rearm": True, "failures": 1})
    notes = await until(lambda: world.call("PROBE", name, "notes"), [FIRST, FIRST], seconds=4)
    assert notes == [FIRST, FIRST]


async def test_events_enter_while_the_handler_waits(world, name):
    await world.call("PROBE", name, "plan", {"sleep": 0.3})
    assert await until(lambda: world.call("PROBE", name, "notes"), [FIRST]) == [FIRST]
    await world.call("PROBE", name, "note", "in between")
    expected = [FIRST, "in between", "alarm slept"]
    assert await until(lambda: world.call("PROBE", name, "notes"), expected) == expected


async def test_an_alarm_that_is_set_and_synced_takes_the_place_of_the_retry_of_a_killed_handler(world, name):
    async def notes():
        try:
            return await world.call("PROBE", name, "notes")
        except RemoteError:  # it met the object being killed
            return None

    await world.call("PROBE", name, "plan", {"rearm_and_abort": True})
    assert await until(notes, [FIRST, FIRST], seconds=4) == [FIRST, FIRST]


@pytest.mark.slow
async def test_rows_and_alarms_survive_a_restart(world, name):
    await world.call("PROBE", name, "note", "before")
    await world.call("PROBE", name, "plan", {}, 1_000)
    await world.restart()
    expected = ["before", FIRST]
    assert await until(lambda: world.call("PROBE", name, "notes"), expected) == expected
