"""Events an agent tells about itself: which, in which order, to whom."""

from __future__ import annotations

import pytest

from agents_runtime import Agent, callable, subscribe
from agents_runtime.errors import UsageError


class Busy(Agent):
    initial_state = 0

    @callable
    def work(self):
        self.set_state(self.state + 1)

    @callable
    def fail(self):
        raise ValueError("no")

    @callable
    async def stream(self):
        yield 1

    @callable
    async def end(self):
        await self.destroy()


@pytest.fixture
def heard():
    events = []
    unsubscribe = subscribe("all", events.append)
    yield events
    unsubscribe()


def shown(events):
    return [(event.type, dict(event.payload)) for event in events]


async def test_events_come_in_order_with_their_payloads(runtime, heard):
    client = await runtime.connect(Busy, "a", id="me")
    await client.call("work")
    with pytest.raises(Exception, match="no"):
        await client.call("fail")
    async for _ in client.stream("stream"):
        pass
    await client.close(4000, "bye")
    await runtime.settle()
    assert shown(heard) == [
        ("state:update", {}),
        ("connect", {"connectionId": "me"}),
        ("state:update", {}),
        ("rpc", {"method": "work"}),
        ("rpc:error", {"method": "fail", "error": "no"}),
        ("rpc", {"method": "stream", "streaming": True}),
        ("disconnect", {"connectionId": "me", "code": 4000, "reason": "bye"}),
    ]
    assert {(event.agent, event.name, event.timestamp) for event in heard} == {("Busy", "a", runtime.now_ms)}


async def test_destroy_is_told(runtime, heard):
    client = await runtime.connect(Busy, "a")
    client.stream("end")
    await client.wait_closed()
    assert ("destroy", {}) in shown(heard)


async def test_channels(runtime):
    by_channel = {"rpc": [], "agents:state": [], "lifecycle": []}
    stops = [subscribe(channel, events.append) for channel, events in by_channel.items()]
    client = await runtime.connect(Busy, "a")
    await client.call("work")
    for stop in stops:
        stop()
    await client.call("work")
    assert {channel: [event.type for event in events] for channel, events in by_channel.items()} == {
        "rpc": ["rpc"],
        "agents:state": ["state:update", "state:update"],
        "lifecycle": ["connect"],
    }
    with pytest.raises(UsageError, match="no channel 'everything'"):
        subscribe("everything", print)


async def test_a_listener_that_raises_harms_nobody(runtime, heard, caplog):
    def broken(event):
        raise RuntimeError("listener")

    runtime.expect_errors()
    stop = subscribe("rpc", broken)
    client = await runtime.connect(Busy, "a")
    await client.call("work")
    stop()
    assert "rpc" in [event.type for event in heard]
    assert "a listener failed" in caplog.text


async def test_an_agent_may_bring_its_own_observability_or_none(runtime, heard):
    class Recorder:
        events = []

        def emit(self, event):
            self.events.append(event.type)

    class Own(Busy):
        observability = Recorder()

    class Silent(Busy):
        observability = None

    for cls in (Own, Silent):
        client = await runtime.connect(cls, "a")
        await client.call("work")
    assert Recorder.events == ["state:update", "connect", "state:update", "rpc"]
    assert heard == []
