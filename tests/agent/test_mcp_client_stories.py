"""An agent uses MCP servers: added, discovered, used, remembered, removed."""

from __future__ import annotations

import json

import pytest

from agents_runtime import Agent, callable
from agents_runtime.errors import RemoteError
from tests.mcp.scripted_server import ECHO, ScriptedServer

URL = "http://tools.test/mcp"
FRAME = "cf_agent_mcp_servers"


class Worker(Agent):
    @callable
    async def add(self, *args, **options):
        return await self.add_mcp_server(*args, **options)

    @callable
    async def call_it(self, server, name, arguments=None):
        return await self.mcp.call_tool(server, name, arguments)

    @callable
    async def use(self, method, *args, **options):
        result = getattr(self.mcp, method)(*args, **options)
        return await result if hasattr(result, "__await__") else result

    @callable
    async def ai_call(self, key, arguments):
        tool = self.mcp.get_ai_tools()[key]
        return [tool.description, tool.input_schema, await tool(**arguments)]


def worker(runtime, server, host="tools.test"):
    runtime.serve_http(host, server)
    return runtime.get(Worker, "w")


@pytest.fixture(params=["2025-11-25", "2026-07-28"])
def server(request):
    return ScriptedServer(request.param)


async def test_a_server_is_added_discovered_and_used(runtime, server):
    agent = worker(runtime, server)
    added = await agent.add("docs", URL, id="docs")
    assert added == {"id": "docs", "state": "ready", "auth_url": None}
    listed = await agent.get_mcp_servers()
    assert listed["servers"] == {
        "docs": {
            "name": "docs",
            "server_url": URL,
            "auth_url": None,
            "state": "ready",
            "error": None,
            "instructions": "Be brief.",
            "capabilities": {"tools": {}},
        }
    }
    assert listed["tools"] == [{**ECHO, "serverId": "docs"}]
    result = await agent.call_it("docs", "echo", {"text": "hi"})
    assert result["content"] == [{"type": "text", "text": "{'text': 'hi'}"}]
    assert await agent.ai_call("tool_docs_echo", {"text": "x"}) == [
        "Say it again.",
        ECHO["inputSchema"],
        {"content": [{"type": "text", "text": "{'text': 'x'}"}]},
    ]


async def test_an_agent_that_wakes_knows_its_servers_and_asks_nobody(runtime, server):
    agent = worker(runtime, server)
    await agent.add("docs", URL, id="docs")
    before = len(server.seen)
    await runtime.evict(agent)
    client = await runtime.connect(agent)
    frame = await client.expect(FRAME)
    assert frame["mcp"]["servers"]["docs"]["state"] == "ready"
    assert [tool["name"] for tool in frame["mcp"]["tools"]] == ["echo"]
    assert len(server.seen) == before
    await agent.call_it("docs", "echo", {})
    assert server.methods()[before:] == ["tools/call"], "the session of the earlier life goes on"


async def test_lists_that_are_old_are_read_again_in_the_background_after_a_wake(runtime, server):
    agent = worker(runtime, server)
    await agent.add("docs", URL, id="docs")
    await runtime.evict(agent)
    await runtime.advance(minutes=6)
    server.offered["tools"] = [{**ECHO, "name": "other"}]
    client = await runtime.connect(agent)
    frame = await client.expect(FRAME)
    while [tool["name"] for tool in frame["mcp"]["tools"]] != ["other"] or frame["mcp"]["servers"]["docs"][
        "state"
    ] != "ready":
        frame = await client.expect(FRAME)


async def test_every_change_of_state_is_told(runtime, server):
    agent = worker(runtime, server)
    client = await runtime.connect(agent)
    assert (await client.expect(FRAME))["mcp"] == {"prompts": [], "resources": [], "servers": {}, "tools": []}
    await agent.add("docs", URL, id="docs")
    states = []
    while not states or states[-1] != "ready":
        states.append((await client.expect(FRAME))["mcp"]["servers"]["docs"]["state"])
    assert states == ["connecting", "connected", "discovering", "ready"]
    await agent.remove_mcp_server("docs")
    assert (await client.expect(FRAME))["mcp"]["servers"] == {}
    if not server.is_modern:
        assert server.seen[-1][0] == "DELETE"
    assert (await agent.get_mcp_servers())["servers"] == {}
    await runtime.evict(agent)
    assert (await agent.get_mcp_servers())["servers"] == {}


async def test_pages_are_followed_and_items_without_a_name_are_left_out(runtime, server):
    server.offered["tools"] = [{**ECHO, "name": f"t{number}"} for number in range(5)] + [
        {"name": "", "inputSchema": {}},
        {"name": "no schema"},
        {"inputSchema": {}},
        {**ECHO, "name": "t0", "description": "the second of its name"},
    ]
    server.offered["resources"] = [{"uri": "file:///a", "name": "a"}]
    server.offered["templates"] = [{"uriTemplate": "file:///{x}", "name": "x"}]
    server.offered["prompts"] = [{"name": "greet"}]
    agent = worker(runtime, server)
    await agent.add("docs", URL, id="docs")
    listed = await agent.get_mcp_servers()
    assert [tool["name"] for tool in listed["tools"]] == ["t0", "t1", "t2", "t3", "t4"]
    assert listed["tools"][0]["description"] == "Say it again."
    assert listed["resources"] == [{"uri": "file:///a", "name": "a", "serverId": "docs"}]
    assert listed["prompts"] == [{"name": "greet", "serverId": "docs"}]
    assert [item["name"] for item in await agent.use("list_resource_templates")] == ["x"]
    assert (await agent.use("read_resource", "docs", "file:///a"))["contents"][0]["text"] == "read"
    assert (await agent.use("get_prompt", "docs", "greet"))["messages"][0]["content"]["text"] == "greet"
    assert await agent.use("list_tools", server_name="other") == []
    assert len(await agent.use("list_tools", server_id=["docs"], state="ready")) == 5


async def test_all_forms_of_adding(runtime, server):
    agent = worker(runtime, server)
    added = [
        await agent.add({"name": "one", "transport": "http", "url": URL}),
        await agent.add("two", URL, headers={"x-key": "k"}),
        await agent.add("three", URL, "https://me.example", "agents", {"transport": {"type": "auto"}}),
        await agent.add("four", URL, {"id": "Four!", "transport": {"type": "streamable-http"}}),
    ]
    assert [each["state"] for each in added] == ["ready"] * 4
    assert added[3]["id"] == "four"
    assert any(headers.get("x-key") == "k" for _, _, headers, _ in server.seen)
    again = await agent.add("two", "HTTP://TOOLS.test:80/mcp")
    assert again["id"] == added[1]["id"], "the same name and address: the same server"
    assert (await agent.add("two", URL + "/other"))["id"] != added[1]["id"]
    with pytest.raises(RemoteError, match="several MCP servers are named"):
        await agent.remove_mcp_server("two")
    for each in ("one", "three", "four"):
        await agent.remove_mcp_server(each)
    assert len((await agent.get_mcp_servers())["servers"]) == 2


@pytest.mark.parametrize(
    ("args", "options", "words"),
    [
        (("x",), {}, "a URL or a Durable Object binding"),
        (("", URL), {}, "takes a name and a URL"),
        (("x", "ftp://a/"), {}, "https://"),
        (("x", "http://10.0.0.1/mcp"), {}, "private network"),
        (("x", "http://[fe80::1]/mcp"), {}, "private network"),
        (("x", "http://169.254.169.254/latest"), {}, "private network"),
        (("x", "http://2852039166/latest"), {}, "private network"),
        (("x", "http://u:p@a.test/"), {}, "no user name"),
        (("x", URL), {"transport": "carrier pigeon"}, "transport is one of"),
        (("x", URL), {"headers": {"a b": "c"}}, "no header"),
        (("x", URL), {"heders": {}}, "did you mean 'headers'"),
        (("x", URL), {"retry": {"max_attempts": 0}}, "max_attempts"),
        (("x", URL), {"id": "!!"}, "no letter"),
    ],
)
async def test_mistakes_are_told(runtime, args, options, words):
    agent = runtime.get(Worker, "w")
    with pytest.raises(RemoteError, match=words):
        await agent.add(*args, **options)
    assert (await agent.get_mcp_servers())["servers"] == {}


async def test_rows_are_those_of_javascript(runtime):
    server = ScriptedServer()
    agent = worker(runtime, server)
    await agent.add("docs", URL, id="docs", headers={"x-key": "k"}, retry={"max_attempts": 2})
    (row,) = await runtime.run_in_agent(agent, lambda me: me.sql("SELECT * FROM cf_agents_mcp_servers"))
    options = json.loads(row.pop("server_options"))
    assert row == {
        "id": "docs",
        "name": "docs",
        "server_url": URL,
        "callback_url": "",
        "client_id": None,
        "auth_url": None,
    }
    assert options == {
        "transport": {"headers": {"x-key": "k"}, "sessionId": "session-1", "protocolVersion": "2025-11-25"},
        "retry": {"maxAttempts": 2, "baseDelayMs": 500, "maxDelayMs": 5000},
    }


async def test_a_session_that_the_server_forgot_is_opened_anew(runtime):
    server = ScriptedServer()
    agent = worker(runtime, server)
    await agent.add("docs", URL, id="docs")
    server.known_sessions.clear()
    await runtime.evict(agent)
    assert (await agent.call_it("docs", "echo"))["content"]
    assert server.methods().count("initialize") == 2
