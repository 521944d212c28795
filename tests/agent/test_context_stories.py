"""`get_current_agent()`: who is running, for whom, in every kind of event."""

from __future__ import annotations

import asyncio

from agents_runtime import Agent, callable, get_current_agent


def described():
    current = get_current_agent()
    return {
        "agent": current.agent and current.agent.name,
        "connection": current.connection and current.connection.id,
        "request": current.request is not None,
        "email": current.email,
    }


def only(**known):
    return {"agent": None, "connection": None, "request": False, "email": None, **known}


class Witness(Agent):
    """Sends what it sees in each hook to everyone."""

    def see(self, where):
        self.broadcast({"type": where, **described()})

    async def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS starts (agent TEXT, connection TEXT)")
        self.sql("INSERT INTO starts VALUES (?, ?)", described()["agent"], described()["connection"])

    def on_request(self, request):
        self.see("request")
        return super().on_request(request)

    async def on_connect(self, connection, ctx):
        await asyncio.sleep(0)
        self.see("connect")

    def on_message(self, connection, message):
        self.see("message")

    def on_close(self, connection, code, reason, was_clean):
        self.see("close")

    def on_state_changed(self, state, source):
        self.see("state")

    def on_alarm(self):
        self.see("alarm")

    def validate_state_change(self, next_state, source):
        self.broadcast({"type": "validate", **described()})

    @callable
    async def call_me(self):
        self.see("call")
        await asyncio.create_task(self.in_a_task())
        self.set_state("from a call")

    async def in_a_task(self):
        self.see("task")

    @callable
    async def call_another(self, name: str):
        other = await self.env.Witness.getByName(name).report()
        return [other, described()]

    async def report(self):
        return described()

    def report_plainly(self):
        return described()

    @callable
    async def ring(self):
        await self.ctx.storage.setAlarm(1)

    @callable
    def starts(self):
        return self.sql("SELECT DISTINCT * FROM starts")


async def saw(client, where):
    frame = await client.expect(where)
    return {key: value for key, value in frame.items() if key != "type"}


async def test_every_kind_of_event_has_its_context(runtime):
    witness = runtime.get(Witness, "a")
    watcher = await runtime.connect(witness, id="watcher")
    assert await saw(watcher, "connect") == only(agent="a", connection="watcher", request=True)

    client = await runtime.connect(witness, id="me")
    assert await saw(watcher, "connect") == only(agent="a", connection="me", request=True)
    await client.send("hello")
    assert await saw(watcher, "message") == only(agent="a", connection="me")
    await client.call("call_me")
    assert await saw(watcher, "call") == only(agent="a", connection="me")
    assert await saw(watcher, "task") == only(agent="a", connection="me")
    assert await saw(watcher, "validate") == only(agent="a", connection="me")
    assert await saw(watcher, "state") == only(agent="a", connection="me")
    await client.set_state("from a client")
    assert await saw(watcher, "validate") == only(agent="a", connection="me")
    assert await saw(watcher, "state") == only(agent="a", connection="me")
    await client.close()
    assert await saw(watcher, "close") == only(agent="a", connection="me")

    await witness.fetch("http://localhost/")
    assert await saw(watcher, "request") == only(agent="a", request=True)
    await watcher.call("ring")
    await runtime.advance(seconds=1)
    assert await saw(watcher, "alarm") == only(agent="a")
    assert await watcher.call("starts") == [{"agent": "a", "connection": None}]
    assert described() == only(), "nothing leaks into the test"


async def test_native_calls_run_as_the_agent(runtime):
    runtime.bind(Witness)
    await runtime.settle()
    stub = runtime.env.Witness.getByName("a")
    assert await stub.report() == only(agent="a")
    assert await stub.report_plainly() == only(agent="a")


async def test_another_agent_hides_the_first(runtime):
    client = await runtime.connect(Witness, "a", id="me")
    assert await client.call("call_another", "b") == [only(agent="b"), only(agent="a", connection="me")]


async def test_a_read_only_caller_does_not_bind_the_hands_of_another_agent(runtime):
    class Free(Agent):
        pass

    class Bound(Agent):
        def should_connection_be_readonly(self, connection, ctx):
            return True

        @callable
        async def write_elsewhere(self):
            await self.env.Free.getByName("x").set_state("written")

    runtime.bind(Free)
    client = await runtime.connect(Bound, "a")
    await client.call("write_elsewhere")
    assert await runtime.get(Free, "x").state == "written"


async def test_properties_and_generators_of_the_user_stay_what_they_are(runtime):
    class Varied(Agent):
        @property
        def doubled(self):
            return 2

        @staticmethod
        def static():
            return "static"

        @classmethod
        def named(cls):
            return cls.__name__

        def numbers(self):
            yield 1

        async def letters(self):
            yield "a"

    async def look(agent):
        letters = [letter async for letter in agent.letters()]
        return agent.doubled, agent.static(), agent.named(), list(agent.numbers()), letters

    assert await runtime.run_in_agent(runtime.get(Varied, "a"), look) == (2, "static", "Varied", [1], ["a"])


async def test_mix_ins_enter_the_agent_too(runtime):
    class Helper:
        async def help(self):
            return described()["agent"]

    class Helped(Helper, Agent):
        pass

    class Sub(Helped):
        async def help(self):
            return f"sub of {await super().help()}"

    runtime.bind(Helped)
    runtime.bind(Sub)
    await runtime.settle()
    assert await runtime.env.Helped.getByName("a").help() == "a"
    assert await runtime.env.Sub.getByName("b").help() == "sub of b"
