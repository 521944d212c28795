"""Durable work and the rest of an agent's life: starting, being destroyed, being taken over from JavaScript."""

import asyncio

import pytest

from agents_runtime import Agent, task
from agents_runtime.errors import DefinitionError, TooManyPending

LOG = []


@pytest.fixture(autouse=True)
def clean():
    LOG.clear()


class Worker(Agent):
    @task
    async def work(self, step, what="work"):
        try:
            await step.do("slow", self.slow)
            LOG.append(what)
            return what
        finally:
            LOG.append("left")

    async def slow(self):
        await self.ctx.agents_platform.clock.sleep(5)

    async def stash_for_ever(self, fiber):
        for number in range(100):
            fiber.stash(number)
            await self.ctx.agents_platform.clock.sleep(1)

    async def begin(self):
        await self.tasks.run("work")
        await self.start_fiber("index", self.stash_for_ever)

    async def tables(self):
        return [row["name"] for row in self.sql("SELECT name FROM sqlite_master WHERE name LIKE 'cf_agents_%'")]


async def test_an_agent_that_does_nothing_durable_has_no_tables_for_it(runtime):
    assert await runtime.get(Worker, "a").tables() == []


async def test_a_task_may_be_started_while_the_agent_starts(runtime):
    class Starter(Worker):
        async def on_start(self, props=None):
            run = await self.tasks.run("work", idempotency_key="once")
            LOG.append(run.accepted)

    agent = runtime.get(Starter, "a")
    await agent.tables()
    await runtime.advance(seconds=5)
    await agent.tables()
    assert LOG == [True, "work", "left", False]


async def test_nothing_of_a_destroyed_agent_goes_on(runtime):
    agent = runtime.get(Worker, "a")
    await agent.begin()
    await runtime.advance(seconds=2)
    await agent.destroy()
    await runtime.advance(minutes=5)
    assert LOG == ["left"]
    assert await agent.tables() == []


async def test_work_waits_for_an_agent_that_cannot_start(runtime):
    class Broken(Worker):
        async def on_start(self, props=None):
            if "mended" not in LOG:
                raise ValueError("not yet")

    runtime.expect_errors()
    agent = runtime.get(Broken, "a")
    LOG.append("mended")
    await agent.begin()
    await runtime.advance(seconds=1)
    runtime.crash(agent)
    await runtime.settle()
    LOG.clear()
    await runtime.advance(minutes=3)
    assert LOG == []
    LOG.append("mended")
    await runtime.advance(minutes=3)
    assert LOG == ["mended", "work", "left"]


RUN_COLUMNS = "run_id, definition, input, state, attempt, generation, created_at, updated_at"
STEP_COLUMNS = "run_id, step_name, kind, state, result, attempt, created_at, updated_at"
RUNS = """
    CREATE TABLE cf_agents_task_runs (run_id TEXT PRIMARY KEY, definition TEXT NOT NULL, input TEXT,
    state TEXT NOT NULL, result TEXT, error_name TEXT, error_message TEXT, status_message TEXT, metadata TEXT,
    idempotency_key TEXT UNIQUE, retain INTEGER NOT NULL DEFAULT 1, attempt INTEGER NOT NULL DEFAULT 0,
    generation INTEGER NOT NULL DEFAULT 0, next_at INTEGER, wait_reason TEXT,
    cancel_requested INTEGER NOT NULL DEFAULT 0, cancel_reason TEXT, created_at INTEGER NOT NULL, started_at INTEGER,
    updated_at INTEGER NOT NULL, settled_at INTEGER) WITHOUT ROWID
"""
STEPS = """
    CREATE TABLE cf_agents_task_steps (run_id TEXT NOT NULL, step_name TEXT NOT NULL, kind TEXT NOT NULL,
    state TEXT NOT NULL, result TEXT, error_name TEXT, error_message TEXT, attempt INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER, created_at INTEGER NOT NULL, started_at INTEGER, updated_at INTEGER NOT NULL, completed_at INTEGER,
    PRIMARY KEY (run_id, step_name))
"""


async def test_a_run_of_a_javascript_agent_is_taken_over(runtime):
    def as_javascript_leaves_it(agent):
        now_ms = runtime.now_ms
        agent.sql(RUNS)
        agent.sql(STEPS)
        run = ("js", "work", '"taken over"', "running", 1, 1, now_ms, now_ms)
        agent.sql(f"INSERT INTO cf_agents_task_runs ({RUN_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *run)
        step = ("js", "slow", "do", "completed", None, 1, now_ms, now_ms)
        agent.sql(f"INSERT INTO cf_agents_task_steps ({STEP_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *step)

    agent = runtime.get(Worker, "a")
    await runtime.run_in_agent(agent, as_javascript_leaves_it)
    await runtime.restart()
    await agent.tables()
    await runtime.settle()
    assert LOG == ["taken over", "left"], "the step that was done is not done again"
    info = await runtime.run_in_agent(agent, lambda agent: agent.tasks.get("js"))
    assert (info.state, info.result) == ("completed", "taken over")


async def test_awaiting_a_run_ends_with_its_event_and_the_run_does_not(runtime):
    agent = runtime.get(Worker, "a")

    async def work(agent):
        return await (await agent.tasks.run("work", run_id="r"))

    waiting = asyncio.ensure_future(runtime.run_in_agent(agent, work))
    await runtime.advance(seconds=1)
    runtime.crash(agent)
    with pytest.raises(Exception, match="crash"):
        await waiting
    await runtime.advance(minutes=1)

    async def again(agent):
        return await agent.tasks.handle("r")

    assert await runtime.run_in_agent(agent, again) == "work"


@pytest.mark.parametrize("name", ["tasks", "run_fiber", "stash", "approve", "wait_for_approval"])
def test_the_verbs_are_not_replaced_by_accident(name):
    with pytest.raises(DefinitionError, match=name):
        type("Mine", (Agent,), {name: lambda self: None, "__module__": __name__})


async def test_the_number_of_open_runs_is_bounded(runtime):
    class Small(Worker):
        options = {"max_pending": 2}

    agent = runtime.get(Small, "a")

    async def work(agent):
        first = await agent.tasks.run("work")
        await agent.tasks.run("work", idempotency_key="k")
        with pytest.raises(TooManyPending, match="max_pending"):
            await agent.tasks.run("work")
        assert not (await agent.tasks.run("work", idempotency_key="k")).accepted
        await first.cancel()
        return (await agent.tasks.run("work")).accepted

    assert await runtime.run_in_agent(agent, work)


async def test_what_was_accepted_in_a_transaction_goes_with_it(runtime):
    agent = runtime.get(Worker, "a")

    async def work(agent):
        async def undone(transaction):
            await agent.tasks.run("work", "undone", run_id="undone")
            raise ValueError("undo")

        with pytest.raises(Exception, match="undo"):
            await agent.ctx.storage.transaction(undone)
        await agent.tasks.run("work", "kept", run_id="kept")
        return [info.run_id for info in await agent.tasks.list()]

    assert await runtime.run_in_agent(agent, work) == ["kept"]
    await runtime.advance(minutes=1)
    assert LOG == ["kept", "left"]
