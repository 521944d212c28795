"""What sub-agents promise: what is listed is whole, what was deleted is gone, what a child planned happens.

Every story is killed at every write and every commit, of parents and children, and has each of them refused.
"""

import pytest

from agents_runtime import Agent, callable


class Cell(Agent):
    """Grows children that grow children."""

    initial_state = {"n": 0}

    async def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS notes (what TEXT)")

    def note(self, what, item=None):
        self.sql("INSERT INTO notes VALUES (?)", what)

    async def notes(self):
        return [row["what"] for row in self.sql("SELECT what FROM notes ORDER BY rowid")]

    @callable
    async def add(self, by):
        self.set_state({"n": self.state["n"] + by})
        return self.state["n"]

    async def plan(self, seconds, what):
        await self.schedule(seconds, self.note, what)

    async def below(self, path, method, *args):
        if not path:
            return await self.call(method, *args)
        cell = await self.sub_agent(Cell, path[0])
        return await cell.below(path[1:], method, *args)

    async def cells(self):
        return [info.name for info in self.list_sub_agents()]

    async def drop(self, name):
        await self.delete_sub_agent(Cell, name)

    async def finish(self):
        await self.destroy()


@pytest.fixture(params=[True, False], ids=["evicting", "staying"])
def runtime(request, runtime_factory):
    return runtime_factory(evict_before_every_event=request.param)


async def test_what_a_child_acknowledged_is_there(runtime):
    async def story(world):
        root = world.get(Cell, "r")
        yield "a", await root.below(["a"], "add", 1)
        yield "a/b", await root.below(["a", "b"], "add", 1)
        yield "a", await root.below(["a"], "add", 1)

    async def invariant(world, acknowledged):
        root = world.get(Cell, "r")
        told = dict(acknowledged)
        for path, known in told.items():
            found = (await root.below(path.split("/"), "add", 0)) if known else 0
            assert known <= found <= known + 1
        if "a/b" in told:
            assert await root.below(["a"], "cells") == ["b"]

    report = await runtime.crash_sweep(story, invariant)
    assert report.writes > 10


async def test_what_a_child_planned_happens(runtime):
    async def story(world):
        root = world.get(Cell, "r")
        await root.below(["a", "b"], "plan", 60, "deep")
        yield ["a", "b"], "deep"
        await root.below(["a"], "plan", 30, "first")
        yield ["a"], "first"
        await world.advance(seconds=31)
        await root.below(["a"], "plan", 30, "second")
        yield ["a"], "second"
        await world.advance(seconds=31)

    async def invariant(world, acknowledged):
        await world.advance(minutes=5)  # and the delays after failures
        root = world.get(Cell, "r")
        for path, what in acknowledged:
            assert what in await root.below(path, "notes")

    await runtime.crash_sweep(story, invariant, limit=1_000)


async def test_a_deleted_child_does_not_come_back_in_part(runtime):
    async def story(world):
        root = world.get(Cell, "r")
        await root.below(["a", "b"], "note", "inner")
        await root.below(["a"], "note", "outer")
        await root.below(["a", "b"], "plan", 600, "late")
        yield "made"
        await root.drop("a")
        yield "deleted"

    async def invariant(world, acknowledged):
        root = world.get(Cell, "r")
        await world.advance(seconds=60)
        listed = await root.cells()
        if "deleted" in acknowledged:
            assert listed == []
        if listed and "made" in acknowledged:
            assert await root.below(["a"], "notes") == ["outer"], "it is listed, so it is whole"
            assert await root.below(["a", "b"], "notes") == ["inner"]
        if not listed:
            assert (await world.introspect(root)).jobs == ()
            assert await root.below(["a"], "notes") == [], "it is not listed, so nothing is left of it"
            assert await root.below(["a", "b"], "notes") == []

    await runtime.crash_sweep(story, invariant, limit=1_000)


async def test_a_child_that_destroyed_itself_is_gone(runtime):
    async def story(world):
        root = world.get(Cell, "r")
        await root.below(["a"], "note", "old")
        yield "made"
        await root.below(["a"], "finish")
        await world.settle()
        yield "destroyed"

    async def invariant(world, acknowledged):
        root = world.get(Cell, "r")
        await world.advance(seconds=60)
        if "destroyed" in acknowledged:
            assert await root.cells() == []
        if "made" in acknowledged:
            notes = await root.below(["a"], "notes")
            assert notes in ([], ["old"])

    await runtime.crash_sweep(story, invariant, limit=1_000)
