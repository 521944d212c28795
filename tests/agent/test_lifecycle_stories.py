"""Start, failure, alarm, destruction: what happens around the events of an agent, and in which order."""

from __future__ import annotations

import asyncio

import pytest
from workers import Response

from agents_runtime import Agent, RetryableError, callable, get_agent_by_name
from agents_runtime.testing import CallFailed


class Diary(Agent):
    """Writes down what happens to it, in a table, so that nothing is forgotten."""

    def note(self, text):
        self.sql("CREATE TABLE IF NOT EXISTS diary (id INTEGER PRIMARY KEY, text TEXT)")
        self.sql("INSERT INTO diary (text) VALUES (?)", text)

    async def on_start(self, props=None):
        self.note(f"start {props}")

    @callable
    def read(self):
        return [row["text"] for row in self.sql("SELECT text FROM diary ORDER BY id")]

    @callable
    async def work(self, text: str):
        self.note(text)

    def plain(self, text):
        self.note(text)
        return "plain result"


async def test_start_comes_first_and_once_for_each_wake(runtime_factory):
    runtime = runtime_factory(evict_before_every_event=False)
    diary = runtime.get(Diary, "a")
    await diary.work("one")
    await diary.work("two")
    await runtime.evict(diary)
    assert await diary.read() == ["start None", "one", "two", "start None"]


async def test_native_calls_start_the_agent_too(runtime_factory):
    runtime = runtime_factory(evict_before_every_event=False)
    runtime.bind(Diary)
    stub = runtime.env.Diary.getByName("a")
    await runtime.settle()
    assert await stub.plain("plain") == "plain result"
    await stub.work("async")
    assert await stub.read() == ["start None", "plain", "async"]


async def test_many_first_events_share_one_start(runtime_factory):
    class Slow(Diary):
        async def on_start(self, props=None):
            self.note("start begins")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.note("start ends")

        async def on_request(self, request):
            self.note("request")
            return await super().on_request(request)

    runtime = runtime_factory(evict_before_every_event=False)
    slow = runtime.get(Slow, "a")
    await asyncio.gather(
        slow.work("call"),
        slow.fetch("http://localhost/"),
        runtime.connect(slow),
        runtime.env.Slow.getByName("a").work("rpc"),
    )
    notes = await slow.read()
    assert notes[:2] == ["start begins", "start ends"]
    assert sorted(notes[2:]) == ["call", "request", "rpc"]


async def test_props_are_kept_for_the_wakes_that_bring_none(runtime):
    runtime.bind(Diary)
    await get_agent_by_name(runtime.env.Diary, "a", props={"user": "ada"})
    diary = runtime.get(Diary, "a")
    await runtime.evict(diary)
    await diary.work("x")
    await get_agent_by_name(runtime.env.Diary, "a", props={"user": "bob"})
    await runtime.evict(diary)
    notes = await diary.read()
    assert notes[0] == "start {'user': 'ada'}"
    assert notes[-1] == "start {'user': 'bob'}"
    assert "start None" not in notes


async def test_props_never_come_from_a_header(runtime):
    diary = runtime.get(Diary, "a")
    headers = {"x-agents-lifecycle-props": '{"user":"mallory"}'}
    await diary.fetch("http://localhost/", headers=headers)
    await runtime.connect(diary, headers=headers)
    assert set(await diary.read()) == {"start None"}


class Broken(Agent):
    """Starts only from the third attempt on."""

    def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS attempts (x)")
        self.sql("INSERT INTO attempts VALUES (1)")
        if len(self.sql("SELECT * FROM attempts")) < 3:
            raise RuntimeError("the secret of the house")

    def on_error(self, error):
        self.sql("CREATE TABLE IF NOT EXISTS errors (text TEXT)")
        self.sql("INSERT INTO errors VALUES (?)", str(error))

    @callable
    def errors(self):
        return [row["text"] for row in self.sql("SELECT text FROM errors")]


async def test_a_start_that_fails_is_reported_and_tried_again_by_the_next_event(runtime):
    broken = runtime.get(Broken, "a")
    response = await broken.fetch("http://localhost/")
    assert (response.status, await response.text()) == (500, "Internal Server Error")
    client = await runtime.connect(broken)
    assert (await client.wait_closed())[0] == 1011
    response = await broken.fetch("http://localhost/")
    assert response.status == 404
    assert await broken.errors() == ["the secret of the house"] * 2


async def test_a_caller_is_told_when_the_agent_cannot_start(runtime):
    class Moody(Agent):
        def on_start(self):
            if self.sql("SELECT 1 FROM sqlite_master WHERE name = 'moody'"):
                raise RuntimeError("not today")

        @callable
        def become_moody(self):
            self.sql("CREATE TABLE moody (x)")

        def on_error(self, error):
            pass

    client = await runtime.connect(Moody, "a")
    await client.call("become_moody")
    await runtime.evict_all()
    with pytest.raises(CallFailed, match="not today"):
        await client.call("become_moody")
    assert client.closed is None


async def test_requests(runtime):
    class Web(Agent):
        async def on_request(self, request):
            if request.url.endswith("/fails"):
                raise RuntimeError("the secret of the house")
            if request.url.endswith("/none"):
                return None
            return await super().on_request(request)

        def on_error(self, error):
            self.set_state(str(error))

    web = runtime.get(Web, "a")
    response = await web.fetch("http://localhost/")
    assert (response.status, await response.text()) == (404, "Not implemented")
    for path, error in [("fails", "the secret of the house"), ("none", "on_request must return a Response, not None")]:
        response = await web.fetch(f"http://localhost/{path}")
        assert (response.status, await response.text()) == (500, "Internal Server Error")
        assert await web.state == error


async def test_a_failed_request_shows_the_traceback_only_in_debug(runtime):
    class Web(Agent):
        options = {"debug": True}

        def on_request(self, request):
            raise RuntimeError("the secret of the house")

        def on_error(self, *details):
            raise ValueError("the hook fails too")

    runtime.expect_errors()
    response = await runtime.get(Web, "a").fetch("http://localhost/")
    text = await response.text()
    assert response.status == 500
    assert "the secret of the house" in text
    assert "Traceback" in text


async def test_the_name_is_kept_where_javascript_looks_for_it(runtime):
    diary = runtime.get(Diary, "room 1")
    await diary.work("x")
    key = await runtime.run_in_agent(diary, lambda agent: agent.ctx.storage.kv.get("__ps_name"))
    assert key == "room 1"


async def test_an_agent_needs_a_name(runtime):
    class Named(Agent):
        def on_error(self, error):
            pass

    runtime.bind(Named)
    await runtime.settle()
    stub = runtime.env.Named.get(runtime.env.Named.newUniqueId())
    with pytest.raises(Exception, match="has no name: agents are addressed by name"):
        await stub.cf_agents_internal("state", None)
    assert (await stub.fetch("http://localhost/")).status == 500


async def test_a_handle_carries_what_json_does_not(runtime):
    class Files(Agent):
        def content(self):
            return b"bytes"

        def pair(self):
            return (1, 2.0)

    files = runtime.get(Files, "a")
    assert bytes(await files.content()) == b"bytes"
    assert await files.pair() == [1, 2]


async def test_an_unknown_internal_operation_is_refused(runtime):
    runtime.bind(Diary)
    await runtime.settle()
    with pytest.raises(Exception, match="no internal operation 'destroy_everything'"):
        await runtime.env.Diary.getByName("a").cf_agents_internal("destroy_everything", {})


class Clock(Diary):
    async def on_alarm(self):
        self.note("alarm")
        if len([text for text in self.read() if text == "alarm"]) < 2:
            raise RuntimeError("once more")

    def on_error(self, error):
        self.note(f"error: {error}")

    @callable
    async def ring_in(self, seconds: int):
        await self.ctx.storage.setAlarm(self.now() + seconds * 1000)

    def now(self):
        return self._platform.clock.now_ms()


async def test_an_alarm_of_ones_own_is_repeated_when_it_fails(runtime):
    clock = runtime.get(Clock, "a")
    runtime.expect_errors()
    await clock.ring_in(60)
    await runtime.advance(seconds=59)
    assert "alarm" not in await clock.read()
    await runtime.advance(seconds=10)
    notes = [text for text in await clock.read() if not text.startswith("start")]
    assert notes == ["alarm", "error: once more", "alarm"]


class Mortal(Agent):
    initial_state = {"lives": 9}

    @callable
    async def die(self):
        self.sql("CREATE TABLE IF NOT EXISTS belongings (x)")
        self.set_state({"lives": 0})
        await self.destroy()
        return "goodbye"

    @callable
    async def die_later(self, seconds: float):
        self.set_state({"lives": 1})
        await self.destroy(after_s=seconds)

    async def on_request(self, request):
        await self.destroy()
        return await super().on_request(request)

    async def on_alarm(self):
        await self.destroy()

    @callable
    async def die_by_alarm(self):
        await self.ctx.storage.setAlarm(1)


def tables(agent):
    return [row["name"] for row in agent.sql("SELECT name FROM sqlite_master WHERE type = 'table'")]


async def test_destroying_an_agent_deletes_everything_and_closes_its_connections(runtime):
    mortal = runtime.get(Mortal, "a")
    client = await runtime.connect(mortal)
    client.stream("die")
    assert await client.wait_closed() == (1001, "Durable Object destroyed")
    await runtime.settle()
    assert await runtime.run_in_agent(mortal, lambda agent: "belongings" in tables(agent)) is False
    assert await mortal.state == {"lives": 9}, "the next event finds a new agent"


async def test_the_event_that_destroys_the_agent_is_answered(runtime):
    mortal = runtime.get(Mortal, "a")
    assert await mortal.die() == "goodbye"
    refused = await mortal.fetch("http://localhost/")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1"), "what is left of it serves nobody"
    assert "next try finds a new one" in await refused.text()
    await runtime.settle()
    assert (await mortal.fetch("http://localhost/")).status == 404
    await runtime.settle()
    assert await mortal.state == {"lives": 9}


async def test_a_request_that_the_destroyed_agent_was_handling_may_be_tried_again(runtime):
    class Busy(Mortal):
        async def on_request(self, request):
            if "slow" in request.url:
                begun.set()
                await self._platform.clock.sleep(1)
            return Response(f"lives: {self.state['lives']}")

    begun = asyncio.Event()
    busy = runtime.get(Busy, "a")
    waiting = asyncio.ensure_future(runtime.fetch("/agents/busy/a/slow"))
    await asyncio.wait_for(begun.wait(), 5)
    assert await busy.die() == "goodbye"
    response = await waiting
    assert (response.status, response.headers["retry-after"]) == (503, "1")
    assert await (await runtime.fetch("/agents/busy/a")).text() == "lives: 9"


async def test_a_hook_may_ask_for_another_try(runtime):
    class Full(Agent):
        async def on_request(self, request):
            raise RetryableError("full", retry_after_ms=2500)

    runtime.expect_errors()
    runtime.bind(Full)
    response = await runtime.fetch("/agents/full/a")
    assert (response.status, response.headers["retry-after"], await response.text()) == (503, "3", "full")


async def test_an_agent_destroyed_later_serves_until_then(runtime):
    mortal = runtime.get(Mortal, "a")
    client = await runtime.connect(mortal)
    await client.call("die_later", 60)
    await runtime.evict(mortal)
    await runtime.advance(seconds=59)
    assert await mortal.state == {"lives": 1}
    await runtime.advance(seconds=2)
    assert await client.wait_closed() == (1001, "Durable Object destroyed")
    assert await mortal.state == {"lives": 9}


async def test_an_agent_that_is_to_be_destroyed_does_no_other_work_by_alarm(runtime):
    class Condemned(Clock):
        @callable
        async def condemn(self):
            await self.destroy(after_s=60)

    condemned = runtime.get(Condemned, "a")
    await condemned.condemn()
    await condemned.ring_in(10)
    await runtime.advance(seconds=30)
    assert "alarm" not in await condemned.read()
    await runtime.advance(seconds=40)
    await runtime.settle()
    assert await condemned.read() == ["start None"]


async def test_a_destroy_that_is_due_survives_a_restart(runtime):
    mortal = runtime.get(Mortal, "a")
    await mortal.die_later(60)
    await runtime.restart(crash=True)
    await runtime.advance(minutes=5)
    await runtime.settle()
    assert await mortal.state == {"lives": 9}


async def test_destroy_inside_an_alarm_does_not_fail_the_alarm(runtime):
    mortal = runtime.get(Mortal, "a")
    await mortal.die_by_alarm()
    await runtime.advance(seconds=1)
    await runtime.settle()
    assert await mortal.state == {"lives": 9}
    await runtime.advance(minutes=10)


async def test_a_destroy_is_finished_wherever_it_is_interrupted(runtime):
    runtime.bind(Mortal)

    async def story(world):
        mortal = world.get(Mortal, "a")
        await mortal.call("setState", {"lives": 5})
        await mortal.die_later(1)
        yield "condemned"

    async def invariant(world, acknowledged):
        await world.advance(minutes=5)
        state = await world.get(Mortal, "a").state
        if "condemned" in acknowledged:
            assert state == {"lives": 9}

    report = await runtime.crash_sweep(story, invariant)
    assert report.commits >= 2


async def test_an_agent_without_a_host():
    agent = Diary.create(state={"made": "by hand"})
    assert agent.plain("before the start") == "plain result"
    await agent.call("work", "through call")
    await agent.work("directly")
    assert agent.read() == ["before the start", "start None", "through call", "directly"]
    assert agent.state == {"made": "by hand"}
    await agent.broadcast({"type": "nobody listens"})
    assert agent.get_connections() == []
    assert Diary.create().state is None, "each is an object of its own"
    assert (await Agent.create(state=[1]).call("get_callable_methods")) == {}


async def test_attributes_that_belong_to_the_agent_are_not_overwritten_in_silence(runtime):
    class Careless(Agent):
        def __init__(self, ctx, env):
            super().__init__(ctx, env)
            vars(self)["_calls"] = []

        def on_error(self, error):
            pass

    with pytest.raises(Exception, match=r"self\._calls is a part of Agent .* rename the attribute in Careless"):
        await runtime.get(Careless, "a").state
