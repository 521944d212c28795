"""MCP over HTTP without sessions, through the front door of a worker."""

import asyncio
import json
from typing import Any

import pytest
from workers import Response

from agents_runtime import (
    Agent,
    Cors,
    McpContext,
    McpServer,
    create_mcp_handler,
    get_mcp_auth_context,
    tool,
)
from agents_runtime.errors import DefinitionError, UsageError
from agents_runtime.mcp.protocol.sse import SseDecoder
from agents_runtime.mcp.server.auth import AuthInfo

BOTH = "application/json, text/event-stream"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}


def build_server() -> McpServer:
    server = McpServer("desk")

    @server.tool
    def add(a: int, b: int = 1) -> int:
        return a + b

    @server.tool
    async def who() -> str:
        await asyncio.sleep(0)
        auth = get_mcp_auth_context()
        return "nobody" if auth is None else f"{auth.client_id} {auth.props.get('user')}"

    @server.tool
    async def slow(context: McpContext) -> str:
        context.progress(1, 2)
        for _ in range(5):
            await asyncio.sleep(0)
        context.progress(2, 2)
        return f"done for {get_mcp_auth_context()}"

    @server.tool
    def quick(context: McpContext) -> str:
        context.progress(1, 1)
        return "done"

    @server.tool
    async def confirm(context: McpContext) -> str:
        context.remember("asked")
        answer = await context.elicit("Sure?", {"ok": "boolean"}, key="ok")
        return f"{answer.content['ok']} {context.remembered}"

    @server.tool(input_schema={"type": "object", "properties": {"r": {"type": "string", "x-mcp-header": "R"}}})
    def where(r: str = "") -> str:
        return r

    @server.tool
    def changed(context: McpContext) -> str:
        context.changes.tools()
        context.changes.resource("notes://1")
        context.changes.resource("notes://2")
        return "told"

    return server


def post(runtime, message, path="/mcp", **headers: str):
    body = message if isinstance(message, str) else json.dumps(message)
    given = {"content-type": "application/json", "accept": BOTH, **{k.replace("_", "-"): v for k, v in headers.items()}}
    return runtime.fetch(f"http://localhost:8787{path}", method="POST", headers=given, body=body)


def modern(runtime, method, params=None, path="/mcp", **headers: str):
    params = {**(params or {}), "_meta": META | (params or {}).get("_meta", {})}
    message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    name = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}.get(method)
    mirrored = {"mcp-name": params[name]} if name in params else {}
    return post(
        runtime, message, path, **{"mcp-protocol-version": "2026-07-28", "mcp-method": method, **mirrored, **headers}
    )


def legacy(runtime, method, params=None, path="/mcp", **headers: str):
    message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}}
    return post(runtime, message, path, **{"mcp-protocol-version": "2025-11-25", **headers})


async def call(runtime, name, arguments=None, send=modern, **options) -> Any:
    response = await send(runtime, "tools/call", {"name": name, "arguments": arguments or {}}, **options)
    return await answer_of(response)


async def answer_of(response) -> Any:
    text = await response.text()
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        message = json.loads(SseDecoder().feed(text.encode())[-1].data)
    else:
        message = json.loads(text)
    return message.get("result") or message["error"]


def text_of(result):
    return result["content"][0]["text"]


@pytest.fixture
def served(runtime):
    """A runtime whose worker is the handler."""
    runtime.serve(create_mcp_handler(build_server))
    return runtime


async def test_both_eras_at_one_path(served):
    assert text_of(await call(served, "add", {"a": 1})) == "2"
    assert text_of(await call(served, "add", {"a": 1}, legacy)) == "2"
    opened = await answer_of(await legacy(served, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}}))
    assert opened["protocolVersion"] == "2025-06-18"
    assert opened["capabilities"]["tools"] == {}, "nobody can be told about changes"
    discovered = await answer_of(await modern(served, "server/discover"))
    assert discovered["capabilities"]["tools"] == {"listChanged": True}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/other", {}, 404),
        ("POST", "/mcp/more", {}, 404),
        ("GET", "/mcp", {}, 405),
        ("DELETE", "/mcp", {}, 405),
        ("PUT", "/mcp", {}, 405),
        ("POST", "/mcp", {"accept": "application/json"}, 406),
        ("POST", "/mcp", {"accept": "text/event-stream"}, 406),
        ("POST", "/mcp", {"content-type": "text/plain"}, 415),
        ("POST", "/mcp", {"content-length": "99999999"}, 413),
        ("POST", "/mcp", {"host": "evil.example"}, 403),
        ("POST", "/mcp", {"host": "a@localhost"}, 403),
        ("POST", "/mcp", {"origin": "https://evil.example"}, 403),
        ("POST", "/mcp", {"origin": "null"}, 403),
        ("POST", "/mcp", {"origin": "http://[oops"}, 403),
        ("OPTIONS", "/mcp", {"origin": "http://localhost:3000"}, 204),
        ("POST", "/mcp", {"mcp-protocol-version": "1999-01-01"}, 400),
    ],
)
async def test_requests_that_are_refused_before_they_are_read(served, method, path, headers, status):
    given = {"content-type": "application/json", "accept": BOTH, "host": "localhost:8787"} | headers
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}) if method in ("POST", "PUT") else None
    response = await served.fetch(f"http://localhost:8787{path}", method=method, headers=given, body=body)
    assert response.status == status
    if status == 405:
        assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("host", ["127.0.0.1:8787", "[::1]:8787", "192.168.1.5", "app.localhost"])
async def test_local_names_and_addresses_are_fine(served, host):
    response = await legacy(served, "ping", host=host, origin=f"http://{host}")
    assert response.status == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, -32700),
        ("", 400, -32700),
        ("NaN", 400, -32700),
        ("[" * 3000, 400, -32700),
        ("5", 400, -32600),
        ("[]", 400, -32600),
        ('{"jsonrpc":"2.0","id":1}', 400, -32600),
        ('{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600),
        ("x" * (4 * 1024 * 1024 + 1), 413, -32600),
    ],
)
async def test_bodies_that_cannot_be_read(served, body, status, code):
    for version in ("2025-11-25", "2026-07-28"):
        response = await post(served, body, mcp_protocol_version=version)
        assert (response.status, json.loads(await response.text())["error"]["code"]) == (status, code)


async def test_batches_are_for_the_version_that_had_them(served):
    batch = [{"jsonrpc": "2.0", "id": n, "method": "ping"} for n in (1, 2)]
    response = await post(served, batch, mcp_protocol_version="2025-03-26")
    assert [answer["id"] for answer in json.loads(await response.text())] == [1, 2]
    assert (await post(served, batch, mcp_protocol_version="2025-11-25")).status == 400
    assert (await post(served, batch, mcp_protocol_version="2026-07-28")).status == 400
    assert (await post(served, batch * 51)).status == 400
    opening = [{"jsonrpc": "2.0", "id": 1, "method": "initialize"}, batch[0]]
    assert (await post(served, opening)).status == 400


async def test_notifications_are_taken(served):
    said = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    for version in ("2025-11-25", "2026-07-28"):
        response = await post(served, said, mcp_protocol_version=version)
        assert (response.status, await response.text()) == (202, "")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"mcp-method": "tools/list"}, 400, -32020),
        ({"mcp-name": "other"}, 400, -32020),
        ({"mcp-protocol-version": "2025-11-25"}, 400, -32020),
        ({"mcp-param-r": "us"}, 400, -32020),
        ({"mcp-name": "  where "}, 200, None),
        ({"mcp-name": "=?base64?d2hlcmU=?="}, 200, None),
    ],
)
async def test_headers_repeat_the_body(served, change, status, code):
    headers = {"mcp-param-r": "eu"} | change
    response = await modern(served, "tools/call", {"name": "where", "arguments": {"r": "eu"}}, **headers)
    assert response.status == status
    assert (await answer_of(response)).get("code") == code


@pytest.mark.parametrize(
    ("meta", "status", "code"),
    [
        ({"io.modelcontextprotocol/protocolVersion": "2027-01-01"}, 400, -32022),
        ({"io.modelcontextprotocol/clientCapabilities": 5}, 400, -32602),
        ({"io.modelcontextprotocol/clientInfo": 5}, 400, -32602),
        ({"io.modelcontextprotocol/logLevel": "loud"}, 400, -32602),
    ],
)
async def test_what_a_request_says_about_itself_is_checked(served, meta, status, code):
    version = meta.get("io.modelcontextprotocol/protocolVersion", "2026-07-28")
    response = await modern(served, "tools/list", {"_meta": meta}, **{"mcp-protocol-version": version})
    assert (response.status, (await answer_of(response))["code"]) == (status, code)


async def test_unknown_methods_are_not_found(served):
    assert (await modern(served, "nothing/here")).status == 404
    assert (await legacy(served, "nothing/here")).status == 200


async def test_progress_makes_the_answer_a_stream(served):
    for name, count in (("slow", 2), ("quick", 1)):
        response = await modern(served, "tools/call", {"name": name, "_meta": {"progressToken": "t"}})
        assert response.headers["content-type"] == "text/event-stream"
        events = [json.loads(event.data) for event in SseDecoder().feed((await response.text()).encode())]
        assert [event.get("method") for event in events] == ["notifications/progress"] * count + [None]
        assert events[-1]["id"] == 7
    assert "content" in await call(served, "slow"), "nobody asked for progress"


async def test_progress_that_nobody_reads_is_dropped_and_the_log_says_so(runtime, caplog):
    server = McpServer("x")

    @server.tool
    def chatter(context: McpContext) -> str:
        for number in range(1_500):
            context.progress(number)
        return "said"

    runtime.serve(create_mcp_handler(server))
    response = await modern(runtime, "tools/call", {"name": "chatter", "_meta": {"progressToken": "t"}})
    events = SseDecoder().feed((await response.text()).encode())
    assert len(events) == 1_001
    assert "said" in events[-1].data
    assert [record.message for record in caplog.records if "dropped" in record.message] == [
        "1000 notifications of one MCP request wait for its client; more are dropped"
    ]


async def test_the_mode_of_answers_can_be_chosen(runtime):
    runtime.serve(create_mcp_handler(build_server(), response_mode="json"))
    told = {"name": "slow", "_meta": {"progressToken": "t"}}
    assert (await modern(runtime, "tools/call", told)).headers["content-type"] == "application/json"
    runtime.serve(create_mcp_handler(build_server(), response_mode="sse"))
    response = await modern(runtime, "tools/call", {"name": "add", "arguments": {"a": 1}})
    assert response.headers["content-type"] == "text/event-stream"
    assert text_of(await answer_of(response)) == "2"


async def test_a_silent_tool_keeps_the_connection_alive(runtime):
    server, going_on = McpServer("x"), asyncio.Event()

    @server.tool
    async def wait() -> str:
        await going_on.wait()
        return "over"

    runtime.serve(create_mcp_handler(server, keepalive_s=10))
    asked = asyncio.ensure_future(modern(runtime, "tools/call", {"name": "wait"}))
    await runtime.settle()
    assert not asked.done()
    await runtime.advance(seconds=11)
    response = await asked
    chunks = aiter(response.body)
    reading = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)
    await runtime.advance(seconds=11)
    assert bytes(await reading) == b": keepalive\n\n"
    going_on.set()
    assert b"over" in bytes(await anext(chunks))


async def test_closing_the_stream_cancels_the_tool(runtime):
    server, ended = McpServer("x"), []

    @server.tool
    async def wait(context: McpContext) -> str:
        context.progress(1)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(context.is_cancelled)
        return ""

    runtime.serve(create_mcp_handler(server))
    response = await modern(runtime, "tools/call", {"name": "wait", "_meta": {"progressToken": 1}})
    reader = response.body.getReader()
    await reader.read()
    await reader.cancel()
    assert ended == [True]


async def test_listening_for_changes(served):
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["notes://1"]}
    response = await modern(served, "subscriptions/listen", {"notifications": wanted})
    events = SseDecoder()
    chunks = aiter(response.body)
    (first,) = events.feed(bytes(await anext(chunks)))
    acknowledged = json.loads(first.data)
    assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
    assert acknowledged["params"]["notifications"] == wanted
    await call(served, "changed")
    told = [json.loads(event.data) for event in events.feed(bytes(await anext(chunks)))]
    assert [said["method"] for said in told] == ["notifications/tools/list_changed", "notifications/resources/updated"]
    assert {said["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] for said in told} == {7}
    assert told[1]["params"]["uri"] == "notes://1"
    await chunks.aclose()
    wrong = await modern(served, "subscriptions/listen", {"notifications": {"resourceSubscriptions": "x"}})
    assert wrong.status == 400


async def test_a_listener_is_kept_alive_and_let_go(runtime):
    handler = create_mcp_handler(build_server, keepalive_s=10)
    runtime.serve(handler)
    response = await modern(runtime, "subscriptions/listen", {"notifications": {"promptsListChanged": True}})
    chunks = aiter(response.body)
    assert b"acknowledged" in bytes(await anext(chunks))
    for _ in range(2):
        reading = asyncio.ensure_future(anext(chunks))
        await asyncio.sleep(0)
        await runtime.advance(seconds=11)
        assert bytes(await reading) == b": keepalive\n\n"
    handler.notify.tools()
    handler.notify.prompts()
    assert b"prompts/list_changed" in bytes(await anext(chunks))
    assert handler.notify.count == 1
    await chunks.aclose()
    assert handler.notify.count == 0


async def test_who_asks_is_known_in_the_tool_and_while_it_streams(runtime):
    def check(request):
        token = request.headers.get("authorization")
        if token is None:
            return Response("", status=401, headers={"www-authenticate": "Bearer"})
        return AuthInfo(client_id=token, props={"user": "Ann"})

    runtime.serve(create_mcp_handler(build_server, auth=check))
    assert (await modern(runtime, "tools/list")).status == 401
    assert text_of(await call(runtime, "who", authorization="c1")) == "c1 Ann"
    assert get_mcp_auth_context() is None


async def test_props_of_the_worker_are_the_users(runtime):
    async def props(request):
        return {"user": "Bob"}

    runtime.serve(create_mcp_handler(build_server, auth=props))
    assert text_of(await call(runtime, "who")) == " Bob"


async def test_what_the_provider_left_in_the_context_is_the_users(runtime):
    class Context:
        props = {"user": "Eve"}

    handler = create_mcp_handler(build_server)

    async def fetch(request, env, ctx):
        return await handler(request, env, Context())

    runtime.serve(fetch)
    assert text_of(await call(runtime, "who")) == " Eve"


async def test_a_wrong_authorization_closes_the_door(runtime):
    seen: list[Exception] = []
    runtime.expect_errors()
    runtime.serve(create_mcp_handler(build_server, auth=lambda request: 5, on_error=seen.append))
    response = await modern(runtime, "tools/list")
    assert (response.status, (await answer_of(response))["code"]) == (500, -32603)
    assert isinstance(seen[0], UsageError)


async def test_a_server_that_cannot_be_made_is_an_internal_error(runtime):
    def broken():
        raise ValueError("secret")

    runtime.expect_errors()
    runtime.serve(create_mcp_handler(broken))
    response = await modern(runtime, "tools/list")
    assert (response.status, await response.text()) == (
        500,
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"Internal server error"}}',
    )


async def test_other_pages_may_read_answers_unless_that_is_turned_off(runtime):
    runtime.serve(create_mcp_handler(build_server))
    asked = {"access-control-request-headers": "content-type, Mcp-Param-Region", "origin": "http://localhost:1"}
    response = await runtime.fetch("http://localhost/mcp", method="OPTIONS", headers=asked)
    assert response.headers["access-control-allow-origin"] == "*"
    assert "Mcp-Param-Region" in response.headers["access-control-allow-headers"]
    runtime.serve(create_mcp_handler(build_server, cors=False))
    assert "access-control-allow-origin" not in (await legacy(runtime, "ping")).headers
    runtime.serve(create_mcp_handler(build_server, cors=Cors(origins={"https://app.example"})))
    response = await legacy(runtime, "ping", origin="https://app.example")
    assert (response.status, response.headers["access-control-allow-origin"]) == (200, "https://app.example")


async def test_names_of_the_server_and_of_pages_are_listed(runtime):
    runtime.serve(create_mcp_handler(build_server, allowed_hosts=["mcp.example"], allowed_origins=["app.example"]))
    assert (await legacy(runtime, "ping", host="mcp.example", origin="https://app.example")).status == 200
    assert (await legacy(runtime, "ping", host="mcp.example", origin="https://mcp.example")).status == 200
    response = await legacy(runtime, "ping", host="other.example")
    assert response.status == 403
    assert "allowed_hosts" in await response.text()


async def test_legacy_clients_can_be_refused(runtime):
    runtime.serve(create_mcp_handler(build_server, legacy="reject"))
    response = await legacy(runtime, "initialize", {"protocolVersion": "2025-11-25"})
    assert (response.status, (await answer_of(response))["code"]) == (400, -32022)
    assert (await legacy(runtime, "ping")).status == 400
    assert (await modern(runtime, "tools/list")).status == 200


async def test_a_question_is_answered_in_the_next_request(runtime):
    runtime.serve(create_mcp_handler(build_server, state_key="a secret of some length"))
    asked = await call(runtime, "confirm")
    assert asked["resultType"] == "input_required"
    # Another isolate with the same key goes on.
    runtime.serve(create_mcp_handler(build_server, state_key="a secret of some length"))
    answer = {"ok": {"action": "accept", "content": {"ok": True}}}
    again = {"name": "confirm", "arguments": {}, "inputResponses": answer, "requestState": asked["requestState"]}
    assert text_of(await answer_of(await modern(runtime, "tools/call", again))) == "True asked"
    runtime.serve(create_mcp_handler(build_server))
    assert (await answer_of(await modern(runtime, "tools/call", again)))["code"] == -32602
    told = await answer_of(await legacy(runtime, "tools/call", {"name": "confirm"}))
    assert told["code"] == -32603


@pytest.mark.parametrize(
    ("server", "options", "said"),
    [
        (5, {}, "McpServer"),
        (McpServer("x"), {"route": "mcp"}, "path"),
        (McpServer("x"), {"legacy": "sessions"}, "legacy"),
        (McpServer("x"), {"keepalive_s": 0}, "keepalive_s"),
        ({"agent": 5}, {}, "agent"),
        ({"agent": "a", "nmae": "b"}, {}, "agent"),
        ({"agent": "a", "name": "x" * 2000}, {}, "name"),
    ],
)
def test_options_that_cannot_be(server, options, said):
    with pytest.raises(UsageError, match=said):
        create_mcp_handler(server, **options)


# The tools of an agent


class Support(Agent):
    initial_state = {"tickets": 0}

    @tool
    async def open_ticket(self, subject: str) -> dict:
        """Open a ticket."""
        self.set_state({"tickets": self.state["tickets"] + 1})
        return {"number": self.state["tickets"], "subject": subject}

    @tool
    async def close_ticket(self, number: int, context: McpContext) -> str:
        """Close a ticket."""
        context.progress(1, 1)
        answer = await context.elicit("Sure?", {"ok": "boolean"}, key="sure")
        auth = get_mcp_auth_context()
        return f"{number} {answer.content['ok']} {auth.props if auth else None} {self.name}"

    def secret(self) -> str:
        return "not a tool"


@pytest.fixture
def support(runtime):
    runtime.bind(Support)
    handler = create_mcp_handler({"agent": "support", "name": "ünï"}, auth=lambda request: {"user": "Änn"})
    runtime.serve(handler)
    return runtime


async def test_the_tools_of_an_agent(support):
    listed = (await answer_of(await modern(support, "tools/list")))["tools"]
    assert [entry["name"] for entry in listed] == ["close_ticket", "open_ticket"]
    for expected in (1, 2):
        result = await call(support, "open_ticket", {"subject": "x"})
        assert result["structuredContent"] == {"number": expected, "subject": "x"}
    assert text_of(await call(support, "open_ticket", {"subject": 5})).startswith("Invalid arguments")
    assert (await call(support, "secret"))["code"] == -32602


async def test_an_agent_that_was_evicted_between_question_and_answer(support):
    asked = await call(support, "close_ticket", {"number": 3})
    answer = {"sure": {"action": "accept", "content": {"ok": True}}}
    params = {"name": "close_ticket", "arguments": {"number": 3}, "inputResponses": answer}
    await support.evict_all()
    result = await answer_of(await modern(support, "tools/call", params))
    assert text_of(result) == "3 True {'user': 'Änn'} ünï"
    assert asked["resultType"] == "input_required"


async def test_only_the_handler_reaches_the_tools(support):
    """The header that it sends is taken away from requests of others."""
    from agents_runtime import route_agent_request

    async def route(request, env, ctx):
        return await route_agent_request(request, env)

    support.serve(route)
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    response = await post(support, message, "/agents/support/x", **{"x-cf-agents-mcp-tools": "eyJhdXRoIjpudWxsfQ=="})
    assert response.status == 404


async def test_a_worker_that_passes_requests_on_by_hand_opens_nothing(support):
    await call(support, "open_ticket", {"subject": "x"})

    async def pass_on(request, env, ctx):
        return await env.Support.get(env.Support.idFromName("ünï")).fetch(request)

    support.serve(pass_on)
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for forged in ("", "eyJhdXRoIjpudWxsfQ==", "eyJhdXRoIjpudWxsfQ==." + "0" * 64, ".", "é"):
        response = await post(support, message, **{"x-cf-agents-mcp-tools": forged})
        assert (response.status, await response.text()) == (421, "")


async def test_an_agent_that_was_destroyed_has_another_key(support):
    await call(support, "open_ticket", {"subject": "x"})
    handle = support.get(Support, "ünï")
    await support.run_in_agent(handle, lambda agent: agent.destroy())
    await support.evict(handle)
    assert (await call(support, "open_ticket", {"subject": "x"}))["structuredContent"]["number"] == 1


async def test_an_agent_may_bring_a_server_of_its_own(runtime):
    class Own(Agent):
        def mcp_server(self):
            server = McpServer("own")

            @server.tool
            def name() -> str:
                """Tell the agent's name."""
                return self.name

            return server

        @tool
        def twice(self, number: int) -> int:
            """Double it."""
            return 2 * number

    runtime.bind(Own)
    runtime.serve(create_mcp_handler({"agent": Own}))
    assert text_of(await call(runtime, "name")) == "default"
    assert text_of(await call(runtime, "twice", {"number": 4})) == "8"


def test_a_hook_is_no_tool():
    with pytest.raises(DefinitionError, match="cannot be the tool"):

        class _Wrong(Agent):
            @tool
            async def on_start(self, props=None): ...
