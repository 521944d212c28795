"""What a fiber promises: it ends, or its interruption is noticed and recovered at least once. Killed everywhere."""

import pytest

from agents_runtime import Agent, callable

SEEN = []


class Counter(Agent):
    async def count(self, fiber):
        for number in range(1, 4):
            await self.ctx.agents_platform.clock.sleep(1)
            self.stash({"number": number})
        SEEN.append(("finished", fiber.name))

    async def on_start(self, props=None):
        SEEN.append(("on_start", None))

    async def on_fiber_recovered(self, fiber):
        SEEN.append(("recovered", fiber.name, fiber.snapshot))
        if fiber.status is not None:
            return {"status": "completed", "snapshot": {"recovered": True}}

    @callable
    async def start(self, name: str):
        return (await self.start_fiber(name, self.count, fiber_id=name)).fiber_id

    @callable
    async def run(self, name: str):
        await self.run_fiber(name, self.count)
        return name

    async def ledger(self):
        return {info.fiber_id: info.status for info in await self.list_fibers()}

    async def left(self):
        return self.sql("SELECT * FROM sqlite_master WHERE name = 'cf_agents_runs'") and self.sql(
            "SELECT * FROM cf_agents_runs"
        )

    async def cancel(self, name):
        return await self.cancel_fiber(name, "enough")


@pytest.fixture(params=[True, False], ids=["evicting", "staying"])
def runtime(request, runtime_factory):
    return runtime_factory(evict_before_every_event=request.param)


def outcomes(name):
    return [entry[0] for entry in SEEN if entry[1] == name]


async def test_an_accepted_fiber_ends_or_is_recovered(runtime):
    async def story(world):
        SEEN.clear()
        counter = world.get(Counter, "c")
        yield await counter.start("managed")
        await world.advance(seconds=5)

    async def it_is_settled(world, acknowledged):
        await world.advance(minutes=2)
        counter = world.get(Counter, "c")
        ledger = await counter.ledger()
        assert set(acknowledged) <= set(ledger)
        if ledger:
            assert ledger in ({"managed": "completed"}, {"managed": "error"}), "a refused stash is an error of its code"
            assert outcomes("managed") or ledger == {"managed": "error"}, "it finished, or was handed to the hook"
        assert not await counter.left()

    report = await runtime.crash_sweep(story, it_is_settled, refuse_writes=True)
    assert report.commits >= 4


async def test_what_was_stashed_reaches_the_recovery_before_on_start(runtime):
    async def story(world):
        SEEN.clear()
        client = await world.connect(Counter, "c")
        await client.send({"type": "rpc", "id": "1", "method": "run", "args": ["unmanaged"]})
        for number in range(1, 4):
            await world.advance(seconds=1)
            rows = await world.get(Counter, "c").left()
            if rows and rows[0]["snapshot"] == f'{{"number":{number}}}':
                yield number
        SEEN.append(("told", None))

    async def the_last_stash_is_there(world, acknowledged):
        before = len(SEEN)
        await world.advance(minutes=2)
        recovered = [entry for entry in SEEN[before:] if entry[0] == "recovered"]
        if recovered:
            assert len(recovered) == 1
            assert recovered[0][2] is None or recovered[0][2]["number"] >= max(acknowledged, default=0)
            assert SEEN.index(recovered[0], before) < SEEN.index(("on_start", None), before)
        elif acknowledged:
            assert outcomes("unmanaged"), "no interruption goes unnoticed"
        assert not await world.get(Counter, "c").left()

    await runtime.crash_sweep(story, the_last_stash_is_there)


async def test_a_recovery_that_is_killed_is_begun_again(runtime):
    async def story(world):
        SEEN.clear()
        counter = world.get(Counter, "c")
        await counter.start("managed")
        await world.advance(seconds=2)
        world.crash(counter)
        await world.advance(seconds=40)
        yield "managed"

    async def it_is_settled(world, acknowledged):
        await world.advance(minutes=2)
        ledger = await world.get(Counter, "c").ledger()
        if ledger:
            assert ledger == {"managed": "completed"}
            assert outcomes("managed")

    await runtime.crash_sweep(story, it_is_settled)


async def test_a_cancelled_fiber_is_not_recovered(runtime):
    async def story(world):
        SEEN.clear()
        counter = world.get(Counter, "c")
        await counter.start("managed")
        await world.advance(seconds=1)
        if await counter.cancel("managed"):
            yield "cancelled"

    async def it_stays_cancelled(world, acknowledged):
        await world.advance(minutes=2)
        if acknowledged:
            assert await world.get(Counter, "c").ledger() == {"managed": "aborted"}
            assert outcomes("managed") == []

    await runtime.crash_sweep(story, it_stays_cancelled)


async def test_a_fiber_whose_recovery_takes_the_agent_down_is_given_up(runtime):
    class Deadly(Counter):
        async def on_fiber_recovered(self, fiber):
            SEEN.append(("recovered", fiber.name, None))
            self.ctx.abort("the hook takes the agent down")

    runtime.expect_errors()
    SEEN.clear()
    agent = runtime.get(Deadly, "d")
    await agent.start("managed")
    await runtime.advance(seconds=1)
    runtime.crash(agent)
    await runtime.advance(minutes=10)
    assert await agent.ledger() == {"managed": "error"}
    assert outcomes("managed") == ["recovered"] * 5


async def test_a_fiber_whose_end_could_not_be_stored_counts_as_interrupted(runtime):
    runtime.expect_errors()
    SEEN.clear()
    agent = runtime.get(Counter, "c")
    await agent.start("managed")
    await runtime.advance(seconds=2)
    runtime.fail_write(2)  # the last stash is the first
    await runtime.advance(seconds=1)
    assert outcomes("managed") == ["finished"]
    await runtime.advance(seconds=31)
    assert await agent.ledger() == {"managed": "completed"}
    assert outcomes("managed") == ["finished", "recovered"]
