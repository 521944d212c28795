"""Clients of the official SDKs, Python and TypeScript, use our server without sessions, in both eras."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver import MCPServer
from mcp_types import ElicitResult

from agents_runtime import create_mcp_handler, register_mcp_tools, tool
from tests.js.harness import Server
from tests.needs import missing

HERE = Path(__file__).parent
NODE = HERE / "suite" / "node_modules" / ".bin" / "node"
PEERS = HERE / "peers"
pytestmark = [pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(HERE, tmp_path_factory.mktemp("mcp") / "data", "--durability", "process", "--no-access-log")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def url(server):
    return f"http://localhost:{server.port}/mcp"


async def answer_name(context, params):
    return ElicitResult(action="accept", content={"name": "Ada"})


@pytest.mark.parametrize("mode", ["auto", "2026-07-28", "legacy"])
async def test_the_python_client(url, mode):
    steps: list[float] = []

    async def note(progress, total, message):
        steps.append(progress)

    async with Client(url, mode=mode, elicitation_callback=answer_name) as client:
        tools = await client.list_tools()
        assert "test_simple_text" in [entry.name for entry in tools.tools]
        assert await text_of(client, "test_simple_text") == "This is a simple text response for testing."
        assert (await client.call_tool("test_error_handling", {})).is_error is True
        await client.call_tool("test_tool_with_progress", {}, progress_callback=note)
        assert steps == [0, 50, 100]
        read: Any = await client.read_resource("test://template/7/data")
        assert json.loads(read.contents[0].text)["id"] == "7"
        prompt: Any = await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        assert prompt.messages[0].content.text == "Prompt with arguments: arg1='a', arg2='b'"
        with pytest.raises(MCPError):
            await client.read_resource("test://nothing")
        if mode != "legacy":
            assert await text_of(client, "test_input_required_result_elicitation") == "Hello, Ada!"
            assert await text_of(client, "test_x_mcp_header", region="Zürich") == "region Zürich, limit 10"


async def text_of(client: Client, name: str, **arguments: Any) -> str:
    result: Any = await client.call_tool(name, arguments)
    text: str = result.content[0].text
    return text


@pytest.mark.node
@pytest.mark.parametrize("era", ["old", "new"])
def test_the_typescript_client(url, era):
    if not NODE.exists() or not (PEERS / "node_modules").exists():
        missing(
            "Node packages are not installed: run scripts/test once, or npm ci in tests/mcp/suite and tests/mcp/peers"
        )
    command = [str(NODE), str(PEERS / "typescript_client.mjs"), era, url]
    done = subprocess.run(command, cwd=PEERS, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["text"] == "This is a simple text response for testing."
    assert (said["image"], said["failed"], said["progress"]) == ("image/png", True, [0, 50, 100])
    assert json.loads(said["resource"])["id"] == "7"
    assert said["prompt"] == "Prompt with arguments: arg1='a', arg2='b'"
    if era == "new":
        assert (said["asked"], said["header"]) == ("Hello, Ada!", "region Zürich, limit 10")


# A server of the official SDK behind our handler


class Desk:
    @tool(title="Look up")
    async def look_up(self, order_id: str) -> dict:
        """Look up an order."""
        return {"order": order_id}


@pytest.mark.parametrize("send", ["modern", "legacy"])
async def test_an_official_server_behind_our_handler(runtime, send):
    official = MCPServer("official", version="3")
    register_mcp_tools(official, Desk())

    @official.tool()
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    runtime.serve(create_mcp_handler(official))
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }

    async def ask(method, **params):
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        if send == "modern":
            params["_meta"] = meta
            headers |= {"mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": params.get("name", "")}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        response = await runtime.fetch("http://localhost/mcp", method="POST", headers=headers, body=body)
        return json.loads(await response.text())

    opened = await ask("server/discover" if send == "modern" else "initialize", protocolVersion="2025-11-25")
    assert opened["result"]["capabilities"]["tools"] is not None
    listed = (await ask("tools/list"))["result"]["tools"]
    assert sorted(entry["name"] for entry in listed) == ["add", "look_up"]
    assert (await ask("tools/call", name="add", arguments={"a": 1, "b": 2}))["result"]["content"][0]["text"] == "3"
    found = (await ask("tools/call", name="look_up", arguments={"order_id": "7"}))["result"]
    assert found["structuredContent"] == {"order": "7"}
    assert (await ask("nothing/here"))["error"]["code"] == -32601
