"""Tasks: they run to their end through crashes, each step once, and what they wait for takes no memory."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from agents_runtime import Agent, callable
from agents_runtime.errors import DefinitionError, NonRetryableError, NotJson, UsageError
from agents_runtime.tasks.declare import task
from agents_runtime.tasks.errors import StepFailed, TaskCancelled, TaskFailed, UnknownTask
from agents_runtime.tasks.step import get_current_step


class Researcher(Agent):
    """Notes every call of a step in a table, which outlives its memory."""

    async def on_start(self, props=None):
        self.sql("CREATE TABLE IF NOT EXISTS calls (what TEXT)")

    def note(self, what):
        self.sql("INSERT INTO calls VALUES (?)", what)
        return what

    def calls(self):
        return [row["what"] for row in self.sql("SELECT what FROM calls ORDER BY rowid")]

    @task
    async def research(self, step, topic):
        plan = await step.do("plan", self.plan, topic)
        await step.sleep("rest", "1 hour")
        pages = await asyncio.gather(*(step.do(f"read-{i}", self.read, page) for i, page in enumerate(plan)))
        return {"topic": topic, "pages": pages}

    async def plan(self, topic):
        self.note(f"plan {topic}")
        return [f"{topic}-a", f"{topic}-b"]

    def read(self, page):
        return self.note(f"read {page}")

    @task
    async def fragile(self, step, failures):
        try:
            return await step.do("try", self.fail_times, failures, max_attempts=3, delay="10 seconds")
        except StepFailed as error:
            self.note(f"{error.error_name}: {error.error_message}")
            raise

    async def fail_times(self, failures):
        attempt = get_current_step().attempt
        self.note(f"attempt {attempt}")
        if attempt <= failures:
            raise ValueError(f"no luck at {attempt}")
        return attempt

    @task
    async def hopeless(self, step):
        await step.do("never", self.refuse)

    def refuse(self):
        self.note("refused")
        raise NonRetryableError("it cannot work")

    @task
    async def slow(self, step):
        return await step.do("wait", self.wait, timeout="1 minute", max_attempts=2, delay=0)

    async def wait(self):
        self.note("waiting")
        await asyncio.Event().wait()

    @task
    async def until(self, step, when):
        await step.sleep_until("then", datetime.fromisoformat(when))
        return self.note("woken")

    @task(name="say hello")
    async def hello(self, step, *names):
        step.status("greeting")
        return [await step.do(f"greet {name}", self.note, f"hello {name}") for name in names]

    async def start(self, name, *args, **options):
        run = await self.tasks.run(name, *args, **options)
        return [run.run_id, run.accepted]

    async def run(self, name, *args):
        return await (await self.tasks.run(name, *args))

    @callable
    async def ask(self, topic: str):
        return await (await self.tasks.run(self.research, topic))

    async def look(self, run_id):
        info = await self.tasks.get(run_id)
        return info and {"state": info.state, "result": info.result, "error": info.error_message, "status": info.status}


async def test_a_task_runs_its_steps_and_gives_its_result(runtime):
    agent = runtime.get(Researcher, "a")
    assert await agent.run("say hello", "ada", "bob") == ["hello ada", "hello bob"]
    assert await agent.calls() == ["hello ada", "hello bob"]


async def test_a_sleeping_task_needs_no_memory_and_repeats_nothing(runtime):
    agent = runtime.get(Researcher, "a")
    run_id, accepted = await agent.start("research", "bees")
    assert accepted
    await runtime.settle()
    assert (await agent.look(run_id))["state"] == "waiting"
    await runtime.evict(agent)
    await runtime.advance(minutes=59, seconds=59, milliseconds=999)
    assert (await agent.look(run_id))["state"] == "waiting"
    await runtime.advance(milliseconds=1)
    assert (await agent.look(run_id))["state"] == "completed"
    assert (await agent.look(run_id))["result"] == {"topic": "bees", "pages": ["read bees-a", "read bees-b"]}
    assert await agent.calls() == ["plan bees", "read bees-a", "read bees-b"]


async def test_a_client_awaits_a_task_to_its_end(runtime):
    client = await runtime.connect(Researcher, "a")
    answer = asyncio.ensure_future(client.call("ask", "bees"))
    await runtime.settle()
    await runtime.advance(hours=1)
    assert (await answer)["topic"] == "bees"


async def test_a_step_that_fails_is_tried_again_after_growing_waits(runtime):
    agent = runtime.get(Researcher, "a")
    run_id, _ = await agent.start("fragile", 2)
    await runtime.advance(seconds=9)
    assert await agent.calls() == ["attempt 1"]
    await runtime.advance(seconds=1)
    assert await agent.calls() == ["attempt 1", "attempt 2"]
    await runtime.advance(seconds=20)
    assert await agent.look(run_id) == {"state": "completed", "result": 3, "error": None, "status": None}


async def test_a_task_whose_step_never_succeeds_fails_with_the_reason(runtime):
    errors = runtime.expect_errors()
    agent = runtime.get(Researcher, "a")
    run_id, _ = await agent.start("fragile", 9)
    await runtime.advance(minutes=5)
    assert (await agent.look(run_id))["state"] == "failed"
    assert "no luck at 3" in (await agent.look(run_id))["error"]
    assert (await agent.calls())[-1] == "ValueError: no luck at 3"
    assert isinstance(errors[0].error, TaskFailed), "nobody awaits it, so on_error is told"


async def test_whoever_awaits_a_failing_task_gets_its_reason(runtime):
    agent = runtime.get(Researcher, "a")

    async def work(agent):
        with pytest.raises(TaskFailed, match=r"'never' failed: NonRetryableError: it cannot work"):
            await agent.run("hopeless")

    await runtime.run_in_agent(agent, work)
    assert await agent.calls() == ["refused"]


async def test_a_step_that_takes_too_long_is_cancelled_and_tried_again(runtime):
    runtime.expect_errors()
    agent = runtime.get(Researcher, "a")
    run_id, _ = await agent.start("slow")
    await runtime.advance(minutes=3)
    assert "was not done after 60 s" in (await agent.look(run_id))["error"]
    assert await agent.calls() == ["waiting", "waiting"]


async def test_sleep_until_takes_a_moment(runtime):
    agent = runtime.get(Researcher, "a")
    past, future = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 12)
    assert await agent.run("until", past.isoformat()) == "woken"
    run_id, _ = await agent.start("until", future.isoformat())
    await runtime.advance_to(future - timedelta(milliseconds=1))
    assert (await agent.look(run_id))["state"] == "waiting"
    await runtime.advance_to(future)
    assert (await agent.look(run_id))["state"] == "completed"


async def test_one_run_per_idempotency_key(runtime):
    agent = runtime.get(Researcher, "a")
    first = await agent.start("say hello", "ada", idempotency_key="k")
    assert await agent.start("say hello", "bob", idempotency_key="k") == [first[0], False]
    await runtime.settle()
    assert await agent.start("say hello", "bob", idempotency_key="k") == [first[0], False]
    assert await agent.calls() == ["hello ada"]


async def test_a_run_that_is_not_retained_leaves_no_trace(runtime):
    agent = runtime.get(Researcher, "a")

    async def work(agent):
        run = await agent.tasks.run("say hello", "ada", retain=False, idempotency_key="k")
        return await run

    assert await runtime.run_in_agent(agent, work) == ["hello ada"]
    tables = ("cf_agents_task_runs", "cf_agents_task_steps", "cf_agents_jobs")
    left = await runtime.run_in_agent(agent, lambda agent: [agent.sql(f"SELECT * FROM {table}") for table in tables])
    assert left == [[], [], []]


async def test_cancelling_ends_a_run_at_once_and_lets_it_clean_up(runtime):
    class Patient(Researcher):
        @task
        async def patience(self, step):
            try:
                await step.do("wait", self.wait)
            finally:
                self.note("cleaned up")

    agent = runtime.get(Patient, "a")
    run_id, _ = await agent.start("patience")
    await runtime.settle()

    async def cancel(agent):
        waiting = asyncio.ensure_future(_outcome(agent.tasks.handle(run_id)))
        await asyncio.sleep(0)
        assert await agent.tasks.cancel(run_id, "enough")
        assert not await agent.tasks.cancel(run_id)
        with pytest.raises(TaskCancelled, match="enough"):
            await waiting
        return (await agent.tasks.get(run_id)).state

    assert await runtime.run_in_agent(agent, cancel) == "cancelled"
    await runtime.settle()
    assert await agent.calls() == ["waiting", "cleaned up"]
    assert await runtime.run_in_agent(agent, lambda agent: agent.sql("SELECT * FROM cf_agents_jobs")) == []


async def _outcome(run):
    return await run


async def test_runs_are_listed_and_deleted(runtime):
    agent = runtime.get(Researcher, "a")

    async def work(agent):
        await (await agent.tasks.run("say hello", run_id="one", metadata={"by": "ada"}))
        await agent.tasks.run("research", "bees", run_id="two")
        listed = {info.run_id: info for info in await agent.tasks.list()}
        assert set(listed) == {"one", "two"}
        assert listed["one"].metadata == {"by": "ada"}
        assert listed["one"].status == "greeting"
        assert [info.run_id for info in await agent.tasks.list(state="completed")] == ["one"]
        assert [info.run_id for info in await agent.tasks.list(task=agent.research)] == ["two"]
        with pytest.raises(UsageError, match="cancel it before"):
            await agent.tasks.delete("two")
        assert await agent.tasks.delete() == 1
        assert await agent.tasks.get("one") is None
        assert await agent.tasks.cancel("two")
        assert await agent.tasks.delete("two") == 1
        return agent.sql("SELECT * FROM cf_agents_task_steps")

    assert await runtime.run_in_agent(agent, work) == []


@pytest.mark.parametrize(
    ("args", "options", "error", "said"),
    [
        (("nothing",), {}, UnknownTask, "did you mean|there are"),
        (("research",), {}, UsageError, "takes 1 arguments, not 0"),
        (("research", "a", "b"), {}, UsageError, "takes 1 arguments, not 2"),
        (("research", {1, 2}), {}, NotJson, "use a list"),
        (("research", "x" * 2_000_000), {}, UsageError, "are kept"),
        (("research", "a"), {"idempotency_key": " "}, UsageError, "blank"),
        (("research", "a"), {"run_id": ""}, UsageError, "blank"),
        (("research", "a"), {"metadata": "x"}, UsageError, "dict"),
        ((len,), {}, UsageError, "is no task"),
    ],
)
async def test_what_cannot_be_run_is_refused_and_leaves_nothing(runtime, args, options, error, said):
    agent = runtime.get(Researcher, "a")

    async def work(agent):
        with pytest.raises(error, match=said):
            await agent.tasks.run(*args, **options)
        return await agent.tasks.list()

    assert await runtime.run_in_agent(agent, work) == []
    assert await agent.calls() == []


def test_mistakes_fail_when_the_class_is_defined():
    with pytest.raises(DefinitionError, match="async def"):

        class NotAsync(Agent):
            @task
            def work(self, step): ...

    with pytest.raises(DefinitionError, match="step"):

        class NoStep(Agent):
            @task
            async def work(self): ...

    with pytest.raises(DefinitionError, match="cannot be @callable"):

        class Both(Agent):
            @callable
            @task
            async def work(self, step): ...

    with pytest.raises(DefinitionError, match="both the task"):

        class Twice(Agent):
            @task(name="x")
            async def one(self, step): ...

            @task(name="x")
            async def two(self, step): ...

    with pytest.raises(DefinitionError, match="part of Agent"):

        class Hook(Agent):
            @task
            async def on_start(self, step): ...
