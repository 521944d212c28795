"""What goes on beside calls: changed lists, questions of servers, progress, older transports, agents as servers."""

from __future__ import annotations

import asyncio
import json

import pytest
from workers import DurableObject, Response

from agents_runtime import Agent, McpAgent, callable, stream_response, subscribe, tool
from agents_runtime.errors import RemoteError
from agents_runtime.mcp.client.errors import McpToolError
from tests.mcp.scripted_server import ECHO, ScriptedServer, answer, event, events

URL = "http://tools.test/mcp"
FRAME = "cf_agent_mcp_servers"


class User(Agent):
    asked: list = []

    def on_start(self):
        self.mcp.configure_elicitation_handlers(form=self.fill_in, url=self.visit)

    async def fill_in(self, request, server_id):
        self.asked.append((server_id, request["message"]))
        if request["message"] == "slow":
            await self._platform.clock.sleep(300)
        answers = {"decline": {"action": "decline"}, "nonsense": {"action": "perhaps"}}
        return answers.get(request["message"], {"action": "accept", "content": {"name": "Ada"}})

    def visit(self, request, server_id):
        return {"action": "accept"}

    @callable
    async def add(self, *args, **options):
        return await self.add_mcp_server(*(args or ("docs", URL)), **{"id": "docs", **options})

    @callable
    async def use(self, arguments=None):
        return await self.mcp.call_tool("docs", "echo", arguments)

    @callable
    async def watch(self):
        told = []
        await self.mcp.call_tool("docs", "echo", on_progress=lambda *progress: told.append(list(progress)))
        return told

    @callable
    async def fail(self):
        tools = self.mcp.get_ai_tools()
        with pytest.raises(McpToolError) as caught:
            await tools["tool_docs_echo"](text="x")
        return [str(caught.value), caught.value.result["isError"]]

    @callable
    async def wait(self, timeout=None):
        await self.mcp.wait_for_connections(timeout)
        return [server["state"] for server in self.mcp.list_servers()]

    @callable
    def ping(self):
        return "pong"


def user(runtime, server, host="tools.test"):
    runtime.serve_http(host, server)
    return runtime.get(User, "u")


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_a_list_that_changes_is_read_again_and_told(runtime, version):
    server = ScriptedServer(version)
    server.list_changed = True
    agent = user(runtime, server)
    client = await runtime.connect(agent)
    await agent.add()
    await runtime.settle()
    server.offered["tools"] = [{**ECHO, "name": "new"}]
    for _ in range(3):
        server.tell("notifications/tools/list_changed")
    frame = await client.expect(
        lambda frame: frame["type"] == FRAME and [tool["name"] for tool in frame["mcp"]["tools"]] == ["new"]
    )
    assert frame["mcp"]["servers"]["docs"]["state"] == "ready"
    assert server.methods().count("tools/list") <= 3
    server.end_streams()
    await runtime.advance(minutes=30)


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_a_stream_that_is_not_used_lets_the_agent_sleep(runtime, version):
    server = ScriptedServer(version)
    server.list_changed = True
    agent = user(runtime, server)
    await agent.add()
    await runtime.settle()
    assert len(server.streams) == 1
    await runtime.advance(minutes=4)
    await agent.use()
    await runtime.advance(minutes=4)
    assert len(server.streams) == 1, "it was used meanwhile"
    await runtime.advance(minutes=2)
    await runtime.evict(agent)


QUESTIONS = [("form", "hello"), ("form", "decline"), ("url", "visit"), ("x", "?")]


async def test_a_legacy_server_asks_while_it_works(runtime):
    server = ScriptedServer()
    agent = user(runtime, server)
    await agent.add()
    assert server.requests("initialize")[0]["params"]["capabilities"] == {"elicitation": {"form": {}, "url": {}}}
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "default": 30}}}
    answers = asyncio.Queue()

    async def asking(message):
        async def stream():
            for number, (mode, text) in enumerate(QUESTIONS):
                params = {"mode": mode, "message": text, "requestedSchema": schema, "url": "https://pay.example/1"}
                yield event({"jsonrpc": "2.0", "id": f"ask-{number}", "method": "elicitation/create", "params": params})
                reply = await answers.get()
                assert reply["id"] == f"ask-{number}"
                told.append(reply.get("result") or reply["error"]["code"])
            yield event({"jsonrpc": "2.0", "id": "ask-9", "method": "sampling/createMessage", "params": {}})
            told.append((await answers.get())["error"]["code"])
            yield event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})

        return stream_response(stream())

    told = []

    def broken(message):
        if message.get("method") == "tools/call":
            return asking(message)
        if "method" not in message:
            answers.put_nowait(message)
        return None

    server.broken = broken
    assert await agent.use() == {"content": []}
    accepted = {"action": "accept", "content": {"name": "Ada", "age": 30}}
    assert told == [accepted, {"action": "decline"}, {"action": "accept"}, -32602, -32601]


async def test_a_modern_server_gets_the_input_that_it_lacks(runtime):
    server = ScriptedServer("2026-07-28")
    agent = user(runtime, server)
    await agent.add()

    def tool(params):
        if "inputResponses" not in params:
            ask = {"method": "elicitation/create", "params": {"message": "who?", "requestedSchema": {}}}
            return {"resultType": "input_required", "inputRequests": {"who": ask}, "requestState": "s1"}
        return {"content": [], "structuredContent": [params["inputResponses"], params["requestState"]]}

    server.tool = tool
    result = await agent.use({"a": 1})
    assert result["structuredContent"] == [{"who": {"action": "accept", "content": {"name": "Ada"}}}, "s1"]
    first, second = server.requests("tools/call")
    assert first["id"] != second["id"]
    assert second["params"]["arguments"] == {"a": 1}
    assert first["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]["elicitation"]["form"] == {}


async def test_a_server_that_asks_for_too_much_at_once_asks_nobody(runtime):
    server = ScriptedServer("2026-07-28")
    agent = user(runtime, server)
    await agent.add()
    User.asked.clear()
    ask = {"method": "elicitation/create", "params": {"message": "who?", "requestedSchema": {}}}
    server.tool = lambda params: {
        "resultType": "input_required",
        "inputRequests": {str(number): ask for number in range(33)},
    }
    with pytest.raises(RemoteError, match="asks for 33 things at once"):
        await agent.use()
    assert User.asked == []


async def test_progress_is_told(runtime):
    server = ScriptedServer()
    agent = user(runtime, server)
    await agent.add()

    def working(message):
        if message.get("method") != "tools/call":
            return None
        token = message["params"]["_meta"]["progressToken"]
        notices: list[dict[str, object]] = [
            {"progress": 1, "total": 3, "message": "one"},
            {"progress": 2},
            {"progress": "x"},
        ]
        chunks = [
            event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, **notice}})
            for notice in notices
        ]
        return events(*chunks, event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}}))

    server.broken = working
    assert await agent.watch() == [[1, 3, "one"], [2, None, None]]


async def test_a_tool_that_failed_raises_its_own_text(runtime):
    server = ScriptedServer()
    server.tool = lambda params: {"isError": True, "content": [{"type": "text", "text": "no such city"}]}
    agent = user(runtime, server)
    await agent.add()
    assert (await agent.use())["isError"] is True
    assert await agent.fail() == ["no such city", True]


class OldServer:
    """A server of 2024-11-05: everything comes on one stream."""

    def __init__(self) -> None:
        self.inner = ScriptedServer("2024-11-05", sessions=False)
        self.stream: asyncio.Queue[str | None] = asyncio.Queue()
        self.opened = self.ended = 0
        self.is_locked = False
        self.endpoint = "/messages?s=1"

    async def __call__(self, request):
        if self.is_locked:
            return Response("who are you?", status=404 if "/.well-known/" in request.url else 401)
        if str(request.method.value) == "GET":
            self.opened += 1
            self.stream = stream = asyncio.Queue()
            stream.put_nowait(f"event: endpoint\ndata: {self.endpoint}\n\n")

            async def chunks():
                try:
                    while (chunk := await stream.get()) is not None:
                        yield chunk
                finally:
                    self.ended += 1

            return stream_response(chunks())
        if not request.url.endswith("/messages?s=1"):
            return Response("no", status=405)
        response = await self.inner(request)
        text = await response.text()
        if text:
            self.stream.put_nowait(f"event: message\ndata: {text}\n\n")
        return Response("Accepted", status=202)


async def test_a_server_of_the_oldest_transport_is_found_and_used(runtime):
    server = OldServer()
    agent = user(runtime, server)
    assert (await agent.add())["state"] == "ready"
    assert [tool["name"] for tool in (await agent.get_mcp_servers())["tools"]] == ["echo"]
    assert (await agent.use({"text": "x"}))["content"]
    assert server.opened == 1
    await runtime.advance(minutes=6)
    await runtime.evict(agent)
    assert (await agent.use())["content"], "opened again when it is used"


async def test_a_stream_is_closed_when_its_server_lets_nobody_in_any_more(runtime):
    server = OldServer()
    agent = user(runtime, server)
    await agent.add(transport="sse")
    assert (server.opened, server.ended) == (1, 0)
    server.is_locked = True
    with pytest.raises(RemoteError):
        await agent.use()
    for _ in range(100):  # the server hears of it a moment later
        if server.ended:
            break
        await asyncio.sleep(0.01)
    assert (server.opened, server.ended) == (1, 1)


async def test_a_stream_of_the_oldest_transport_that_ends_fails_what_waits(runtime):
    server = OldServer()
    agent = user(runtime, server)
    await agent.add(transport="sse")

    def break_off(message):
        if message.get("method") != "tools/call":
            return None
        server.stream.put_nowait(None)
        return Response(None, status=202)

    server.inner.broken = break_off
    with pytest.raises(RemoteError, match="ended the stream"):
        await agent.use()
    server.inner.broken = lambda message: None
    assert (await agent.use())["content"], "opened again"
    server.stream.put_nowait(None)
    await asyncio.sleep(0.01)
    assert (await agent.use())["content"], "also when it ended while nobody used it"
    server.endpoint = "https://evil.example/steal"
    with pytest.raises(RemoteError, match="endpoint of another host"):
        await agent.add("evil", URL, id="evil", transport="sse", retry={"max_attempts": 1})


class Peer(DurableObject):
    """An agent that speaks MCP over RPC, as `McpAgent` does."""

    waiting: object = None

    async def cf_agents_internal(self, op, payload):
        if payload:
            self.ctx.storage.kv.put("props", payload["props"])

    async def handleMcpMessage(self, message):
        self.server = getattr(self, "server", None) or ScriptedServer(sessions=False)
        if "method" not in message:
            result = {"content": [], "structuredContent": message["result"]}
            return {"jsonrpc": "2.0", "id": self.waiting, "result": result}
        if message["method"] == "tools/call":
            if message["params"]["arguments"].get("ask"):
                self.waiting = message["id"]
                params = {"message": "hello", "requestedSchema": {}}
                return {"jsonrpc": "2.0", "id": "elicit_1", "method": "elicitation/create", "params": params}
            text = json.dumps([self.ctx.id.name, self.ctx.storage.kv.get("props")])
            return {"jsonrpc": "2.0", "id": message["id"], "result": {"content": [{"type": "text", "text": text}]}}
        response = self.server._post(message, {})
        text = await response.text()
        return json.loads(text) if text else None


class Caller(User):
    @callable
    async def add_peer(self, props=None):
        return await self.add_mcp_server("Helper", self.env.Peer, id="docs", props=props)


async def test_another_agent_is_a_server(runtime_factory):
    runtime = runtime_factory(evict_before_every_event=False)
    runtime.bind(Peer)
    agent = runtime.get(Caller, "c")
    assert (await agent.add_peer({"user": "ada"}))["state"] == "ready"
    assert (await agent.get_mcp_servers())["servers"]["docs"]["server_url"] == "rpc:helper"
    assert (await agent.use())["content"][0]["text"] == '["rpc:helper", {"user": "ada"}]'
    assert (await agent.use({"ask": True}))["structuredContent"] == {"action": "accept", "content": {"name": "Ada"}}
    await runtime.evict(agent)
    assert (await agent.use())["content"]
    assert (await agent.add_peer())["id"] == "docs"
    await agent.remove_mcp_server("Helper")
    assert (await agent.get_mcp_servers())["servers"] == {}


class Helper(McpAgent):
    @tool
    async def echo(self, text: str) -> str:
        """Say it again, slowly."""
        await self._platform.clock.sleep(10)
        return text


async def test_agents_that_share_a_server_do_not_get_into_each_others_way(runtime):
    runtime.bind(Helper, "Peer")
    agents = [runtime.get(Caller, name) for name in ("a", "b")]
    for agent in agents:
        assert (await agent.add_peer())["state"] == "ready"
    calls = [asyncio.ensure_future(agent.use({"text": agent.name})) for agent in agents]
    await runtime.settle()
    await runtime.advance(seconds=11)
    assert [(await call)["content"][0]["text"] for call in calls] == ["a", "b"]


async def test_waking_waits_for_no_server(runtime):
    server = ScriptedServer()
    agent = user(runtime, server)
    await agent.add()
    await runtime.evict(agent)
    await runtime.advance(minutes=6)
    gone = asyncio.Event()

    async def hang():
        await gone.wait()
        return Response("late", status=500)

    server.broken = lambda message: hang()
    assert await agent.ping() == "pong"
    waiting = asyncio.ensure_future(agent.wait(2))
    await runtime.settle()
    assert not waiting.done()
    await runtime.advance(seconds=2)
    assert await waiting == ["connecting"]
    server.broken = lambda message: None
    gone.set()
    await runtime.advance(minutes=2)
    assert await agent.wait() == ["ready"]


async def test_what_happens_is_told_to_listeners(runtime):
    events_seen = []
    stop = subscribe("mcp", lambda seen: events_seen.append((seen.type[len("mcp:client:") :], dict(seen.payload))))
    try:
        agent = user(runtime, ScriptedServer())
        await agent.add()
        await agent.remove_mcp_server("docs")
    finally:
        stop()
    assert [kind for kind, _ in events_seen] == ["preconnect", "connect", "discover", "close"]
    assert events_seen[0][1] == {"serverId": "docs"}
    assert events_seen[1][1] == {"url": URL, "state": "connected", "transport": "streamable-http"}


async def test_rows_that_javascript_wrote_are_used(runtime):
    server = ScriptedServer()
    agent = user(runtime, server)
    options = {"transport": {"type": "auto", "requestInit": {"headers": {"X-Key": "k"}}, "sessionId": "orphan"}}

    def take_over(me):
        me.sql(
            "CREATE TABLE cf_agents_mcp_servers (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, server_url TEXT NOT "
            "NULL, callback_url TEXT NOT NULL, client_id TEXT, auth_url TEXT, server_options TEXT)"
        )
        add = "INSERT INTO cf_agents_mcp_servers VALUES (?, ?, ?, '', NULL, ?, ?)"
        me.sql(add, "docs", "docs", URL, None, json.dumps(options))
        me.sql(add, "waits", "waits", URL, "https://auth.example/?state=x", None)
        me.sql(add, "odd", "odd", "http://10.0.0.1/", None, "not json")

    await runtime.run_in_agent(agent, take_over)
    runtime.expect_errors()
    await runtime.evict(agent)
    states = dict(zip(("docs", "waits", "odd"), await agent.wait(), strict=True))
    assert states == {"docs": "ready", "waits": "authenticating", "odd": "failed"}
    assert server.seen[0][2]["x-key"] == "k"
    assert "mcp-session-id" not in server.seen[0][2], "a session without its version is not gone on with"


async def test_an_id_can_be_changed(runtime):
    server = ScriptedServer()
    agent = user(runtime, server)
    await agent.add("docs", URL, id="one")
    assert (await agent.add("docs", URL, id="two"))["id"] == "two"
    await runtime.evict(agent)
    assert list((await agent.get_mcp_servers())["servers"]) == ["two"]
    await agent.add("other", URL + "2", id="three")
    with pytest.raises(RemoteError, match="the id 'three' belongs to the MCP server 'other'"):
        await agent.add("docs", URL, id="three")


async def test_an_answer_that_is_asked_for_twice_is_given_once(runtime):
    server = ScriptedServer()
    agent = user(runtime, server)
    await agent.add()
    result = {"content": []}

    def twice(message):
        if message.get("method") != "tools/call":
            return None
        body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        return Response(json.dumps([body, body]), headers={"content-type": "application/json"})

    server.broken = twice
    assert await agent.use() == result
    server.broken = lambda message: answer(message, error={"code": -32602, "message": "no tool echo"})
    with pytest.raises(RemoteError, match="no tool echo"):
        await agent.use()


class Household(Agent):
    async def add(self, name):
        kid = await self.sub_agent(User, name)
        return await kid.add("docs", URL)

    async def of(self, name, method, *args):
        return await getattr(await self.sub_agent(User, name), method)(*args)


async def test_a_sub_agent_uses_servers_of_its_own(runtime):
    runtime.serve_http("tools.test", ScriptedServer())
    runtime.bind(User)
    agent = runtime.get(Household, "h")
    assert (await agent.add("kid a"))["state"] == "ready"
    assert (await agent.of("kid a", "use", {"a": 1}))["content"]
    assert (await agent.of("other", "get_mcp_servers"))["servers"] == {}


async def test_a_person_who_is_asked_may_take_longer_than_the_call(runtime):
    server = ScriptedServer()
    agent = user(runtime, server)
    await agent.add()

    async def asking(message):
        async def stream():
            yield event({"jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": {"message": "slow"}})
            await answered.wait()
            yield event({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})

        return stream_response(stream())

    answered = asyncio.Event()

    def broken(message):
        if "method" not in message:
            answered.set()
        return asking(message) if message.get("method") == "tools/call" else None

    server.broken = broken
    calling = asyncio.ensure_future(agent.use())
    await runtime.settle()
    await runtime.advance(minutes=10)
    assert await calling == {"content": []}


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_an_agent_that_stays_awake_listens_again_when_the_server_is_used_again(runtime_factory, version):
    runtime = runtime_factory(evict_before_every_event=False)
    server = ScriptedServer(version)
    server.list_changed = True
    agent = user(runtime, server)
    client = await runtime.connect(agent)
    await agent.add()
    await runtime.settle()
    await runtime.advance(minutes=6)
    await agent.use()
    await runtime.settle()
    server.offered["tools"] = [{**ECHO, "name": "new"}]
    server.tell("notifications/tools/list_changed")
    await client.expect(lambda frame: frame["type"] == FRAME and frame["mcp"]["tools"][0]["name"] == "new")
    assert len(server.streams) == 2


async def test_a_server_that_refuses_to_be_listened_to_is_asked_once_in_a_life(runtime_factory):
    runtime = runtime_factory(evict_before_every_event=False)
    server = ScriptedServer()
    agent = user(runtime, server)
    await agent.add()
    for _ in range(3):
        await agent.use()
    assert [method for method, _, _, _ in server.seen].count("GET") == 1
