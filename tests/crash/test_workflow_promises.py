"""What a started workflow promises: it ends, its agent hears of it, journaled steps are not redone. Killed everywhere.

Effects go to a list outside of every object, as they would to another service.
"""

import asyncio
from collections import Counter

import pytest

from agents_runtime import Agent, AgentWorkflow, callable

EFFECTS = []


def act(what):
    EFFECTS.append(what)
    return what


class Desk(Agent):
    @callable
    async def start(self, kind: str, workflow_id: str):
        return await self.run_workflow("Paper", {"kind": kind}, id=workflow_id)

    async def look(self, workflow_id):
        info = await self.get_workflow(workflow_id)
        return None if info is None else info.status

    async def decide(self, workflow_id):
        await self.approve_workflow(workflow_id, metadata={"by": "ada"})

    def on_workflow_complete(self, name, workflow_id, result):
        act(f"told {result}")

    def on_workflow_error(self, name, workflow_id, error):
        act(f"told error {error}")


class Paper(AgentWorkflow):
    async def run(self, event, step):
        return await getattr(self, event["payload"]["kind"])(step)

    def part(self, step, name):
        @step.do(name)
        async def part():
            await asyncio.sleep(0)
            return act(name)

        return part()

    async def chain(self, step):
        return [await self.part(step, name) for name in ("a", "b", "c")]

    async def mixed(self, step):
        first = await self.part(step, "first")
        await step.sleep("nap", "2 minutes")
        both = await asyncio.gather(self.part(step, "left"), self.part(step, "right"), step.sleep("rest", 1000))
        answer = await self.wait_for_approval(step, timeout="1 hour")

        @step.do("flaky", config={"retries": {"limit": 5, "delay": "5 seconds", "backoff": "constant"}})
        async def flaky():
            if "flaky" not in EFFECTS:
                act("flaky")
                raise ValueError("the first time it does not work")
            return act("flaky")

        return [first, *both[:2], answer["by"], await flaky()]

    async def fails(self, step):
        await self.part(step, "a")
        raise ValueError("it cannot be")


@pytest.fixture(params=[True, False], ids=["evicting", "staying"])
def runtime(request, runtime_factory):
    made = runtime_factory(evict_before_every_event=request.param)
    made.bind(Paper)
    return made


def told():
    return [what for what in EFFECTS if what.startswith("told")]


async def test_a_workflow_ends_and_repeats_at_most_the_step_that_was_interrupted(runtime):
    async def story(world):
        EFFECTS.clear()
        yield await world.get(Desk, "d").start("chain", "w")
        await world.advance(seconds=1)

    async def it_ends(world, acknowledged):
        await world.advance(hours=2)
        status = await world.get(Desk, "d").look("w")
        if acknowledged or status is not None:
            assert status == "complete"
            assert told(), "its agent was told"
            assert set(told()) == {"told ['a', 'b', 'c']"}
        steps = [what for what in EFFECTS if not what.startswith("told")]
        assert len(steps) <= 4, f"one crash repeats one step at most: {EFFECTS}"
        assert list(dict.fromkeys(steps)) == ["a", "b", "c"][: len(set(steps))], "in order"
        assert len(told()) <= 2

    report = await runtime.crash_sweep(story, it_ends)
    assert report.commits >= 4


async def test_waits_branches_approvals_and_retries_end_as_well(runtime):
    async def story(world):
        EFFECTS.clear()
        yield await world.get(Desk, "d").start("mixed", "w")
        await world.advance(minutes=3)
        await world.get(Desk, "d").decide("w")
        yield "decided"
        await world.advance(seconds=10)

    async def it_ends(world, acknowledged):
        await world.advance(minutes=5)
        desk = world.get(Desk, "d")
        status = await desk.look("w")
        if status is not None and status != "complete":
            await desk.decide("w")
            await world.advance(minutes=5)
            status = await desk.look("w")
        if acknowledged:
            assert status == "complete"
        if status is not None:
            assert set(told()) == {"told ['first', 'left', 'right', 'ada', 'flaky']"}
        counts = Counter(what for what in EFFECTS if not what.startswith("told"))
        assert counts["flaky"] <= 3
        assert counts["first"] + counts["left"] + counts["right"] <= 5, f"one crash repeats little: {EFFECTS}"

    await runtime.crash_sweep(story, it_ends, limit=1000)


async def test_a_failure_is_told_as_well(runtime):
    async def story(world):
        EFFECTS.clear()
        yield await world.get(Desk, "d").start("fails", "w")
        await world.advance(seconds=1)

    async def it_ends(world, acknowledged):
        await world.advance(hours=2)
        status = await world.get(Desk, "d").look("w")
        if acknowledged or status is not None:
            assert status == "errored"
            assert set(told()) == {"told error it cannot be"}

    await runtime.crash_sweep(story, it_ends)


async def test_a_row_never_stays_without_its_workflow(runtime):
    """Whatever was interrupted: what is tracked runs, and what runs is tracked."""

    async def story(world):
        EFFECTS.clear()
        await world.get(Desk, "d").start("mixed", "w")
        yield "started"

    async def they_agree(world, acknowledged):
        await world.advance(minutes=1)
        status = await world.get(Desk, "d").look("w")
        found = await world.env.Paper.instance("w").exists()
        assert (status is not None) == found
        if acknowledged:
            assert found

    await runtime.crash_sweep(story, they_agree)
