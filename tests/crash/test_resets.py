"""What becomes of an object's events, sockets and addresses when it is reset or crashes at an awkward moment."""

import asyncio

import pytest
from workers import DurableObject


class Ledger(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.token = object()

    async def put(self, value):
        self.ctx.storage.kv.put("value", value)
        return value

    async def value(self):
        return self.ctx.storage.kv.get("value")

    async def abort_and_go_on(self, value):
        self.ctx.storage.kv.put("value", value)
        try:
            self.ctx.abort("on purpose")
        except BaseException:
            return "acknowledged all the same"

    async def wait_with_uncommitted(self, value):
        async def work(transaction):
            self.ctx.storage.kv.put("value", value)
            await asyncio.Event().wait()

        await self.ctx.storage.transaction(work)

    async def fetch(self, request):
        return self.ctx.agents_platform.sockets.accept(["ledger"], "")[1]

    async def webSocketMessage(self, socket, message):
        await self.put(message)
        await self.ctx.agents_platform.clock.sleep(1)
        socket.send(f"{message} is safe")


async def test_an_object_that_swallows_its_abort_acknowledges_nothing(runtime):
    ledger = runtime.get(Ledger, "a")
    await ledger.put("old")
    with pytest.raises(Exception, match="on purpose"):
        await ledger.abort_and_go_on("new")
    assert await ledger.value() == "old"


async def test_every_event_in_progress_fails_when_the_object_crashes(runtime):
    ledger = runtime.get(Ledger, "a")
    await ledger.put("old")
    calls = [asyncio.ensure_future(ledger.wait_with_uncommitted("new")), asyncio.ensure_future(ledger.value())]
    await runtime.settle()
    runtime.crash(ledger)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert ["crashed" in str(outcome) for outcome in outcomes] == [True, True]
    assert await ledger.value() == "old"


async def test_an_object_with_open_sockets_has_one_life_at_a_time(runtime):
    """Eviction right before the event that opens the first socket must not lose the address."""
    ledger = runtime.get(Ledger, "a")
    await ledger.put("x")
    client = await runtime.connect(ledger)
    sent = asyncio.ensure_future(client.send("y"))
    await runtime.settle()
    one, other = await asyncio.gather(*(runtime.run_in_agent(ledger, lambda agent: agent.token) for _ in range(2)))
    assert one is other
    await runtime.advance(seconds=1)
    assert await client.expect(lambda frame: True) == "y is safe"
    await sent


async def test_a_frame_on_its_way_to_a_crashed_object_is_lost_with_its_socket(runtime):
    ledger = runtime.get(Ledger, "a")
    client = await runtime.connect(ledger)
    await client.send("late")
    runtime.crash(ledger)
    await runtime.settle()
    assert client.closed == (1006, "")
    assert await ledger.value() is None


async def test_a_frame_is_not_answered_when_the_object_crashes_before_it_could_be(runtime):
    ledger = runtime.get(Ledger, "a")
    client = await runtime.connect(ledger)
    await client.send("stored")
    await runtime.settle()
    runtime.crash(ledger)
    await runtime.advance(seconds=5)
    assert client.frames == []
    assert await ledger.value() == "stored"
