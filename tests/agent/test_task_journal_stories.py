"""Tasks and their journals: replays that fit, replays that do not, and code that changed in between."""

import asyncio

import pytest

from agents_runtime import Agent, subscribe
from agents_runtime.tasks.declare import task
from agents_runtime.tasks.errors import DuplicateStep, ReplayDiverged

EFFECTS = []


@pytest.fixture(autouse=True)
def clean():
    EFFECTS.clear()


def act(what):
    EFFECTS.append(what)
    return what


class Base(Agent):
    async def start(self, name, *args):
        return (await self.tasks.run(name, *args, run_id="r")).run_id

    async def look(self):
        info = await self.tasks.get("r")
        return [info.state, info.result if info.state == "completed" else info.error_name]


async def crash_after(runtime, cls, seconds, name, *args):
    """Start a task, let it be killed after so long, and give the agent's handle."""
    agent = runtime.get(cls, "a")
    await agent.start(name, *args)
    await runtime.advance(seconds=seconds)
    runtime.crash(agent)
    return agent


async def test_branches_go_on_while_another_sleeps(runtime):
    class Parallel(Base):
        @task
        async def both(self, step):
            return await asyncio.gather(self.sleeper(step), self.pipeline(step))

        async def sleeper(self, step):
            await step.sleep("long", "1 hour")
            return await step.do("late", act, "late")

        async def pipeline(self, step):
            for number in range(3):
                await step.do(f"part {number}", self.work_on, number)
            return "done"

        async def work_on(self, number):
            await self.ctx.agents_platform.clock.sleep(60)
            act(number)

    agent = runtime.get(Parallel, "a")
    await agent.start("both")
    await runtime.advance(minutes=4)
    assert EFFECTS == [0, 1, 2]
    assert await agent.look() == ["waiting", None]
    await runtime.advance(minutes=56)
    assert EFFECTS == [0, 1, 2, "late"]
    assert await agent.look() == ["completed", ["late", "done"]]


async def test_a_short_sleep_ends_in_memory_while_others_work(runtime):
    class Parallel(Base):
        @task
        async def both(self, step):
            async def sleeper():
                await step.sleep("short", 10)
                await step.do("early", act, "early")

            await asyncio.gather(sleeper(), step.do("work", self.work))

        async def work(self):
            await self.ctx.agents_platform.clock.sleep(60)
            act("work")

    agent = runtime.get(Parallel, "a")
    await agent.start("both")
    await runtime.advance(seconds=11)
    assert EFFECTS == ["early"]
    await runtime.advance(seconds=60)
    assert await agent.look() == ["completed", None]


async def test_an_interrupted_step_knows_that_it_is_tried_again(runtime):
    class Interrupted(Base):
        @task
        async def work(self, step):
            context = step.interrupted
            act(context and [context.name, context.attempt])
            return await step.do("slow", self.slow)

        async def slow(self):
            await self.ctx.agents_platform.clock.sleep(5)
            return "done"

    agent = await crash_after(runtime, Interrupted, 2, "work")
    await runtime.advance(minutes=1)
    assert EFFECTS == [None, ["slow", 1]]
    assert await agent.look() == ["completed", "done"]


async def test_keys_for_other_services_stay_the_same(runtime):
    class Payer(Base):
        @task
        async def pay(self, step):
            act(step.idempotency_key("charge"))
            await step.do("charge", self.charge, delay=1)

        def charge(self):
            from agents_runtime.tasks.step import get_current_step

            context = get_current_step()
            act(context.idempotency_key)
            if context.attempt == 1:
                raise ValueError("once more")

    agent = runtime.get(Payer, "a")
    await agent.start("pay")
    await runtime.advance(seconds=5)
    assert await agent.look() == ["completed", None]
    assert set(EFFECTS) == {"r:charge"}
    assert len(EFFECTS) == 4


@pytest.mark.parametrize("is_handled", [False, True], ids=["raised", "handled"])
async def test_one_name_for_two_steps_fails_the_run(runtime, is_handled):
    class Twice(Base):
        @task
        async def work(self, step):
            await step.do("same", act, 1)
            try:
                await step.do("same", act, 2)
            except DuplicateStep:
                if not is_handled:
                    raise

    runtime.expect_errors()
    agent = runtime.get(Twice, "a")
    await agent.start("work")
    await runtime.settle()
    assert await agent.look() == ["failed", "DuplicateStep"]
    assert EFFECTS == [1]


CODE = {"version": 1}


class Changing(Base):
    """Its code is another after the crash, as after a deploy."""

    async def nap(self):
        await self.ctx.agents_platform.clock.sleep(10)

    @task
    async def added(self, step):
        await step.do("a", act, "a")
        if CODE["version"] == 2:
            await step.do("new", act, "new")
        await step.do("b", act, "b")
        await step.do("nap", self.nap)

    @task
    async def removed(self, step):
        if CODE["version"] == 1:
            await step.do("a", act, "a")
        await step.sleep("nap", 10)

    @task
    async def kind(self, step):
        await (step.do("x", act, "x") if CODE["version"] == 1 else step.sleep("x", 1))
        await step.sleep("nap", 10)

    @task
    async def appended(self, step):
        await step.do("a", act, "a")
        await step.sleep("nap", 10)
        if CODE["version"] == 2:
            await step.do("new", act, "new")
        return "fine"


@pytest.mark.parametrize(
    ("name", "outcome", "effects"),
    [
        ("added", ["failed", ReplayDiverged.__name__], ["a", "b"]),
        ("removed", ["failed", ReplayDiverged.__name__], ["a"]),
        ("kind", ["failed", ReplayDiverged.__name__], ["x"]),
        ("appended", ["completed", "fine"], ["a", "new"]),
    ],
)
async def test_changed_code_fails_where_the_journal_says_something_else(runtime, name, outcome, effects):
    runtime.expect_errors()
    CODE["version"] = 1
    agent = await crash_after(runtime, Changing, 2, name)
    CODE["version"] = 2
    await runtime.advance(minutes=2)
    assert await agent.look() == outcome
    assert effects == EFFECTS, "and nothing new is done"


async def test_a_task_that_was_removed_fails_with_the_reason(runtime):
    class Old(Base):
        @task(name="soon gone")
        async def work(self, step):
            await step.sleep("nap", 60)

    runtime.expect_errors()
    agent = runtime.get(Old, "a")
    await agent.start("soon gone")
    await runtime.settle()
    await inside(runtime, agent, lambda agent: agent.sql("UPDATE cf_agents_task_runs SET definition = 'gone'"))
    await runtime.advance(minutes=1)
    assert await agent.look() == ["failed", "UnknownTask"]


def inside(runtime, agent, work):
    return runtime.run_in_agent(agent, work)


class Doomed(Base):
    @task
    async def between(self, step):
        await step.sleep("nap", 1)
        act("dies")
        self.ctx.abort("between steps")

    @task
    async def within(self, step):
        await step.do("a", self.die, max_attempts=3)

    def die(self):
        act("dies")
        self.ctx.abort("within a step")

    @task
    async def slowly(self, step):
        for number in range(15):
            await step.do(f"part {number}", act, number)
            await step.sleep(f"nap {number}", 1)
        return "done"


@pytest.mark.parametrize(
    ("name", "error", "deaths"), [("between", "RecoveryExhausted", 5), ("within", "StepFailed", 3)]
)
async def test_a_task_that_takes_the_agent_down_every_time_is_given_up(runtime, name, error, deaths):
    runtime.expect_errors()
    agent = runtime.get(Doomed, "a")
    await agent.start(name)
    await runtime.advance(minutes=10)
    assert await agent.look() == ["failed", error]
    assert EFFECTS.count("dies") == deaths


async def test_interruptions_with_progress_in_between_do_not_add_up(runtime):
    agent = runtime.get(Doomed, "a")
    await agent.start("slowly")
    for _ in range(15):
        await runtime.advance(seconds=1)
        runtime.crash(agent)
    await runtime.advance(minutes=1)
    assert await agent.look() == ["completed", "done"]
    assert sorted(set(EFFECTS)) == list(range(15))


async def test_events_tell_what_happens(runtime):
    class Told(Base):
        @task
        async def work(self, step):
            await step.do("a", act, "a")
            await step.sleep("nap", 1)

    events = []
    unsubscribe = subscribe("task", events.append)
    try:
        await runtime.get(Told, "a").start("work")
        await runtime.advance(seconds=2)
    finally:
        unsubscribe()
    assert [event.type.removeprefix("task:") for event in events] == [
        "accepted",
        "attempt:started",
        "step:started",
        "step:completed",
        "waiting",
        "attempt:started",
        "completed",
    ]
    assert {event.payload["runId"] for event in events} == {"r"}


async def test_tables_are_those_of_the_javascript_sdk(runtime):
    class Plain(Base):
        @task
        async def work(self, step, topic):
            return await step.do("a", act, topic)

    agent = runtime.get(Plain, "a")
    await agent.start("work", {"topic": "bees"})
    await runtime.settle()
    [run] = await inside(runtime, agent, lambda agent: agent.sql("SELECT * FROM cf_agents_task_runs"))
    [step] = await inside(runtime, agent, lambda agent: agent.sql("SELECT * FROM cf_agents_task_steps"))
    assert (run["input"], run["result"], run["state"], run["retain"]) == (
        '{"topic":"bees"}',
        '{"topic":"bees"}',
        "completed",
        1,
    )
    assert (step["kind"], step["state"], step["attempt"], step["result"]) == ("do", "completed", 1, '{"topic":"bees"}')
    assert " ".join(sorted(run)) == (
        "attempt cancel_reason cancel_requested created_at definition error_message error_name generation "
        "idempotency_key input metadata next_at result retain run_id settled_at started_at state status_message "
        "updated_at wait_reason"
    )
    assert " ".join(sorted(step)) == (
        "attempt completed_at created_at error_message error_name kind next_at result run_id started_at state "
        "step_name updated_at"
    )
    assert await inside(runtime, agent, lambda agent: agent.ctx.storage.kv.get("cf_agents:tasks_schema_version")) == 1


async def test_what_a_step_stores_last_is_committed_with_its_journal_entry(runtime):
    class Keeper(Base):
        initial_state = []

        @task
        async def keep(self, step):
            for number in range(3):
                await step.do(f"part {number}", self.store, number)

        async def store(self, number):
            await self.ctx.agents_platform.clock.sleep(1)
            self.set_state([*self.state, number])

        async def kept(self):
            return self.state

    async def story(world):
        yield await world.get(Keeper, "a").start("keep")
        await world.advance(seconds=5)

    async def once_each(world, acknowledged):
        await world.advance(minutes=2)
        if acknowledged:
            assert await world.get(Keeper, "a").kept() == [0, 1, 2]

    await runtime.crash_sweep(story, once_each)


async def test_a_step_that_ignores_its_time_limit_fails_the_run(runtime):
    class Deaf(Base):
        @task
        async def work(self, step):
            await step.do("deaf", self.deaf, timeout=10)

        async def deaf(self):
            for _ in range(200):
                try:
                    await self.ctx.agents_platform.clock.sleep(1)
                except asyncio.CancelledError:
                    act("heard, and went on")

    runtime.expect_errors()
    agent = runtime.get(Deaf, "a")
    await agent.start("work")
    await runtime.advance(seconds=71)
    assert await agent.look() == ["failed", "StepTimedOut"]
    assert "heard, and went on" in EFFECTS
    await runtime.advance(seconds=200)


async def test_a_step_may_limit_its_own_time_and_cancel_its_own_work(runtime):
    class Own(Base):
        @task
        async def work(self, step):
            return [await step.do("limited", self.limited), await step.do("cancelled", self.cancelled, delay=0)]

        async def limited(self):
            try:
                async with asyncio.timeout(0.001):
                    await asyncio.Event().wait()
            except TimeoutError:
                return "gave up"

        async def cancelled(self):
            waiting = asyncio.ensure_future(asyncio.Event().wait())
            if not EFFECTS:
                act("cancelled")
                waiting.cancel()
                await waiting
            waiting.cancel()
            return "fine"

    agent = runtime.get(Own, "a")
    await agent.start("work")
    for _ in range(50):
        await asyncio.sleep(0.001)
    await runtime.advance(seconds=1)
    assert await agent.look() == ["completed", ["gave up", "fine"]]
