"""Agents use MCP servers the same way on every host: servers made with the official Python SDK, and other agents."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.children import spawn
from tests.conformance.test_objects_contract import until

PEER = Path(__file__).parents[1] / "mcp" / "peers" / "python_server.py"
pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
def peers():
    """URLs of servers made with the official SDK, by mode."""
    running: dict[str, tuple[subprocess.Popen[str], str]] = {}

    def url_of(mode: str) -> str:
        if mode not in running:
            command = [sys.executable, str(PEER), mode]
            process = spawn(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            line = process.stdout.readline()
            path = "/sse" if mode == "sse" else "/mcp"
            running[mode] = (process, f"http://127.0.0.1:{line.removeprefix('listening on ').strip()}{path}")
        return running[mode][1]

    yield url_of
    for process, _ in running.values():
        process.kill()
        process.wait(10)
        process.stdout.close()


READY = {"id": "peer", "state": "ready", "auth_url": None}


@pytest.mark.parametrize(
    ("mode", "version"), [("http", None), ("http", "2025-11-25"), ("json", "2025-06-18"), ("sse", None)]
)
async def test_a_server_is_added_used_and_known_after_a_sleep(world, name, peers, mode, version):
    client = None if version is None else {"supported_protocol_versions": [version]}
    assert await world.call("TOOLBOX", name, "add", peers(mode), client) == READY
    assert "add" in await world.call("TOOLBOX", name, "tools")
    assert (await world.call("TOOLBOX", name, "use", "add", {"a": 2, "b": 3}))[0] == "5"
    if mode != "json":
        assert await world.call("TOOLBOX", name, "use", "work") == ["done", [1, 2]]
    assert await world.call("TOOLBOX", name, "read", "note://one") == "a note"
    await world.evict("TOOLBOX", name)
    assert "add" in await world.call("TOOLBOX", name, "tools")
    assert (await world.call("TOOLBOX", name, "use", "add", {"a": 1, "b": 1}))[0] == "2"
    await world.call("TOOLBOX", name, "remove_mcp_server", "peer")
    assert await world.call("TOOLBOX", name, "tools") == []


async def test_a_restart_keeps_the_servers(world, name, peers):
    assert await world.call("TOOLBOX", name, "add", peers("http")) == READY
    await world.restart()
    assert await world.call("TOOLBOX", name, "waited") == ["ready"]
    assert (await world.call("TOOLBOX", name, "use", "add", {"a": 4, "b": 4}))[0] == "8"


async def test_another_agent_is_a_server(world, name):
    assert await world.call("TOOLBOX", name, "add_peer") == READY
    assert await world.call("TOOLBOX", name, "tools") == ["open"]
    assert await world.call("TOOLBOX", name, "use", "open", {"a": [1, None]}) == ["rpc:peer {'a': [1, None]}", []]
    await world.evict("TOOLBOX", name)
    assert await world.call("TOOLBOX", name, "use", "open", {}) == ["rpc:peer {}", []]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1/mcp", "McpConnectionFailed"),
        ("http://10.0.0.1/mcp", "private network"),
        ("http://[::ffff:10.0.0.1]/mcp", "private network"),
        ("gopher://a/", "https://"),
    ],
)
async def test_what_cannot_be_reached_fails_with_a_reason(world, name, url, words):
    assert words in await world.call("TOOLBOX", name, "add", url)


async def test_clients_are_told(world, name, peers):
    wire = await world.connect(f"/agents/toolbox/{name}")
    frames = [await wire.receive() for _ in range(2)]
    assert '"servers":{}' in frames[-1]
    await world.call("TOOLBOX", name, "add", peers("http"))

    async def next_frame():
        return '"state":"ready"' in await wire.receive()

    assert await until(next_frame, True) is True
    await wire.close()
