"""`runtime.introspect`: what waits in an agent and what its tasks have done, without running any of its code."""

import dataclasses

import pytest
from workers import DurableObject

from agents_runtime import Agent, task
from agents_runtime.testing import Introspection, JobReport, StepReport

STARTS = []


class Office(Agent):
    async def on_start(self):
        STARTS.append(self.name)

    async def plan(self):
        await self.schedule("0 9 * * *", self.work, "morning")
        await self.schedule_every(3_600, self.work)
        await self.schedule(90, self.work, {"tea": True}, key="tea")

    def work(self, payload, schedule):
        pass

    async def file(self, *pages):
        for page in pages:
            await self.queue(self.read, page, priority=int(page == "urgent"))

    def read(self, payload, item):
        pass

    @task
    async def draft(self, step, topic):
        text = await step.do("write", str.upper, topic)
        await step.sleep("let it rest", 60)
        return await step.do("print", self.print, text, max_attempts=2, delay=30, backoff="constant")

    def print(self, text):
        if text == "BAD":
            raise ConnectionError("no paper")
        return len(text)

    async def begin(self, topic):
        return (await self.tasks.run("draft", topic)).run_id

    def on_error(self, error):
        pass


class Plain(DurableObject):
    async def keep(self):
        self.ctx.storage.kv.put("kept", True)


async def test_schedules_are_listed_by_their_time(runtime):
    office = runtime.get(Office, "a")
    await office.plan()
    seen = await runtime.introspect(office)
    assert [(job.schedule_type, job.due_ms - runtime.now_ms) for job in seen.jobs] == [
        ("delayed", 90_000),
        ("interval", 3_600_000),
        ("cron", 9 * 3_600_000),
    ]
    assert seen.jobs == seen.schedules
    assert seen.jobs[0] == JobReport("tea", "schedule", runtime.now_ms + 90_000, "work", {"tea": True}, "delayed")
    assert seen.alarm_ms == seen.jobs[0].due_ms
    await runtime.advance(seconds=90)
    assert [job.schedule_type for job in (await runtime.introspect(office)).jobs] == ["interval", "cron"]
    assert len(seen.jobs) == 3, "what was seen does not change"


async def test_queue_items_are_listed_with_payload_and_priority(runtime):
    office = runtime.get(Office, "a")
    await office.file("one", "urgent")
    items = (await runtime.introspect(office)).queue_items
    assert [(item.kind, item.callback, item.payload, item.priority) for item in items] == [
        ("queue", "read", "urgent", 1),
        ("queue", "read", "one", 0),
    ]
    await runtime.advance()
    assert (await runtime.introspect(office)).jobs == ()


async def test_a_task_is_seen_while_it_waits_and_once_it_has_ended(runtime):
    office = runtime.get(Office, "a")
    run_id = await office.begin("bees")
    await runtime.settle()
    seen = await runtime.introspect(office)
    run = seen.task(run_id)
    assert (run.task, run.state, run.wait_reason) == ("draft", "waiting", "sleep")
    assert run.wake_at_ms == runtime.now_ms + 60_000
    assert [(step.name, step.state) for step in run.steps] == [("let it rest", "waiting"), ("write", "completed")]
    assert run.step("write") == StepReport("write", "do", "completed", 1, "BEES")
    assert run.step("print") is None
    assert [(job.run_id, job.due_ms) for job in seen.task_wakes] == [(run_id, run.wake_at_ms)]
    await runtime.advance(seconds=60)
    seen = await runtime.introspect(office)
    assert (seen.task(run_id).state, seen.task(run_id).result, seen.jobs, seen.alarm_ms) == ("completed", 4, (), None)


async def test_a_failing_step_is_seen_between_its_attempts(runtime):
    office = runtime.get(Office, "a")
    run_id = await office.begin("bad")
    await runtime.advance(seconds=60)
    step = (await runtime.introspect(office)).task(run_id).step("print")
    assert (step.state, step.attempts, step.error_name, step.error_message) == (
        "waiting",
        1,
        "ConnectionError",
        "no paper",
    )
    assert step.wake_at_ms == runtime.now_ms + 30_000
    await runtime.advance(seconds=30)
    run = (await runtime.introspect(office)).task(run_id)
    assert (run.state, run.error_name, run.step("print").state) == ("failed", "StepFailed", "failed")
    assert run.step("print").attempts == 2


async def test_it_looks_at_what_survives_a_crash_and_starts_no_agent(runtime):
    office = runtime.get(Office, "a")
    await office.plan()
    before = await runtime.introspect(office)
    await runtime.restart(crash=True)
    STARTS.clear()
    assert await runtime.introspect(office) == before
    assert STARTS == []


async def test_nothing_is_found_where_nothing_is(runtime):
    assert await runtime.introspect(runtime.get(Office, "new")) == Introspection(None, (), ())
    plain = runtime.get(Plain, "a")
    await plain.keep()
    assert await runtime.introspect(plain) == Introspection(None, (), ())
    with pytest.raises(dataclasses.FrozenInstanceError):
        (await runtime.introspect(plain)).jobs = ()
