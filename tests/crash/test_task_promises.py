"""What an accepted task promises: it ends, and a step that was journaled is not done again. Killed everywhere.

Effects go to a list outside of the agent, as they would to another service: it shows what really ran, and how often.
"""

import asyncio
from collections import Counter

import pytest

from agents_runtime import Agent, callable
from agents_runtime.tasks.declare import task

EFFECTS = []


class Worker(Agent):
    """Its tasks act on the world outside."""

    initial_state = {"done": 0}

    def act(self, what):
        EFFECTS.append(what)
        return what

    async def act_slowly(self, what):
        await self.ctx.agents_platform.clock.sleep(1)
        return self.act(what)

    @task
    async def chain(self, step, names):
        done = []
        for name in names:
            done.append(await step.do(name, self.act_slowly, name))
            step.status(f"{len(done)} of {len(names)}")
        return done

    @task
    async def mixed(self, step):
        first = await step.do("first", self.act, "first")
        await step.sleep("nap", 60)
        both = await asyncio.gather(step.do("left", self.act, "left"), step.do("right", self.act_slowly, "right"))
        answer = await step.wait_for_approval("boss", timeout="1 hour")
        last = await step.do("flaky", self.flaky, delay=5)
        return [first, *both, answer, last]

    async def flaky(self):
        if EFFECTS.count("flaky") == 0:
            self.act("flaky")
            raise ValueError("the first time it does not work")
        return self.act("flaky")

    @callable
    async def start(self, name: str, args: list, key: str):
        return (await self.tasks.run(name, *args, run_id=key)).run_id

    @callable
    async def start_and_wait(self, name: str, args: list, key: str):
        return await (await self.tasks.run(name, *args, idempotency_key=key))

    async def runs(self):
        return {info.run_id: [info.state, info.result] for info in await self.tasks.list()}

    async def alarm_is_armed(self):
        return await self.ctx.storage.getAlarm() is not None

    async def approve_all(self):
        return [await self.approve(info.request_id, "yes") for info in await self.list_approvals("pending")]

    async def cancel_run(self, run_id):
        return await self.tasks.cancel(run_id, "enough")

    async def journal(self):
        return self.sql("SELECT step_name, state FROM cf_agents_task_steps")


@pytest.fixture(params=[True, False], ids=["evicting", "staying"])
def runtime(request, runtime_factory):
    return runtime_factory(evict_before_every_event=request.param)


async def unfinished_is_armed(world):
    """Without any event from outside, what is under way has an alarm that will look after it."""
    runs = await world.get(Worker, "w").runs()
    if any(state not in ("completed", "failed", "cancelled") for state, _ in runs.values()):
        assert await world.get(Worker, "w").alarm_is_armed()
    return runs


async def test_a_chain_of_steps_ends_and_repeats_at_most_the_one_that_was_interrupted(runtime):
    names = ["a", "b", "c"]

    async def story(world):
        EFFECTS.clear()
        worker = world.get(Worker, "w")
        yield await worker.start("chain", [names], "run")
        await world.advance(seconds=10)

    async def it_ends(world, acknowledged):
        await world.advance(minutes=2)
        runs = await unfinished_is_armed(world)
        if acknowledged or runs:
            assert runs == {"run": ["completed", names]}
        counts = Counter(EFFECTS)
        if runs:
            assert set(counts) == set(names), "each step ran at least once"
        assert sum(counts.values()) <= len(names) + 1, f"one crash repeats one step at most: {EFFECTS}"
        assert list(dict.fromkeys(EFFECTS)) == names[: len(counts)], "in order"

    report = await runtime.crash_sweep(story, it_ends, refuse_writes=True)
    assert report.commits >= 4


async def test_sleeps_branches_approvals_and_retries_end_as_well(runtime):
    async def story(world):
        EFFECTS.clear()
        worker = world.get(Worker, "w")
        yield await worker.start("mixed", [], "run")
        await world.advance(seconds=61)
        await worker.approve_all()
        await world.advance(seconds=10)

    async def it_ends(world, acknowledged):
        worker = world.get(Worker, "w")
        for _ in range(3):
            await world.advance(minutes=2)
            if await worker.runs():
                await worker.approve_all()
        runs = await unfinished_is_armed(world)
        if acknowledged or runs:
            assert runs == {"run": ["completed", ["first", "left", "right", "yes", "flaky"]]}
            counts = Counter(EFFECTS)
            assert counts["flaky"] >= 2, "the failure counts"
            assert sum(counts.values()) <= 5 + 2, f"one crash repeats two branches at most: {EFFECTS}"

    report = await runtime.crash_sweep(story, it_ends, refuse_writes=True)
    assert report.commits >= 8


async def test_whoever_awaits_a_run_was_told_the_truth(runtime):
    async def story(world):
        EFFECTS.clear()
        client = await world.connect(Worker, "w")
        answer = asyncio.ensure_future(client.call("start_and_wait", "chain", [["a", "b"]], "key"))
        try:
            await world.advance(seconds=3)
            yield await answer
        finally:
            answer.cancel()

    async def the_result_is_stored(world, acknowledged):
        await world.advance(minutes=2)
        results = [result for _, result in (await unfinished_is_armed(world)).values()]
        assert all(result in results for result in acknowledged)

    await runtime.crash_sweep(story, the_result_is_stored)


async def test_a_cancelled_run_stays_cancelled(runtime):
    async def story(world):
        EFFECTS.clear()
        worker = world.get(Worker, "w")
        run_id = await worker.start("chain", [["a", "b", "c"]], "run")
        await world.advance(seconds=1)
        if await worker.cancel_run(run_id):
            yield list(EFFECTS)

    async def nothing_more_happens(world, acknowledged):
        await world.advance(minutes=2)
        runs = await unfinished_is_armed(world)
        if acknowledged:
            assert runs == {"run": ["cancelled", None]}
            assert acknowledged[0] == EFFECTS

    await runtime.crash_sweep(story, nothing_more_happens)


async def test_approvals_survive_with_their_decisions(runtime):
    async def story(world):
        EFFECTS.clear()
        worker = world.get(Worker, "w")
        await worker.start("mixed", [], "run")
        await world.advance(seconds=62)
        for decided in await worker.approve_all():
            yield decided

    async def what_was_decided_stays(world, acknowledged):
        if acknowledged:
            await world.advance(minutes=1)
            assert (await world.get(Worker, "w").runs())["run"][0] == "completed"

    await runtime.crash_sweep(story, what_was_decided_stays)
