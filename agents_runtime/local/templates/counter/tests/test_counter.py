"""Tests run in this process: storage is in memory, and the agent is evicted before every event."""

from entry import Counter


async def test_increment_is_kept_and_sent_to_everybody(runtime):
    ada = await runtime.connect(Counter, "room")
    bob = await runtime.connect(Counter, "room")

    assert await ada.call("increment", 2) == 2
    await runtime.settle()
    assert bob.state == {"count": 2}


async def test_each_name_is_a_counter_of_its_own(runtime):
    one = await runtime.connect(Counter, "one")
    two = await runtime.connect(Counter, "two")

    await one.call("increment")
    assert await two.call("increment", 5) == 5


async def test_state_survives_a_restart(runtime):
    await (await runtime.connect(Counter, "room")).call("increment", 3)
    await runtime.restart()
    assert await (await runtime.connect(Counter, "room")).call("increment") == 4
