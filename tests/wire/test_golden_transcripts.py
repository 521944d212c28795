"""Plays the recordings of the JavaScript SDK to the same agents in Python: the same frames must come back, in order.

Objects are evicted before every event, so nothing here may depend on an agent's memory.
"""

from __future__ import annotations

import asyncio
import re

import pytest

from agents_runtime.local.shim.request import Request
from tests.wire import recorded_agents
from tests.wire.transcripts import Line, Step, Transcript, comparable, differences, normalise, recorded

RECORDED = recorded()
DIFFERENT = differences()
VOLATILE = {"date", "connection", "content-length", "transfer-encoding", "keep-alive"}
ARRIVE_S = 2.0


class Replay:
    """The far ends of a transcript's sockets, and what arrived at them since the last action."""

    def __init__(self, runtime):
        self.runtime = runtime
        self.ends = {}
        self.open = set()
        self.arrived: list[Line] = []

    async def run(self, step: Step) -> list[Line]:
        self.arrived.clear()
        await getattr(self, f"do_{step.action['do']}")(
            **{key: value for key, value in step.action.items() if key != "do"}
        )
        await self.runtime.settle()
        async with asyncio.timeout(ARRIVE_S):
            while len(self.arrived) < len(step.expected):
                await asyncio.sleep(0.01)
        await self.runtime.settle()
        order = list(self.ends)
        return sorted(self.arrived, key=lambda line: order.index(line["socket"]) if "socket" in line else 0)

    async def do_open(self, socket: str, path: str) -> None:
        self.ends[socket] = None
        headers = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
        request = Request.from_server("GET", f"http://127.0.0.1{path}", headers, None, {})
        response = await self.runtime.fetch(request)
        if response.status != 101:
            self.arrived.append({"socket": socket, "refused": response.status})
            return
        self.open.add(socket)
        self.ends[socket] = response.web_socket
        response.web_socket.attach(Peer(self, socket))

    async def do_send(self, socket: str, frames: list[str]) -> None:
        for frame in frames:
            self.ends[socket].receive(frame)

    async def do_send_bytes(self, socket: str, hex: str) -> None:  # noqa: A002 - the word of the recordings
        self.ends[socket].receive(bytes.fromhex(hex))

    async def do_close(self, socket: str, code: int = 1005, reason: str = "") -> None:
        self.ends[socket].receive_close(code, reason, True)

    async def do_hibernate(self) -> None:
        await self.runtime.evict_all()

    async def do_fetch(self, method: str, path: str, body: str | None = None) -> None:
        request = Request.from_server(method, f"http://127.0.0.1{path}", [], body.encode() if body else None, {})
        response = await self.runtime.fetch(request)
        headers = {name: value for name, value in sorted(response.headers.items()) if name not in VOLATILE}
        text = "" if method == "HEAD" else await response.text()  # the HTTP server drops the body
        self.arrived.append({"status": response.status, "headers": headers, "body": text})


class Peer:
    """What the server sends to: the network, as far as it knows."""

    def __init__(self, replay: Replay, socket: str):
        self.replay = replay
        self.socket = socket

    def send(self, data: str | bytes) -> None:
        if isinstance(data, str):
            self.replay.arrived.append({"socket": self.socket, "got": normalise(data)})
        else:
            self.replay.arrived.append({"socket": self.socket, "got_bytes": data.hex()})

    def close(self, code: int, reason: str) -> None:
        if self.socket in self.replay.open:
            self.replay.open.discard(self.socket)
            self.replay.arrived.append({"socket": self.socket, "closed": code, "reason": reason})


@pytest.fixture
def world(runtime):
    for name in ("Basic", "Plain", "Nameless", "Greeter", "Guarded", "Broken", "Web", "Watched"):
        runtime.bind(getattr(recorded_agents, name))
    runtime.serve(recorded_agents.Default)
    runtime.expect_errors()
    return runtime


@pytest.mark.parametrize("key", RECORDED)
async def test_same_frames_as_the_javascript_sdk(world, key):
    transcript: Transcript = DIFFERENT.get(key, RECORDED[key])
    replay = Replay(world)
    for step in transcript.steps:
        got = [comparable(line) for line in await replay.run(step)]
        assert got == [comparable(line) for line in step.expected], f"after {step.action}"


@pytest.mark.parametrize("key", DIFFERENT)
def test_differences_are_meant_and_still_there(key):
    ours, theirs = DIFFERENT[key], RECORDED[key]
    assert ours.why
    assert [step.action for step in ours.steps] == [step.action for step in theirs.steps]
    assert [step.expected for step in ours.steps] != [step.expected for step in theirs.steps]


def test_recordings_hold_no_machine_specific_text():
    for key, transcript in RECORDED.items():
        for step in transcript.steps:
            for line in step.expected:
                assert not re.search(r"127\.0\.0\.1|worker\.js:\d", str(line)), key
