"""McpAgent by every way in: the old SSE transport, both at one path, another agent's RPC, the modern era."""

import asyncio
import json
from typing import Any

import pytest
from workers import Response

from agents_runtime.mcp.server.asking import Ask
from agents_runtime.mcp.server.auth import AuthInfo, get_mcp_auth_context
from agents_runtime.mcp.server.context import McpContext
from agents_runtime.mcp.server.server import McpServer
from agents_runtime.mcp.sessions.tasks import continue_as_task
from agents_runtime.mcp.tools.declare import tool
from agents_runtime.mcp_agent import McpAgent
from tests.mcp.legacy_client import Client, Stream
from tests.mcp.modern_client import ModernClient


class Desk(McpAgent):
    initial_state = {"count": 0}
    client_answer_timeout_s = 30.0

    @tool
    async def count(self) -> int:
        """Count calls."""
        self.set_state({"count": self.state["count"] + 1})
        return self.state["count"]

    @tool
    async def ask(self, ctx: McpContext) -> str:
        """Ask for a name, and say how far it is."""
        ctx.progress(1)
        answer = await ctx.elicit("Name?", {"name": "string"})
        return f"{answer.action} {answer.content.get('name')}"

    @tool
    async def who(self) -> str:
        """Say whose request it is."""
        auth = get_mcp_auth_context()
        return f"{auth.subject if auth else None} {self.props}"

    @tool(task="required")
    async def build(self, ctx: McpContext, what: str) -> str:
        """Build something."""
        ctx.progress(1, 2, "half way")
        await self._platform.clock.sleep(3600)
        return f"{what} is built"

    @tool(task="required")
    async def announce(self, ctx: McpContext) -> str:
        """Say that the prompts have changed, later."""
        await self._platform.clock.sleep(3600)
        ctx.changes.prompts()
        return "said"

    @tool(task="required")
    async def pair(self, ctx: McpContext) -> str:
        """Ask for two things at once."""
        answers = await ctx.ask({name: Ask.form(f"{name}?", {"it": "string"}) for name in ("left", "right")})
        return f"{answers['left'].content['it']} and {answers['right'].content['it']}"

    @tool(task="later")
    async def plan(self, ctx: McpContext) -> str:
        """Ask first, then go on as a task."""
        answer = await ctx.elicit("What?", {"what": "string"})
        continue_as_task()
        self.set_state({"count": self.state["count"] + 1})
        return f"{answer.content['what']} {self.state['count']}"


async def user_of(request):
    subject = request.headers.get("x-user")
    if subject == "mallory":
        return Response("no", status=401, headers={"www-authenticate": "Bearer"})
    return AuthInfo(client_id="app", subject=subject, props={"name": subject}) if subject else None


ENDPOINT = Desk.serve("/mcp", transport="auto", auth=user_of)
OLD = Desk.serve_sse("/old")
ELICITS = {"elicitation": {}}


async def worker(request, env, ctx):
    endpoint = OLD if "/old" in request.url else ENDPOINT
    return await endpoint.fetch(request, env, ctx)


@pytest.fixture(autouse=True)
def bound(runtime):
    runtime.bind(Desk)
    runtime.serve(worker)


# The transport of 2024-11-05


async def sse_client(runtime, path="/old"):
    client = Client(runtime, path, version="2024-11-05")
    stream = Stream(await client.send(None, method="GET", accept="text/event-stream"))
    event = await stream.next()
    assert event.event == "endpoint"
    client.path = event.data
    return client, stream


async def say(client, stream, method, params=None):
    """Post a request; the answer comes on the stream."""
    request = client.request(method, params)
    response = await client.send(request, accept="")
    assert (response.status, await response.text()) == (202, "Accepted")
    while (message := await stream.message()).get("id") != request["id"]:
        pass
    return message


@pytest.mark.parametrize("path", ["/old", "/mcp"])
async def test_old_clients_have_one_stream_and_an_endpoint_beside_it(runtime, path):
    client, stream = await sse_client(runtime, path)
    assert client.path.startswith(f"{path}/message?sessionId=")
    opening = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    opened = await say(client, stream, "initialize", opening)
    assert opened["result"]["protocolVersion"] == "2024-11-05"
    for expected in ("1", "2"):
        counted = await say(client, stream, "tools/call", {"name": "count", "arguments": {}})
        assert counted["result"]["content"][0]["text"] == expected
    handle = runtime.get(Desk, f"sse:{client.path.partition('=')[2]}")
    assert await runtime.run_in_agent(handle, lambda agent: agent.transport_type) == "sse"
    await stream.close()


async def test_an_old_session_has_one_listener_and_none_no_session(runtime):
    client, stream = await sse_client(runtime)
    second = Stream(
        await client.send(None, method="GET", path="/old?" + client.path.partition("?")[2], accept="text/event-stream")
    )
    assert await second.next() is None
    await stream.close()
    await runtime.settle()
    assert (await client.send(client.request("ping"), accept="")).status == 404
    assert (await client.send(client.request("ping"), path="/old/message", accept="")).status == 400
    assert (await client.send("{", accept="")).status == 400


async def test_a_question_reaches_an_old_client_and_its_answer_the_tool(runtime):
    client, stream = await sse_client(runtime)
    opening = {"protocolVersion": "2024-11-05", "capabilities": ELICITS, "clientInfo": {"name": "old", "version": "1"}}
    await say(client, stream, "initialize", opening)
    request = client.request("tools/call", {"name": "ask", "arguments": {}})
    await client.send(request, accept="")
    question = await stream.message()
    assert question["method"] == "elicitation/create"
    reply = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"name": "ada"}}}
    assert (await client.send(reply, accept="")).status == 202
    assert (await stream.message())["result"]["content"][0]["text"] == "accept ada"
    await stream.close()


# Questions in a session


async def test_a_question_that_is_not_answered_fails_in_time(runtime):
    client = Client(runtime)
    await client.initialize(ELICITS)
    stream = await client.open("tools/call", {"name": "ask", "arguments": {}})
    question = await stream.message()
    assert question["params"]["message"] == "Name?"
    await runtime.advance(seconds=31)
    cancelled, answer = await stream.messages()
    assert cancelled["method"] == "notifications/cancelled"
    assert answer["error"]["code"] == -32603
    late = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "cancel"}}
    assert (await client.send(late)).status == 202


async def test_the_agent_asks_outside_of_any_request(runtime):
    client = Client(runtime)
    await client.initialize(ELICITS)
    listening = await client.listen()
    handle = runtime.get(Desk, f"streamable-http:{client.session_id}")
    asking = asyncio.ensure_future(
        runtime.run_in_agent(handle, lambda agent: agent.elicit_input("Sure?", {"type": "object"}))
    )
    question = await listening.message()
    refusal = {"jsonrpc": "2.0", "id": question["id"], "error": {"code": -1, "message": "no"}}
    await client.send(refusal)
    assert await asking == {"action": "cancel"}
    await listening.close()


# Another agent's RPC


async def test_another_agent_speaks_to_it_without_http(runtime):
    stub = runtime.get(Desk, "rpc:main")
    opening = {"protocolVersion": "2025-11-25", "capabilities": ELICITS}
    initialize = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening}
    assert (await stub.handle_mcp_message(initialize))["result"]["serverInfo"]["name"] == "Desk"
    assert await stub.handle_mcp_message({"jsonrpc": "2.0", "method": "notifications/initialized"}) is None
    listed, counted = await stub.handle_mcp_message(
        [
            {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
            {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "count"}},
        ]
    )
    assert len(listed["result"]["tools"]) == 7
    assert counted["result"]["content"][0]["text"] == "1"
    assert (await stub.handle_mcp_message({"id": 4}))["error"]["code"] == -32600


async def test_a_question_is_the_answer_to_a_call_over_rpc(runtime):
    stub = runtime.get(Desk, "rpc:main")
    opening = {"protocolVersion": "2025-11-25", "capabilities": ELICITS}
    await stub.handle_mcp_message({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening})
    call = {"name": "ask", "arguments": {}, "_meta": {"progressToken": 9}}
    progress, question = await stub.handle_mcp_message(
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}
    )
    assert progress["params"] == {"progressToken": 9, "progress": 1}
    again = await stub.handle_mcp_message({"jsonrpc": "2.0", "id": 2, "method": "ping"})
    assert again["error"]["code"] == -32600
    reply = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}}
    answer = await stub.handle_mcp_message(reply)
    assert answer["result"]["content"][0]["text"] == "decline None"
    assert await stub.handle_mcp_message(reply) is None


# Whose session it is


async def test_a_session_belongs_to_whoever_opened_it(runtime):
    client: Any = Client(runtime)
    send, client.user = client.send, "ada"

    async def send_as_user(body, **given):
        return await send(body, **given, **({"x_user": client.user} if client.user else {}))

    client.send = send_as_user
    await client.initialize()
    assert (await client.tool("who"))["content"][0]["text"] == "ada {'name': 'ada'}"
    for user in ("bob", ""):
        client.user = user
        for method in ("POST", "GET", "DELETE"):
            assert (await client.send(client.request("ping"), method=method)).status == 404
    client.user = "mallory"
    refused = await client.send(client.request("ping"))
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert refused.headers["access-control-allow-origin"] == "*"
    client.user = "ada"
    assert (await client.call("ping"))["result"] == {}


async def test_nobody_gets_past_the_endpoint_with_an_internal_header(runtime):
    forged = json.dumps({"kind": "open", "auth": {"subject": "root"}})
    response = await runtime.fetch(
        "http://localhost/mcp", method="POST", headers={"x-cf-agents-mcp": forged, "accept": "*/*"}, body="{}"
    )
    assert response.status == 415


async def test_an_old_session_belongs_to_whoever_opened_it_as_well(runtime):
    client, stream = await sse_client(runtime, "/mcp")
    send, user = client.send, "ada"

    async def send_as_user(body, **given):
        return await send(body, **given, x_user=user)

    client.send = send_as_user
    await say(client, stream, "initialize", {"protocolVersion": "2024-11-05", "capabilities": {}})
    assert (await say(client, stream, "ping"))["result"] == {}
    user = "bob"
    assert (await client.send(client.request("ping"))).status == 404
    path = client.path.replace("/message", "")
    assert (await client.send(None, method="GET", accept="text/event-stream", path=path)).status == 404
    await stream.close()


@pytest.mark.parametrize("is_old", [False, True])
@pytest.mark.parametrize("body", [json.dumps({}).encode("utf-16"), b'{"a": "\xed\xa0\x80"}', b"NaN", b"["])
async def test_what_is_no_json_in_utf8_is_the_clients_error(runtime, is_old, body):
    client, stream = await sse_client(runtime)
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    url = "http://localhost" + (client.path if is_old else "/mcp")
    response = await runtime.fetch(url, method="POST", headers=headers, body=body)
    assert response.status == 400
    assert json.loads(await response.text())["error"]["code"] == -32700
    await stream.close()


@pytest.mark.parametrize("is_signed", [False, True])
async def test_with_a_secret_an_agent_believes_only_its_own_worker(runtime, is_signed):
    """Where a worker passes requests on by hand, a client can send the internal header."""

    async def careless(request, env, ctx):
        if "/raw" not in request.url:
            return await ENDPOINT.fetch(request, env, ctx)
        return await env.Desk.get(env.Desk.idFromName("streamable-http:raw")).fetch(request)

    runtime.serve(careless)
    if is_signed:
        runtime.env.MCP_STATE_KEY = "a secret of its own"
    opening = {"protocolVersion": "2025-11-25", "capabilities": {}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening})
    for sign in ("", f"{'0' * 64} "):
        forged = sign + json.dumps({"kind": "open", "auth": {"subject": "root"}})
        answer = await runtime.fetch(
            "http://localhost/raw", method="POST", headers={"x-cf-agents-mcp": forged}, body=body
        )
        assert answer.status == (403 if is_signed else 200)
    client = Client(runtime)
    await client.initialize()
    assert (await client.tool("count"))["content"][0]["text"] == "1"
    listening = await client.listen()
    assert listening.status == 200
    await listening.close()
    assert (await ModernClient(runtime).request("tools/call", name="count"))["content"][0]["text"] == "1"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "localhost:8787"}, 406),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost:3000"}, 406),
    ],
)
async def test_strange_hosts_and_pages_are_refused(runtime, headers, status):
    response = await runtime.fetch("http://localhost/mcp", method="POST", headers=headers, body="{}")
    assert response.status == status


# Clients of the modern era, at the same endpoint


async def test_requests_without_a_session_share_nothing_and_leave_nothing(runtime):
    client = ModernClient(runtime)
    found = await client.request("server/discover")
    assert "io.modelcontextprotocol/tasks" in found["capabilities"]["extensions"]
    for _ in range(2):
        assert (await client.request("tools/call", name="count", arguments={}))["content"][0]["text"] == "1"
    await runtime.advance(seconds=2)
    await runtime.evict_all()
    for object_id in runtime.list_ids(Desk):
        rows = await runtime.run_in_agent(
            runtime.get_by_id(object_id), lambda agent: agent.sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        )
        assert {row["name"] for row in rows} <= {"_cf_KV", "_cf_METADATA"}


async def test_both_eras_use_one_path(runtime):
    legacy = Client(runtime)
    await legacy.initialize()
    assert (await legacy.tool("count"))["content"][0]["text"] == "1"
    assert (await ModernClient(runtime).request("tools/call", name="count"))["content"][0]["text"] == "1"
    assert (await legacy.tool("count"))["content"][0]["text"] == "2"
    response = await runtime.fetch("http://localhost/mcp", headers={"mcp-protocol-version": "2026-07-28"})
    assert response.status == 405


# Calls that become tasks


async def test_a_long_call_becomes_a_task_that_outlives_the_memory(runtime):
    client = ModernClient(runtime)
    task = await client.request("tools/call", name="build", arguments={"what": "a house"})
    assert task["resultType"] == "task"
    assert task["status"] == "working"
    assert task["ttlMs"] == 86_400_000
    await runtime.settle()  # until it waits
    working = await client.request("tasks/get", taskId=task["taskId"])
    assert (working["status"], working["statusMessage"]) == ("working", "half way")
    runtime.expect_errors()
    await runtime.advance(minutes=30)
    await runtime.restart(crash=True)
    await runtime.advance(hours=2)
    done = await client.request("tasks/get", taskId=task["taskId"])
    assert done["status"] == "completed"
    assert done["result"]["content"][0]["text"] == "a house is built"
    await runtime.advance(hours=24)
    assert (await client.respond("tasks/get", taskId=task["taskId"]))["error"]["code"] == -32602


async def test_a_task_asks_sleeps_and_goes_on(runtime):
    client = ModernClient(runtime)
    asked = await client.request("tools/call", name="plan", arguments={})
    assert asked["resultType"] == "input_required"
    (key,) = asked["inputRequests"]
    answers = {key: {"action": "accept", "content": {"what": "a boat"}}}
    given = {"name": "plan", "arguments": {}, "inputResponses": answers}
    if "requestState" in asked:
        given["requestState"] = asked["requestState"]
    task = await client.request("tools/call", **given)
    assert task["resultType"] == "task"
    await runtime.settle()
    done = await client.request("tasks/get", taskId=task["taskId"])
    assert done["result"]["content"][0]["text"] == "a boat 1"


async def test_a_task_waits_for_all_its_answers_through_restarts(runtime):
    client = ModernClient(runtime)
    task = await client.request("tools/call", name="pair", arguments={})
    await runtime.settle()
    asked = await client.request("tasks/get", taskId=task["taskId"])
    assert asked["status"] == "input_required"
    left, right = asked["inputRequests"]
    assert asked["inputRequests"][left]["method"] == "elicitation/create"
    for key, text in ((left, "salt"), (right, "pepper")):
        answer = {"action": "accept", "content": {"it": text}}
        given = {"unknown": answer, key: answer}
        assert await client.request("tasks/update", taskId=task["taskId"], inputResponses=given) == {}
        found = await client.request("tasks/get", taskId=task["taskId"])
        if key == left:
            assert (found["status"], list(found["inputRequests"])) == ("input_required", [right])
        await runtime.restart()
    await runtime.advance(minutes=1)
    done = await client.request("tasks/get", taskId=task["taskId"])
    assert done["result"]["content"][0]["text"] == "salt and pepper"


async def test_a_task_is_cancelled_and_told_to_nobody_else(runtime):
    client = ModernClient(runtime)
    task = await client.request("tools/call", name="build", arguments={"what": "a wall"})
    unknowing = ModernClient(runtime, capabilities={})
    assert (await unknowing.respond("tasks/get", taskId=task["taskId"]))["error"]["code"] == -32021
    assert (await unknowing.respond("tools/call", name="build", arguments={"what": "x"}))["error"]["code"] == -32021
    assert (await client.respond("tasks/get", taskId="0" * 64))["error"]["code"] == -32602
    assert await client.request("tasks/cancel", taskId=task["taskId"]) == {}
    assert (await client.request("tasks/get", taskId=task["taskId"]))["status"] == "cancelled"
    assert await client.request("tasks/cancel", taskId=task["taskId"]) == {}


# Servers that are set


class Shared(McpAgent):
    server = McpServer("shared", instructions="be kind")


@Shared.server.tool
def shared_tool(ctx: McpContext) -> str:
    """Say that something changed."""
    ctx.changes.tools()
    ctx.changes.resource("a://b")
    return "said"


class Promised(McpAgent):
    async def init(self):
        self.server = self.make()

    async def make(self):
        return McpServer("promised")


class Wrong(McpAgent):
    server = "none"


async def test_a_shared_server_tells_each_session_of_its_own_changes(runtime):
    runtime.bind(Shared, "MCP_OBJECT")
    endpoint = Shared.serve("/")
    runtime.serve(endpoint.fetch)
    one, two = Client(runtime), Client(runtime)
    assert (await one.initialize())["instructions"] == "be kind"
    await two.initialize()
    assert (await one.call("resources/subscribe", {"uri": "a://b"}))["result"] == {}
    first, second = await one.listen(), await two.listen()
    await one.tool("shared_tool")
    assert (await first.message())["method"] == "notifications/tools/list_changed"
    assert (await first.message())["params"] == {"uri": "a://b"}
    await two.tool("shared_tool")
    assert (await second.message())["method"] == "notifications/tools/list_changed"
    await first.close()
    await second.close()


@pytest.mark.parametrize("jurisdiction", [None, "eu"])
async def test_whoever_listens_without_a_session_hears_of_what_other_requests_change(runtime, jurisdiction):
    runtime.bind(Shared, "MCP_OBJECT")
    runtime.serve(Shared.serve("/", jurisdiction=jurisdiction).fetch)
    client = ModernClient(runtime)
    kinds = {"toolsListChanged": True, "resourceSubscriptions": ["a://b"]}
    listening = Stream(await client.send("subscriptions/listen", notifications=kinds))
    assert (await listening.message())["method"] == "notifications/subscriptions/acknowledged"
    deaf = Stream(await client.send("subscriptions/listen", notifications={"resourceSubscriptions": ["a://c"]}))
    assert (await deaf.message())["method"] == "notifications/subscriptions/acknowledged"
    for _ in range(2):
        await client.request("tools/call", name="shared_tool")
        heard = [await listening.message() for _ in range(2)]
        assert [one["method"] for one in heard] == [
            "notifications/tools/list_changed",
            "notifications/resources/updated",
        ]
        assert heard[1]["params"]["uri"] == "a://b"
    await listening.close()
    await deaf.close()


async def test_a_task_tells_whoever_listens_even_after_a_restart(runtime):
    client = ModernClient(runtime)
    task = await client.request("tools/call", name="announce")
    await runtime.evict_all()
    listening = Stream(await client.send("subscriptions/listen", notifications={"promptsListChanged": True}))
    assert (await listening.message())["method"] == "notifications/subscriptions/acknowledged"
    await runtime.advance(seconds=3700)
    assert (await client.request("tasks/get", taskId=task["taskId"]))["status"] == "completed"
    assert (await listening.message())["method"] == "notifications/prompts/list_changed"
    await listening.close()


async def test_a_server_may_be_promised(runtime):
    runtime.bind(Promised)
    runtime.serve(Promised.serve("/").fetch)
    assert (await Client(runtime).initialize())["serverInfo"]["name"] == "promised"


async def test_what_is_no_server_is_refused_without_details(runtime):
    runtime.bind(Wrong)
    runtime.serve(Wrong.serve("/").fetch)
    runtime.expect_errors()
    client = Client(runtime)
    response = await client.send(client.request("initialize", {"protocolVersion": "2025-11-25"}))
    assert response.status == 500
    assert "McpServer" not in await response.text()


async def test_an_endpoint_without_a_binding_says_so(runtime):
    runtime.serve(Promised.serve("/", binding="NOWHERE").fetch)
    with pytest.raises(Exception, match="NOWHERE"):
        await Client(runtime).send("{}")


async def test_sessions_without_event_store_stream_without_ids(runtime):
    class Forgetful(Desk):
        def get_event_store(self):
            return None

    runtime.bind(Forgetful)
    runtime.serve(Forgetful.serve("/").fetch)
    client = Client(runtime, "/")
    await client.initialize(ELICITS)
    stream = await client.open("tools/call", {"name": "ask", "arguments": {}})
    assert (await stream.next()).id is None
    await runtime.advance(seconds=31)
    assert (await stream.messages())[-1]["error"]["code"] == -32603


async def test_made_by_hand_it_answers_as_well():
    agent: Any = Desk.create()
    opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}
    assert (await agent.handle_mcp_message(opening))["result"]["serverInfo"]["name"] == "Desk"
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "count"}}
    assert (await agent.handle_mcp_message(call))["result"]["content"][0]["text"] == "1"


class Ours(McpAgent):
    common = McpServer("common")

    async def init(self):
        self.server = self.common


async def test_a_session_that_left_memory_is_forgotten_by_a_server_that_did_not(runtime):
    runtime.bind(Ours)
    runtime.serve(Ours.serve("/").fetch)
    client = Client(runtime)
    await client.initialize()
    for _ in range(5):
        await client.call("ping")
    assert Ours.common.changes.count <= 1
    listening = await client.listen()
    Ours.common.changes.tools()
    await client.call("ping")
    assert (await listening.message())["method"] == "notifications/tools/list_changed"
    await listening.close()
    await runtime.evict_all()
    assert Ours.common.changes.count == 0
