"""Clients of the official SDKs, Python and TypeScript, use our sessions, and the transport of 2024."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import Any

import pytest
from mcp import Client, ClientSession
from mcp.client.sse import sse_client
from mcp_types import ElicitResult

from tests.js.harness import Server
from tests.mcp.test_server_peers import HERE, NODE, PEERS
from tests.needs import missing

pytestmark = [pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    options = ("--config", "sessions.wrangler.jsonc", "--durability", "process", "--no-access-log")
    server = Server(HERE, tmp_path_factory.mktemp("mcp") / "data", *options)
    server.start()
    yield server
    server.stop()


async def confirm(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"username": "ada", "email": "a@b.c"})


@pytest.mark.parametrize("path", ["/session", "/shared"])
async def test_the_python_client_in_a_session(server, path):
    steps: list[float] = []
    told: list[str] = []
    heard = asyncio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    async def hear(message: Any) -> None:
        told.append(getattr(message, "method", type(message).__name__))
        if "list_changed" in told[-1]:
            heard.set()

    url = f"http://localhost:{server.port}{path}"
    async with Client(url, mode="legacy", elicitation_callback=confirm, message_handler=hear) as client:
        result: Any = await client.call_tool("test_elicitation", {"message": "Who are you?"})
        assert "ada" in result.content[0].text
        await client.call_tool("test_tool_with_progress", {}, progress_callback=note)
        assert steps == [0, 50, 100]
        reconnected: Any = await client.call_tool("test_reconnection", {})
        assert reconnected.content[0].text == "Reconnected."
        await client.call_tool("test_trigger_tool_change", {})
        async with asyncio.timeout(5):
            await heard.wait()


async def test_the_python_client_of_2024(server):
    url = f"http://localhost:{server.port}/sse"
    async with sse_client(url) as (read, write), ClientSession(read, write, elicitation_callback=confirm) as session:
        await session.initialize()
        result: Any = await session.call_tool("test_elicitation", {"message": "Who are you?"})
        assert "ada" in result.content[0].text


@pytest.mark.node
@pytest.mark.parametrize("era", ["old", "new"])
def test_the_typescript_client_in_a_session(server, era):
    if not NODE.exists() or not (PEERS / "node_modules").exists():
        missing("Node packages are not installed: run scripts/test once")
    command = [str(NODE), str(PEERS / "typescript_client.mjs"), era, f"http://localhost:{server.port}/session"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    assert (said["text"], said["progress"]) == ("This is a simple text response for testing.", [0, 50, 100])
