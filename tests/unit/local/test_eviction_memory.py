"""An object that has left memory really has, without waiting for the garbage collector."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from agents_runtime import Agent, callable
from agents_runtime.local.clock import VirtualClock
from agents_runtime.local.host import Host
from agents_runtime.local.options import HostOptions


class Notes(Agent):
    initial_state = {"notes": []}

    @callable
    async def add(self, note):
        self.set_state({"notes": [*self.state["notes"], note]})


async def test_evicted_agents_are_freed_at_once(tmp_path: Path) -> None:
    host = Host(HostOptions(data=tmp_path), clock=VirtualClock())
    host.bind(Notes)
    await host.start()
    stub = host.env.Notes.getByName("a")
    await stub.add("first")
    gc.collect()
    gc.disable()
    try:
        kept = await host.run_in(stub.id, lambda agent: [weakref.ref(agent), weakref.ref(agent.ctx)])
        await host.evict_all()
        assert [reference() for reference in kept] == [None, None]
    finally:
        gc.enable()
    await host.stop()


async def test_the_databases_of_objects_idle_longest_are_closed_first(tmp_path: Path) -> None:
    host = Host(HostOptions(data=tmp_path, max_open_databases=2), clock=VirtualClock())
    host.bind(Notes)
    await host.start()
    for name in ("a", "b", "a", "c"):
        await host.env.Notes.getByName(name).add("x")
    open_names = [actor.id.name for actor in host._actors.values() if actor.life and actor.life.database.is_open]
    assert set(open_names) == {"a", "c"}
    await host.stop()
