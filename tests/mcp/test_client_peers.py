"""Our client uses servers made with the official SDKs, Python and TypeScript, in both eras and over every transport."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from agents_runtime import Agent, callable
from agents_runtime.errors import RemoteError
from agents_runtime.mcp.protocol.messages import McpError
from tests.children import spawn
from tests.needs import missing

PEERS = Path(__file__).parent / "peers"
NODE = Path(__file__).parent / "suite" / "node_modules" / ".bin" / "node"
KINDS = {
    "python, newest": ("python http", "/mcp", None),
    "python, sessions": ("python http", "/mcp", "2025-11-25"),
    "python, JSON answers": ("python json", "/mcp", "2025-06-18"),
    "python, oldest": ("python sse", "/sse", None),
    "typescript, newest": ("typescript", "/new", None),
    "typescript, sessions": ("typescript", "/old", None),
    "typescript, oldest": ("typescript", "/sse", None),
}
"""The server, the path, and the only version that the client may speak."""

pytestmark = [pytest.mark.node, pytest.mark.timeout(60)]


class User(Agent):
    told: list = []

    def on_start(self):
        self.mcp.configure_elicitation_handlers(form=lambda request, server_id: {"action": "accept", "content": {}})

    @callable
    async def add(self, url, version=None):
        client = None if version is None else {"supported_protocol_versions": [version]}
        return await self.add_mcp_server("peer", url, id="peer", client=client)

    @callable
    async def use(self, name, arguments=None):
        return await self.mcp.call_tool("peer", name, arguments, timeout=20)

    @callable
    async def use_wrongly(self, name):
        """The text of the error, which some servers send as a result and some as an error."""
        try:
            result = await self.mcp.call_tool("peer", name)
        except McpError as error:
            return error.message
        return result["content"][0]["text"] if result["isError"] else "no error"

    @callable
    async def watch(self, name):
        self.told.clear()
        await self.mcp.call_tool("peer", name, timeout=20, on_progress=lambda *progress: self.told.append(progress))
        return [progress for progress, total, _ in self.told if total == 2]

    @callable
    async def read(self, uri):
        return (await self.mcp.read_resource("peer", uri))["contents"][0]["text"]

    @callable
    async def greet(self):
        return (await self.mcp.get_prompt("peer", "greet", {"who": "Ada"}))["messages"][0]["content"]["text"]


def start(kind: str) -> subprocess.Popen[str]:
    language, *options = kind.split()
    if language == "python":
        command = [sys.executable, str(PEERS / "python_server.py"), *options]
    else:
        if not NODE.exists() or not (PEERS / "node_modules").exists():
            missing("the official TypeScript SDK is not installed: npm ci in tests/mcp/suite and in tests/mcp/peers")
        command = [str(NODE), str(PEERS / "typescript_server.mjs")]
    return spawn(command, cwd=PEERS, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.fixture(scope="module")
def servers():
    """The URL of a server by kind; each is started once."""
    running: dict[str, tuple[subprocess.Popen[str], str]] = {}

    def url_of(kind: str) -> str:
        if kind not in running:
            process = start(kind)
            line = process.stdout.readline()
            running[kind] = (process, f"http://127.0.0.1:{line.removeprefix('listening on ').strip()}")
            assert line.startswith("listening on "), f"{kind} did not start: {line!r}"
        return running[kind][1]

    yield url_of
    for process, _ in running.values():
        process.kill()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
async def peer(request, servers, runtime):
    """An agent connected to a server of the kind."""
    server, path, version = KINDS[request.param]
    agent = runtime.get(User, "u")
    added = await agent.add(servers(server) + path, version)
    assert added == {"id": "peer", "state": "ready", "auth_url": None}
    return agent


every_kind = pytest.mark.parametrize("peer", KINDS, indirect=True)


@every_kind
async def test_discovery_and_use(peer):
    listed = await peer.get_mcp_servers()
    tools = {tool["name"]: tool for tool in listed["tools"]}
    assert {"add", "fail"} <= set(tools)
    assert set(tools["add"]["inputSchema"]["properties"]) == {"a", "b"}
    assert [item["uri"] for item in listed["resources"]] == ["note://one"]
    assert [item["name"] for item in listed["prompts"]] == ["greet"]
    assert listed["servers"]["peer"]["instructions"] in ("Python.", "New.", "Old.")
    result = await peer.use("add", {"a": 2, "b": 3})
    assert result["content"][0]["text"] == "5"
    assert next(iter(result["structuredContent"].values())) == 5
    failed = await peer.use("fail")
    assert failed["isError"] is True
    assert "on purpose" in failed["content"][0]["text"]
    assert await peer.read("note://one") == "a note"
    assert await peer.greet() == "Hello Ada"


@every_kind
async def test_mistakes_are_errors(peer):
    assert "no such tool" in await peer.use_wrongly("no such tool")
    with pytest.raises(RemoteError, match="McpError"):
        await peer.read("note://nowhere/at/all")


@every_kind
async def test_removal(peer, request):
    await peer.remove_mcp_server("peer")
    assert (await peer.get_mcp_servers())["servers"] == {}


@pytest.mark.parametrize("peer", ["python, newest", "typescript, newest"], indirect=True)
async def test_the_newest_version_is_agreed_on(peer, runtime):
    (row,) = await runtime.run_in_agent(peer, lambda me: me.sql("SELECT server_options FROM cf_agents_mcp_servers"))
    assert '"protocolVersion":"2026-07-28"' in row["server_options"]


@pytest.mark.parametrize(
    "peer",
    [kind for kind in KINDS if kind.startswith("python") and "JSON" not in kind] + ["typescript, sessions"],
    indirect=True,
)
async def test_progress(peer):
    assert await peer.watch("work") == [1, 2]


@pytest.mark.parametrize("peer", [kind for kind in KINDS if kind.startswith("typescript")], indirect=True)
async def test_questions(peer):
    result = await peer.use("ask")
    assert '"color":"blue"' in result["content"][0]["text"]


@pytest.mark.parametrize("peer", ["typescript, sessions", "typescript, oldest"], indirect=True)
async def test_a_list_that_grows(peer, runtime):
    client = await runtime.connect(peer)
    await peer.use("grow")
    await client.expect(
        lambda frame: (
            frame["type"] == "cf_agent_mcp_servers" and "grown" in [tool["name"] for tool in frame["mcp"]["tools"]]
        )
    )


@pytest.mark.parametrize("peer", ["typescript, sessions"], indirect=True)
async def test_a_session_that_was_lost(peer, servers):
    urllib.request.urlopen(servers("typescript") + "/forget", timeout=5).close()
    assert (await peer.use("add", {"a": 1, "b": 1}))["content"][0]["text"] == "2"
