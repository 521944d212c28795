"""The queue on a virtual clock: in order, at least once, never stuck; items to pull; dead letters."""

from __future__ import annotations

import asyncio

import pytest

from agents_runtime import Agent, UsageError, get_current_agent, subscribe
from agents_runtime.errors import NotJson, TooManyPending, UnknownCallback


class Worker(Agent):
    initial_state = []

    def work(self, payload, item):
        self.set_state([*self.state, payload])

    def fail(self, payload, item):
        raise ValueError(f"no {payload}")

    def fail_once(self, payload, item):
        self.sql("CREATE TABLE IF NOT EXISTS tries (n INTEGER)")
        self.sql("INSERT INTO tries VALUES (1)")
        if len(self.sql("SELECT n FROM tries")) == 1:
            raise ValueError("first")
        self.work(payload, item)

    async def work_slowly(self, payload, item):
        await self._platform.clock.sleep(1)
        self.work([payload, self._platform.clock.now_ms() % 100_000], item)

    def chain(self, payload, item):
        self.work(payload, item)
        if payload:
            return self.queue(self.chain, payload - 1)

    def on_error(self, error):
        self.sql("CREATE TABLE IF NOT EXISTS errors (text TEXT)")
        self.sql("INSERT INTO errors VALUES (?)", str(error))


@pytest.fixture
def worker(runtime):
    return runtime.get(Worker, "a")


async def test_items_run_in_order_after_the_event(runtime, worker):
    async def story(agent):
        for number in range(250):
            await agent.queue("work", number)
        return agent.state

    assert await runtime.run_in_agent(worker, story) == []
    await runtime.advance()
    assert await worker.state == list(range(250))
    assert await worker.get_queues() == []


async def test_items_queued_by_items_run_too(runtime, worker):
    await worker.queue("chain", 5)
    await runtime.advance()
    assert await worker.state == [5, 4, 3, 2, 1, 0]


async def test_items_survive_a_crash_and_run_after_the_restart(runtime, worker):
    await worker.queue("work", 1)
    await runtime.restart(crash=True)
    await runtime.advance()
    assert await worker.state == [1]


async def test_an_item_is_what_javascript_stores(runtime, worker):
    item_id = await worker.queue("work", {"a": 1}, retry={"max_attempts": 5})
    row = await runtime.run_in_agent(worker, lambda agent: agent.sql("SELECT * FROM cf_agents_jobs")[0])
    assert (row["id"], row["capability"], row["fn"]) == (item_id, "queue", "work")
    assert row["payload"] == '{"payload":{"a":1},"owner_path":null,"owner_path_key":null}'
    assert row["retry_options"] == '{"maxAttempts":5,"baseDelayMs":100,"maxDelayMs":3000}'
    item = await runtime.run_in_agent(worker, lambda agent: agent.get_queue(item_id))
    assert (item.id, item.callback, item.payload, item.retry.max_attempts) == (item_id, "work", {"a": 1}, 5)
    assert item["createdAt"] == item.created_at == runtime.now_ms // 1000


async def test_the_method_sees_the_item_and_only_the_agent(runtime):
    seen = []

    class Curious(Worker):
        def look(self, payload, item):
            seen.append((payload, item.id, item.callback, get_current_agent().agent is self))
            seen.append(get_current_agent().request)

    curious = runtime.get(Curious, "a")
    await curious.queue("look", "x", id="mine")
    await runtime.advance()
    assert seen == [("x", "mine", "look", True), None]


async def test_a_failing_item_is_retried_and_becomes_a_dead_letter(runtime, worker):
    events = []
    stop = subscribe("schedule", lambda event: events.append((event.type, event.payload)))
    bad = await worker.queue("fail", "luck", retry={"max_attempts": 2})
    await worker.queue("work", "next")
    await runtime.advance(seconds=5)
    stop()
    common = {"callback": "fail", "id": bad}
    assert [event for event in events if event[1]["id"] == bad] == [
        ("queue:create", common),
        ("queue:retry", {**common, "attempt": 2, "maxAttempts": 2}),
        ("queue:error", {**common, "error": "no luck", "attempts": 2}),
    ]
    assert await worker.state == ["next"]
    assert await runtime.run_in_agent(worker, lambda agent: agent.sql("SELECT * FROM errors")) == [{"text": "no luck"}]
    [letter] = await runtime.run_in_agent(worker, lambda agent: agent.list_dead_letters())
    assert (letter.id, letter.callback, letter.payload, letter.error, letter.attempts) == (
        bad,
        "fail",
        "luck",
        "no luck",
        2,
    )


async def test_one_failure_is_not_the_end(runtime, worker):
    await worker.queue("fail_once", "x")
    await runtime.advance(seconds=5)
    assert await worker.state == ["x"]
    assert await worker.list_dead_letters() == []


async def test_dead_letters_can_be_queued_again_and_deleted(runtime, worker):
    ids = [await worker.queue("fail", number, retry={"max_attempts": 1}) for number in range(4)]
    await runtime.advance()
    await runtime.evict_all()
    assert [letter["id"] for letter in await worker.list_dead_letters()] == ids
    assert await worker.list_dead_letters(callback="work") == []
    assert await worker.delete_dead_letters(ids[0]) == 1
    assert await worker.requeue_dead_letters(ids[1]) == 1
    assert await worker.delete_dead_letters("unknown") == 0
    await runtime.advance()
    assert [letter["id"] for letter in await worker.list_dead_letters()] == [ids[2], ids[3], ids[1]]
    assert await worker.requeue_dead_letters(callback="fail") == 3
    assert await worker.list_dead_letters() == []
    assert len(await worker.get_queues()) == 3


async def test_a_method_that_is_gone_makes_a_dead_letter(runtime, worker, caplog):
    await worker.queue("work", 1)
    await runtime.run_in_agent(worker, lambda agent: agent.sql("UPDATE cf_agents_jobs SET fn = 'gone'"))
    await runtime.advance()
    assert "no method 'gone'" in caplog.text
    [letter] = await worker.list_dead_letters()
    assert letter["error"] == "the class has no such method"


async def test_items_to_pull(runtime, worker):
    assert await worker.dequeue() is None
    first = await worker.queue({"job": "index", "doc_id": "doc_42"})
    second = await worker.queue({"job": "index", "doc_id": "doc_43"})
    await runtime.advance(days=1)
    assert await worker.get_queue() == [{"job": "index", "doc_id": "doc_42"}, {"job": "index", "doc_id": "doc_43"}]
    assert (await worker.get_queue(second))["payload"]["doc_id"] == "doc_43"
    assert await worker.dequeue() == {"job": "index", "doc_id": "doc_42"}
    assert await worker.dequeue(first) is False
    assert await worker.dequeue(second) is True
    assert await worker.dequeue() is None
    for number in range(3):
        await worker.queue({"n": number})
    assert await worker.dequeue_all() == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert await worker.get_queue() == []


async def test_items_with_a_method_can_be_listed_and_removed(runtime, worker):
    async def story(agent):
        one = await agent.queue("work", {"kind": "a", "n": 1})
        await agent.queue("work", {"kind": "b"})
        await agent.queue("fail", None)
        await agent.queue({"kind": "a", "n": 2})
        assert [item.payload.get("n") for item in await agent.get_queues("kind", "a")] == [1, 2]
        assert len(await agent.get_queues()) == 4
        assert await agent.dequeue(one) is True
        assert await agent.dequeue_all_by_callback("fail") == 1
        assert await agent.dequeue_all_by_callback("fail") == 0
        assert await agent.dequeue_all() == [{"kind": "a", "n": 2}, {"kind": "b"}]

    await runtime.run_in_agent(worker, story)
    await runtime.advance()
    assert await worker.state == []


async def test_an_id_names_an_item_and_keeps_its_place(runtime, worker):
    async def story(agent):
        await agent.queue("work", "first", id="mine")
        await agent.queue("work", "second")
        await agent.queue("work", "replaced", id="mine")
        await agent.queue({"a": 1}, id="pull")
        await agent.queue({"a": 2}, id="pull")
        for id_, make in (("mine", agent.queue({}, id="mine")), ("pull", agent.queue("work", id="pull"))):
            with pytest.raises(UsageError, match=f"{id_}.*choose another"):
                await make

    await runtime.run_in_agent(worker, story)
    await runtime.advance()
    assert await worker.state == ["replaced", "second"]
    assert await worker.dequeue_all() == [{"a": 2}]


async def test_ids_of_schedules_and_items_are_kept_apart(runtime, worker):
    await worker.schedule(60, "work", key="mine")
    with pytest.raises(Exception, match="belongs to the scheduler"):
        await worker.queue("work", id="mine")
    assert await worker.dequeue("mine") is False
    assert await worker.get_queue("mine") is None
    assert await worker.get_schedule_by_id("mine")


async def test_priority_goes_first(runtime, worker):
    async def story(agent):
        for payload, priority in (("a", 0), ("b", -1), ("c", 5), ("d", 0), ("e", 5)):
            await agent.queue("work", payload, priority=priority)

    await runtime.run_in_agent(worker, story)
    await runtime.advance()
    assert await worker.state == ["c", "e", "a", "d", "b"]


async def test_an_urgent_item_overtakes_those_that_wait(runtime):
    class Overtaker(Worker):
        async def first(self):
            await self.queue("work", "urgent", priority=1)

    overtaker = runtime.get(Overtaker, "a")

    async def story(agent):
        await agent.queue("first")
        for number in range(3):
            await agent.queue("work", number)

    await runtime.run_in_agent(overtaker, story)
    await runtime.advance()
    assert await overtaker.state == ["urgent", 0, 1, 2]


async def test_one_after_the_other_unless_the_class_says_otherwise(runtime):
    class Parallel(Worker):
        options = {"queue_concurrency": 3}

    for cls, ends in ((Worker, [1, 2, 3, 4, 5, 6]), (Parallel, [1, 1, 1, 2, 2, 2])):
        start_ms = runtime.now_ms % 100_000
        handle = runtime.get(cls, "a")

        async def story(agent):
            for number in range(6):
                await agent.queue("work_slowly", number)

        await runtime.run_in_agent(handle, story)
        await runtime.advance(seconds=10)
        assert [(number, (ms - start_ms) // 1000) for number, ms in await handle.state] == list(enumerate(ends))


async def test_a_stuck_item_does_not_hold_up_the_rest(runtime):
    class Stuck(Worker):
        options = {"queue_concurrency": 2}

        async def hang(self):
            await asyncio.Event().wait()

    runtime.expect_errors()
    for cls in (Stuck, type("Serial", (Stuck,), {"options": {"queue_concurrency": 1}})):
        stuck = runtime.get(cls, "a")
        for _ in range(3):
            await stuck.queue("hang")
        await stuck.queue("work", "rest")
        await runtime.advance(minutes=3)
        assert await stuck.state == ["rest"]
        assert len(await stuck.get_queues()) == 3, "they are kept, and run again after a restart"


async def test_an_item_dequeued_while_it_runs_is_gone(runtime):
    class Quitter(Worker):
        async def quit(self, payload, item):
            assert await self.dequeue(item.id)
            raise ValueError("after all")

    quitter = runtime.get(Quitter, "a")
    await quitter.queue("quit", None, retry={"max_attempts": 1})
    await runtime.advance()
    assert await quitter.get_queues() == []
    assert await quitter.list_dead_letters() == []


async def test_a_limit_bounds_what_waits(runtime):
    class Small(Worker):
        options = {"max_pending": 2}

    async def story(agent):
        for make in (lambda: agent.queue("work"), lambda: agent.queue({})):
            await make()
            await make()
            with pytest.raises(TooManyPending, match="2 queue items"):
                await make()
        await agent.dequeue()
        await agent.queue({})

    await runtime.run_in_agent(runtime.get(Small, "a"), story)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda agent: agent.queue("wrok"), UnknownCallback, "did you mean 'work'"),
        (lambda agent: agent.queue(print), UnknownCallback, "must be a method of the agent"),
        (lambda agent: agent.queue("work", object()), NotJson, "payload is a object"),
        (lambda agent: agent.queue({"a": b""}), NotJson, "payload.a"),
        (lambda agent: agent.queue("work", retry={"max_attempt": 3}), UsageError, "did you mean 'max_attempts'"),
        (lambda agent: agent.queue("work", id=" "), UsageError, "blank"),
        (lambda agent: agent.queue("work", priority=1.5), UsageError, "whole number"),
        (lambda agent: agent.queue("work", "x" * 1_100_000), UsageError, "1,100,002 bytes"),
    ],
)
async def test_mistakes_are_told_at_once_and_store_nothing(runtime, worker, make, error, text):
    async def story(agent):
        with pytest.raises(error, match=text):
            await make(agent)
        return await agent.get_queues()

    assert await runtime.run_in_agent(worker, story) == []


async def test_a_private_method_is_warned_about(runtime, caplog):
    class Private(Worker):
        def _inside(self, payload):
            self.work(payload, None)

    private = runtime.get(Private, "a")
    await runtime.run_in_agent(private, lambda agent: agent.queue(agent._inside, 1))
    await runtime.advance()
    assert await private.state == [1]
    assert caplog.text.count("says that it may change") == 1
