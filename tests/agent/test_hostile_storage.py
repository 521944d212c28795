"""A damaged file or a full disk harms one agent, says so in the log, and tells clients nothing."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from urllib.parse import quote

import pytest
from workers import Response

from agents_runtime import Agent, callable
from agents_runtime.local.clock import VirtualClock
from agents_runtime.local.host import Host
from agents_runtime.local.options import HostOptions


class Notes(Agent):
    initial_state = {"notes": []}

    @callable
    def add(self, note):
        self.set_state({"notes": [*self.state["notes"], note]})
        return len(self.state["notes"])

    async def on_request(self, request):
        return Response.from_json(self.state)


class Disk:
    is_full = False

    def before_write(self):
        pass

    def before_commit(self):
        if self.is_full:
            raise sqlite3.OperationalError("database or disk is full")

    def after_commit(self):
        pass


class Browser:
    def __init__(self):
        self.frames = []
        self.closed = None

    def send(self, data):
        self.frames.append(data)

    def close(self, code, reason):
        self.closed = (code, reason)


async def start(folder: Path, faults=None) -> Host:
    host = Host(HostOptions(data=folder), clock=VirtualClock(), faults=faults)
    host.bind(Notes)
    await host.start()
    return host


async def connect(host, name):
    response = await host.env.Notes.getByName(name).fetch("http://x/agents/notes/a", headers={"Upgrade": "websocket"})
    browser = Browser()
    response.web_socket.attach(browser)
    await host.settle()
    return response.web_socket, browser


async def test_a_corrupt_file_is_named_in_the_log_and_other_agents_go_on(tmp_path, caplog):
    host = await start(tmp_path)
    for name in ("good", "bad"):
        assert await host.env.Notes.getByName(name).add("first") == 1
    bad = host.env.Notes.idFromName("bad").hex
    await host.stop()
    file = next(tmp_path.rglob(f"{bad}.sqlite"))
    file.write_bytes(b"\xff" * file.stat().st_size)

    host = await start(tmp_path)
    with caplog.at_level(logging.ERROR):
        answer = await host.env.Notes.getByName("bad").fetch("http://x/")
        _, browser = await connect(host, "bad")
    assert (answer.status, await answer.text()) == (500, "Internal Server Error")
    assert browser.closed[0] == 1011
    assert str(file) not in "".join(str(frame) for frame in browser.frames)
    assert str(file) in caplog.text
    assert await (await host.env.Notes.getByName("good").fetch("http://x/")).json() == {"notes": ["first"]}
    assert file.read_bytes().startswith(b"\xff"), "a damaged file is evidence: it is left alone"
    await host.stop()


async def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path):
    disk = Disk()
    host = await start(tmp_path, disk)
    host.on_error = lambda actor, event, error: None
    socket, browser = await connect(host, "a")
    socket.receive('{"type":"rpc","id":"1","method":"add","args":["kept"]}')
    await host.settle()
    assert '"result":1' in browser.frames[-1]
    seen = len(browser.frames)

    disk.is_full = True
    socket.receive('{"type":"rpc","id":"2","method":"add","args":["lost"]}')
    await host.settle()
    assert len(browser.frames) == seen, "neither the state nor the answer left"
    assert browser.closed[0] == 1011

    disk.is_full = False
    assert await (await host.env.Notes.getByName("a").fetch("http://x/")).json() == {"notes": ["kept"]}
    await host.stop()


@pytest.mark.parametrize("name", ["x" * 1_025, "nul\0inside"])
async def test_names_that_no_agent_can_have(runtime, name):
    runtime.bind(Notes)
    answer = await runtime.fetch(f"/agents/notes/{quote(name)}")
    assert answer.status == 400
    assert "name" in (await answer.text()).lower()
