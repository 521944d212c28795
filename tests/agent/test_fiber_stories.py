"""Fibers: long work whose interruption is noticed, whose notes are kept, and which is recovered by its name."""

import asyncio
from itertools import pairwise

import pytest

from agents_runtime import Agent, callable, subscribe
from agents_runtime.errors import NotJson, UsageError
from agents_runtime.fibers.models import FiberConflict


class Indexer(Agent):
    """Counts to a number, a second each, and goes on where it was."""

    log = []
    fails = {}

    async def count(self, fiber, start=0, end=3):
        for number in range(start + 1, end + 1):
            await self.ctx.agents_platform.clock.sleep(1)
            self.stash({"number": number})
        return end

    @callable
    async def run(self, name: str):
        return await self.run_fiber(name, self.count)

    async def begin(self, name, **options):
        return await self.start_fiber(name, self.count, **options)

    async def begin_in_background(self, name):
        self.ctx.agents_platform.spawn(self.run_fiber(name, self.count))

    async def on_start(self, props=None):
        self.log.append("on_start")

    async def on_fiber_recovered(self, fiber):
        self.log.append((fiber.name, fiber.snapshot, fiber.status))
        result = self.fails.get(fiber.name)
        if isinstance(result, Exception):
            raise result
        return result

    def rows(self):
        return [
            self.sql(f"SELECT * FROM {table}")
            for table in ("cf_agents_runs", "cf_agents_fibers WHERE status = 'running'")
        ]


@pytest.fixture(autouse=True)
def clean():
    Indexer.log, Indexer.fails = [], {}


def inside(runtime, agent, work):
    return runtime.run_in_agent(agent, work)


async def test_a_fiber_gives_its_result_and_leaves_no_row(runtime):
    client = await runtime.connect(Indexer, "a")
    answer = asyncio.ensure_future(client.call("run", "count"))
    await runtime.settle()
    agent = runtime.get(Indexer, "a")
    assert [row["name"] for row in (await agent.rows())[0]] == ["count"]
    await runtime.advance(seconds=2)
    assert (await agent.rows())[0][0]["snapshot"] == '{"number":2}'
    await runtime.advance(seconds=1)
    assert await answer == 3
    assert await agent.rows() == [[], []]
    assert await runtime.run_in_agent(agent, lambda agent: agent.ctx.agents_platform.alarm.get_ms()) is None


async def test_an_interrupted_fiber_is_recovered_by_the_next_alarm_before_on_start(runtime):
    agent = runtime.get(Indexer, "a")
    await agent.begin_in_background("count")
    await runtime.advance(seconds=2)
    await runtime.restart(crash=True)
    Indexer.log.clear()
    await runtime.advance(seconds=28)
    assert Indexer.log == [("count", {"number": 2}, None), "on_start"]
    assert await agent.rows() == [[], []]
    await runtime.advance(hours=1)
    assert Indexer.log.count(("count", {"number": 2}, None)) == 1


async def test_recovery_may_run_after_on_start(runtime):
    class Late(Indexer):
        options = {"recover_after_start": True}

    agent = runtime.get(Late, "a")
    await agent.begin_in_background("count")
    await runtime.advance(seconds=2)
    runtime.crash(agent)
    Indexer.log.clear()
    await agent.rows()
    assert Indexer.log == ["on_start", ("count", {"number": 2}, None)]


async def test_the_hook_begins_the_work_again(runtime):
    class Stubborn(Indexer):
        async def on_fiber_recovered(self, fiber):
            start = (fiber.snapshot or {"number": 0})["number"]
            await self.start_fiber(fiber.name, lambda again: self.count(again, start), idempotency_key=fiber.id)

    agent = runtime.get(Stubborn, "a")
    await agent.begin_in_background("count")
    await runtime.advance(seconds=2)
    runtime.crash(agent)
    await runtime.advance(seconds=40)
    [info] = await inside(runtime, agent, lambda agent: agent.list_fibers())
    assert (info.status, info.snapshot) == ("completed", {"number": 3})


async def test_a_recovery_that_fails_is_tried_again_less_and_less_often_until_it_is_too_old(runtime):
    times = []

    class Failing(Indexer):
        options = {"fiber_recovery_max_age_ms": 1_800_000}

        async def on_fiber_recovered(self, fiber):
            times.append(self.ctx.agents_platform.clock.now_ms() // 1000)
            raise ValueError("not today")

    runtime.expect_errors()
    agent = runtime.get(Failing, "a")
    await agent.begin_in_background("count")
    await runtime.advance(seconds=1)
    runtime.crash(agent)
    await runtime.advance(minutes=29)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == [60, 120, 240, 300, 300, 300, 300]
    assert len((await agent.rows())[0]) == 1
    await runtime.advance(minutes=20)
    assert await agent.rows() == [[], []], "it is given up after half an hour"


async def test_a_managed_fiber_is_run_once_per_key(runtime):
    agent = runtime.get(Indexer, "a")

    async def work(agent):
        first = await agent.begin("count", idempotency_key="k", metadata={"by": "ada"})
        again = await agent.begin("count", idempotency_key="k")
        assert (first.accepted, again.accepted) == (True, False)
        assert again.fiber_id == first.fiber_id
        with pytest.raises(FiberConflict):
            await agent.begin("count", idempotency_key="k", fiber_id="other")
        return first

    first = await inside(runtime, agent, work)
    assert (first.status, first.metadata) == ("pending", {"by": "ada"})
    assert (first["fiberId"], first["createdAt"]) == (first.fiber_id, runtime.now_ms), "JavaScript's names work too"
    await runtime.advance(seconds=1)
    info = await inside(runtime, agent, lambda agent: agent.inspect_fiber_by_key("k"))
    assert (info.status, info.snapshot) == ("running", {"number": 1})
    await runtime.advance(seconds=2)
    info = await inside(runtime, agent, lambda agent: agent.inspect_fiber(first.fiber_id))
    assert (info.status, info.snapshot, info.settled_at_ms) == ("completed", {"number": 3}, runtime.now_ms)
    again = await inside(runtime, agent, lambda agent: agent.begin("count", idempotency_key="k"))
    assert (again.accepted, again.status) == (False, "completed")


async def test_waiting_for_completion(runtime):
    agent = runtime.get(Indexer, "a")
    waiting = asyncio.ensure_future(
        inside(runtime, agent, lambda agent: agent.begin("count", fiber_id="f", wait_for_completion=True))
    )
    await runtime.settle()
    joined = asyncio.ensure_future(
        inside(runtime, agent, lambda agent: agent.begin("count", fiber_id="f", wait_for_completion=True))
    )
    await runtime.advance(seconds=3)
    first, second = await waiting, await joined
    assert (first.status, first.accepted, second.status, second.accepted) == ("completed", True, "completed", False)


async def test_cancelling_aborts_at_once_and_releases_who_waits(runtime):
    agent = runtime.get(Indexer, "a")
    waiting = asyncio.ensure_future(
        inside(runtime, agent, lambda agent: agent.begin("count", idempotency_key="k", wait_for_completion=True))
    )
    await runtime.advance(seconds=1)
    assert await inside(runtime, agent, lambda agent: agent.cancel_fiber_by_key("k", "enough"))
    assert (await waiting).status == "aborted"
    await runtime.settle()
    info = await inside(runtime, agent, lambda agent: agent.inspect_fiber_by_key("k"))
    assert (info.status, info.error, info.snapshot) == ("aborted", "enough", {"number": 1})
    assert not await inside(runtime, agent, lambda agent: agent.cancel_fiber(info.fiber_id))
    assert await agent.rows() == [[], []]
    await runtime.advance(seconds=60)
    assert [entry for entry in Indexer.log if entry != "on_start"] == []


async def test_the_outcome_of_a_recovery_goes_to_the_ledger(runtime):
    runtime.expect_errors()
    Indexer.fails = {
        "done": {"status": "completed", "snapshot": {"all": True}},
        "gone": {"status": "aborted", "reason": "no use"},
        "broken": ValueError("cannot"),
        "nonsense": {"status": "perhaps"},
    }
    agent = runtime.get(Indexer, "a")
    for name in ("done", "gone", "broken", "nonsense", "open"):
        await inside(runtime, agent, lambda agent, name=name: agent.begin(name, fiber_id=name))
    await runtime.advance(seconds=1)
    runtime.crash(agent)
    listed = await inside(runtime, agent, lambda agent: agent.list_fibers())
    found = {info.fiber_id: (info.status, info.snapshot, info.error) for info in listed}
    assert found["done"] == ("completed", {"all": True}, None)
    assert found["gone"] == ("aborted", {"number": 1}, "no use")
    assert found["broken"] == ("error", {"number": 1}, "cannot")
    assert found["nonsense"][0] == "error"
    assert found["open"] == ("interrupted", {"number": 1}, None)
    recovered = [entry[0] for entry in Indexer.log if entry != "on_start"]
    assert recovered == ["done", "gone", "broken", "nonsense", "open"], "in the order in which they were begun"
    assert await agent.rows() == [[], []]

    async def resolve(agent):
        assert not await agent.resolve_fiber("done", {"status": "error"})
        with pytest.raises(UsageError, match="must be one of"):
            await agent.resolve_fiber("open", {"status": "perhaps"})
        assert await agent.resolve_fiber("open", {"status": "completed"})
        assert await agent.delete_fibers(status="error") == 2
        assert await agent.delete_fibers() == 3
        return await agent.list_fibers()

    assert await inside(runtime, agent, resolve) == []


async def test_stashes_of_concurrent_fibers_stay_apart(runtime):
    class Pair(Agent):
        async def note(self, what):
            for number in range(3):
                await asyncio.sleep(0)
                self.stash([what, number])

        async def both(self):
            async def one(fiber, what):
                await asyncio.gather(self.note(what))
                return self.sql("SELECT snapshot FROM cf_agents_runs WHERE id = ?", fiber.id)[0]["snapshot"]

            return await asyncio.gather(
                *(self.run_fiber(what, lambda fiber, what=what: one(fiber, what)) for what in ("a", "b"))
            )

    assert await runtime.get(Pair, "x").both() == ['["a",2]', '["b",2]']


async def test_events_tell_what_happens(runtime):
    events = []
    unsubscribe = subscribe("fiber", lambda event: events.append((event.type, event.payload["fiberName"])))
    try:
        agent = runtime.get(Indexer, "a")
        await agent.begin_in_background("count")
        await runtime.advance(seconds=1)
        runtime.crash(agent)
        await agent.rows()
    finally:
        unsubscribe()
    assert [kind.removeprefix("fiber:") for kind, _ in events] == [
        "run:started",
        "recovery:detected",
        "run:interrupted",
        "recovery:attempt",
        "recovery:handled",
    ]


async def test_mistakes_are_told(runtime):
    agent = runtime.get(Indexer, "a")

    async def work(agent):
        with pytest.raises(UsageError, match="inside run_fiber"):
            agent.stash(1)
        with pytest.raises(UsageError, match="name"):
            await agent.run_fiber(" ", agent.count)
        for options in ({"fiber_id": " "}, {"idempotency_key": ""}):
            with pytest.raises(UsageError, match="not blank"):
                await agent.start_fiber("x", agent.count, **options)
        with pytest.raises(UsageError, match="no status"):
            await agent.list_fibers(status="odd")
        with pytest.raises(UsageError, match="limit"):
            await agent.list_fibers(limit=101)
        with pytest.raises(UsageError, match="cancel it first"):
            await agent.delete_fibers(status="running")
        with pytest.raises(NotJson, match="use a list"):
            await agent.run_fiber("x", lambda fiber: bad(fiber))
        kept = []
        await agent.run_fiber("x", lambda fiber: keep(fiber, kept))
        with pytest.raises(UsageError, match="has ended"):
            kept[0].stash(1)
        return await agent.cancel_fiber("nobody")

    async def bad(fiber):
        fiber.stash({1, 2})

    async def keep(fiber, kept):
        kept.append(fiber)

    assert await inside(runtime, agent, work) is False
    assert await agent.rows() == [[], []]
