"""The end of an agent: durable from the first moment, due when it was said to be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agents_runtime._core.teardown import Teardown
from agents_runtime._core.wakeups import Wakeups


class Store(dict[str, Any]):
    def put(self, key, value):
        self[key] = value


class World:
    def __init__(self, marker: object = None) -> None:
        self.now_ms = 1_000
        self.alarm_ms: int | None = None
        store: Any = Store({} if marker is None else {"cf_agents_destroy_pending": marker})
        clock: Any = SimpleNamespace(now_ms=lambda: self.now_ms)
        slot: Any = SimpleNamespace(get_ms=lambda: self.alarm_ms, set_ms=self.arm)
        self.store = store
        self.destroyed: list[Any] = []
        self.teardown = Teardown(store, clock, lambda: self.wakeups, self.destroy)
        self.wakeups = Wakeups(slot, lambda: [self.teardown.next_wake_ms])

    def arm(self, when_ms):
        self.alarm_ms = when_ms

    async def destroy(self):
        self.destroyed.append((self.store.get("cf_agents_destroy_pending"), self.alarm_ms))


async def test_the_marker_and_the_alarm_come_before_the_deletion():
    world = World()
    await world.teardown.run()
    assert world.destroyed == [(True, 0)]


@pytest.mark.parametrize(("marker", "due_ms"), [(None, None), (True, 0), (5_000, 5_000)])
def test_what_the_marker_means(marker, due_ms):
    teardown = World(marker).teardown
    assert teardown.next_wake_ms() == due_ms
    assert teardown.is_pending is (marker is not None)


async def test_it_happens_when_it_is_due_and_not_before():
    world = World()
    world.teardown.schedule(2.5)
    assert (world.store, world.alarm_ms) == ({"cf_agents_destroy_pending": 3_500}, 3_500)
    world.now_ms, world.alarm_ms = 3_499, None
    await world.teardown.run_if_due()
    assert world.destroyed == []
    world.now_ms = 3_500
    await world.teardown.run_if_due()
    assert len(world.destroyed) == 1


async def test_an_interrupted_destroy_is_taken_up_again():
    world = World(marker=True)
    await world.teardown.run_if_due()
    assert len(world.destroyed) == 1
