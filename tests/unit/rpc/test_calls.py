"""Answering calls, without any host: what is left behind when a call is over."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from agents_runtime._core.options import AgentOptions
from agents_runtime._core.peer import CurrentAgent
from agents_runtime.context import CURRENT, NOBODY
from agents_runtime.errors import SocketClosed
from agents_runtime.rpc.calls import Calls
from agents_runtime.rpc.decorate import callable, exposed_by


class Thing:
    @callable
    def who(self):
        return CURRENT.get().connection.name

    @callable
    async def wait(self):
        await asyncio.sleep(0)
        return CURRENT.get().connection.name

    @callable
    def fail(self):
        raise ValueError("no")


class Peer(SimpleNamespace):
    def __init__(self, name="me"):
        super().__init__(name=name, in_flight=0, tasks=set(), frames=[], is_open=True)
        itself: Any = self
        self.scope = CurrentAgent("agent", itself)

    def send_text(self, frame):
        if not self.is_open:
            raise SocketClosed
        self.frames.append(frame)


def made():
    clock: Any = SimpleNamespace()
    events: list[Any] = []
    calls = Calls(Thing(), exposed_by(Thing), AgentOptions(), clock, lambda *event: events.append(event))
    peer: Any = Peer()
    return calls, peer, events


def frame(method, *args):
    return {"type": "rpc", "id": "1", "method": method, "args": list(args)}


async def test_a_call_leaves_nothing_behind():
    calls, peer, _ = made()
    for method in ("who", "wait", "fail", "nothing"):
        answering = calls.on_frame(peer, frame(method))
        assert answering is not None
        await answering
        assert CURRENT.get() is NOBODY
    assert (peer.in_flight, peer.tasks) == (0, set())
    assert [text for text in peer.frames if '"me"' in text] == [
        '{"done":true,"id":"1","result":"me","success":true,"type":"rpc"}'
    ] * 2


async def test_the_event_comes_before_the_frame_and_names_the_method():
    calls, peer, events = made()
    peer.send_text = lambda frame: events.append("frame")
    for method in ("who", "fail"):
        answering = calls.on_frame(peer, frame(method))
        assert answering is not None
        await answering
    assert events == [
        ("rpc", {"method": "who"}),
        "frame",
        ("rpc:error", {"method": "fail", "error": "no"}),
        "frame",
    ]


async def test_an_answer_to_nobody_is_dropped():
    calls, peer, _ = made()
    peer.is_open = False
    for method in ("who", "fail"):
        answering = calls.on_frame(peer, frame(method))
        assert answering is not None
        await answering
    assert peer.frames == []


def test_a_frame_that_is_no_call_is_left_to_others():
    calls, peer, _ = made()
    assert calls.on_frame(peer, {"type": "rpc", "id": 1, "method": "who", "args": []}) is None


def test_only_calls_are_refused_when_the_agent_cannot_start():
    calls, peer, _ = made()
    for message in ("hello", "{}", '{"type":"rpc"}', b"\0", '{"type":"cf_agent_state","state":1}'):
        calls.refuse(peer, message, ValueError("not today"))
    assert peer.frames == []
    calls.refuse(peer, '{"type":"rpc","id":"7","method":"who","args":[]}', ValueError("not today"))
    assert peer.frames == ['{"error":"not today","id":"7","success":false,"type":"rpc"}']
