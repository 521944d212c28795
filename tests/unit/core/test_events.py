"""Events: channels, subscribers, and no work when nobody listens."""

from __future__ import annotations

import pytest

from agents_runtime._core.events import Emitter, Event, Subscribers, channel_of, subscribers
from agents_runtime.errors import UsageError


def event(event_type):
    return Event(event_type, "Counter", "a", {}, 1)


@pytest.mark.parametrize(
    ("event_type", "channel"),
    [
        ("rpc", "rpc"),
        ("rpc:error", "rpc"),
        ("state:update", "state"),
        ("connect", "lifecycle"),
        ("destroy", "lifecycle"),
        ("alarm:memory_limit_reset", "lifecycle"),
        ("job:slow_dispatch", "lifecycle"),
        ("schedule:create", "schedule"),
        ("queue:retry", "schedule"),
        ("tool:result", "message"),
        ("chat:transcript:repaired", "transcript"),
        ("chat:turn:start", "chat"),
        ("notice:failed", "channel"),
        ("mcp:client:connect", "mcp"),
    ],
)
def test_channels_of_events(event_type, channel):
    assert channel_of(event_type) == channel
    assert event(event_type).channel == channel


def test_each_subscriber_hears_its_channel_until_it_stops():
    bus, rpc, everything = Subscribers(), [], []
    stop_rpc = bus.subscribe("agents:rpc", rpc.append)
    stop_all = bus.subscribe("all", everything.append)
    bus.emit(event("rpc"))
    bus.emit(event("connect"))
    stop_rpc()
    stop_rpc()
    bus.emit(event("rpc"))
    assert [e.type for e in rpc] == ["rpc"]
    assert [e.type for e in everything] == ["rpc", "connect", "rpc"]
    assert not bus.is_empty
    stop_all()
    assert bus.is_empty


def test_one_function_may_subscribe_twice():
    bus, heard = Subscribers(), []
    stop = bus.subscribe("rpc", heard.append)
    bus.subscribe("rpc", heard.append)
    bus.emit(event("rpc"))
    stop()
    bus.emit(event("rpc"))
    assert len(heard) == 3


def test_unknown_channels_are_refused():
    with pytest.raises(UsageError, match="lifecycle"):
        Subscribers().subscribe("connections", print)


def test_a_failing_listener_does_not_stop_the_others():
    bus, heard = Subscribers(), []

    def fail(event):
        raise RuntimeError("listener")

    bus.subscribe("rpc", fail)
    bus.subscribe("rpc", heard.append)
    bus.emit(event("rpc"))
    assert len(heard) == 1


def test_nothing_is_made_when_nobody_listens():
    def never():
        raise AssertionError("nobody listens")

    Emitter("Counter", never, never, lambda: subscribers)("rpc", {})
    Emitter("Counter", never, never, lambda: None)("rpc", {})


def test_an_emitter_fills_in_who_and_when():
    class Sink:
        heard = []

        def emit(self, event):
            self.heard.append(event)

    sink = Sink()
    Emitter("Counter", lambda: "a", lambda: 5, lambda: sink)("rpc", {"method": "m"})
    assert sink.heard == [Event("rpc", "Counter", "a", {"method": "m"}, 5)]
