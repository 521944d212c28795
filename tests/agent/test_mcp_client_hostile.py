"""Servers that hang, lie, flood, redirect or talk nonsense: a failed state with its reason, and the agent goes on."""

from __future__ import annotations

import asyncio
import json

import pytest
from workers import Response

from agents_runtime import Agent, callable, stream_response
from agents_runtime.errors import RemoteError
from tests.mcp.scripted_server import ECHO, ScriptedServer, answer, event, events

URL = "http://bad.test/mcp"
ONCE = {"max_attempts": 1}


class Victim(Agent):
    @callable
    async def add(self, **options):
        return await self.add_mcp_server("bad", URL, id="bad", retry=ONCE, **options)

    @callable
    async def use(self, arguments=None, timeout=60):
        return await self.mcp.call_tool("bad", "echo", arguments, timeout=timeout)

    @callable
    def ping(self):
        return "pong"


def victim(runtime, server):
    runtime.serve_http("bad.test", server)
    return runtime.get(Victim, "v")


def always(make):
    """A server that answers everything with what `make(message)` returns."""

    async def handler(request):
        text = await request.text()
        return make(json.loads(text) if text else {})

    return handler


def returning(result):
    return lambda params: result


async def state_of(agent):
    server = (await agent.get_mcp_servers())["servers"]["bad"]
    return server["state"], server["error"]


JSON = {"content-type": "application/json"}
NONSENSE = {
    "not JSON": (lambda message: Response("{", headers=JSON), "no JSON"),
    "a page": (lambda message: Response("<html>", headers={"content-type": "text/html"}), "text/html instead of JSON"),
    "nothing": (lambda message: Response(None, status=204), "did not answer initialize"),
    "a number": (lambda message: Response("7", headers=JSON), "no message"),
    "another id": (lambda message: answer({"id": 99}, {}), "did not answer"),
    "an id that is a list": (lambda message: answer({"id": [1]}, {}), "no message"),
    "a result that is a text": (lambda message: answer({"id": message.get("id")}, "x"), "no message"),
    "a wrong version": (
        lambda message: answer(message, {"protocolVersion": "1999-01-01", "capabilities": {}}),
        "speaks the version '1999-01-01'",
    ),
    "no version": (lambda message: answer(message, {"capabilities": {}}), "speaks the version"),
    "an error": (lambda message: answer(message, error={"code": -1, "message": "go away\x1b[31m"}), r"go away\[31m"),
    "an error that is none": (lambda message: answer(message, error=[]), "an error without a message"),
    "teapots": (lambda message: Response("short", status=418), "HTTP 418"),
    "a broken server": (lambda message: Response("oops", status=500), "HTTP 500"),
    "megabytes": (lambda message: Response("x" * 9_000_000, headers=JSON), "more than 8,388,608 bytes"),
    "deep nesting": (lambda message: Response("[" * 100_000, headers=JSON), "no JSON"),
    "a stream of nonsense": (lambda message: events("data: {\n\n"), "no JSON"),
    "a stream that ends": (lambda message: events(": hello\n\n"), "ended the stream before it answered"),
    "a huge event": (
        lambda message: events(*["data: " + "x" * 1_000_000 + "\n"] * 9),
        "more than 8,388,608 characters",
    ),
    "a bad session": (
        lambda message: answer(
            message, {"protocolVersion": "2025-11-25", "capabilities": {}}, headers={"mcp-session-id": "a b"}
        ),
        "a session id that is none",
    ),
}


@pytest.mark.parametrize("kind", NONSENSE)
async def test_nonsense_fails_with_a_reason_and_harms_nobody(runtime, kind):
    make, words = NONSENSE[kind]
    agent = victim(runtime, always(make))
    task = asyncio.ensure_future(agent.add(transport="streamable-http"))
    with pytest.raises(RemoteError, match=words):
        await task
    state, error = await state_of(agent)
    assert state == "failed"
    assert error.isprintable()
    assert await agent.ping() == "pong"


@pytest.mark.parametrize(
    "location",
    ["https://evil.example/mcp", "http://10.0.0.1/", "http://bad.test:81/mcp", "//evil.example", "ftp://bad.test/", ""],
)
@pytest.mark.parametrize("status", [302, 307])
async def test_redirects_to_other_hosts_are_not_followed(runtime, status, location):
    agent = victim(runtime, always(lambda message: Response(None, status=status, headers={"location": location})))
    with pytest.raises(RemoteError, match="redirect"):
        await agent.add(headers={"authorization": "Bearer secret"})


async def test_redirects_within_the_host_are_followed_a_few_times(runtime):
    server = ScriptedServer()

    async def moved(request):
        if request.url.endswith("/mcp"):
            return Response(None, status=307, headers={"location": "/mcp/"})
        return await server(request)

    agent = victim(runtime, moved)
    assert (await agent.add())["state"] == "ready"
    circles = victim(runtime, always(lambda message: Response(None, status=307, headers={"location": "/mcp"})))
    with pytest.raises(RemoteError, match="HTTP 307"):
        await circles.add_mcp_server("circles", URL + "/circles", retry=ONCE)


async def test_a_server_that_hangs_is_given_up_and_blocks_nobody(runtime):
    gone = asyncio.Event()

    async def hang(request):
        await gone.wait()

    agent = victim(runtime, hang)
    adding = asyncio.ensure_future(agent.add())
    await runtime.settle()
    assert await agent.ping() == "pong"
    assert (await state_of(agent))[0] == "connecting"
    await runtime.advance(seconds=45)
    with pytest.raises(RemoteError, match="within 20 s"):
        await adding
    gone.set()
    await runtime.evict(agent)
    assert (await state_of(agent))[0] == "failed", "known without asking again"


async def test_a_call_that_hangs_is_cancelled_at_the_server(runtime):
    server = ScriptedServer()
    agent = victim(runtime, server)
    await agent.add()
    gone = asyncio.Event()

    async def hang():
        await gone.wait()
        return Response(None, status=202)

    server.broken = lambda message: hang() if message.get("method") == "tools/call" else None
    calling = asyncio.ensure_future(agent.use(timeout=5))
    await runtime.settle()
    await runtime.advance(seconds=6)
    with pytest.raises(RemoteError, match=r"no answer to tools/call within 5 s"):
        await calling
    await runtime.settle()
    gone.set()
    (cancelled,) = server.requests("notifications/cancelled")
    assert cancelled["params"]["requestId"] == server.requests("tools/call")[0]["id"]


@pytest.mark.parametrize(
    ("transport", "headers", "reason"),
    [
        ("sse", {"content-type": "text/html"}, "opens no stream"),
        ("streamable-http", {"content-type": "text/event-stream", "mcp-session-id": "no id"}, "id that is none"),
    ],
)
async def test_an_endless_answer_that_is_not_read_is_closed(runtime, transport, headers, reason):
    class Endless:
        closed = 0

        def __aiter__(self):
            return self

        async def __anext__(self):
            await asyncio.sleep(0)
            return ": more\n\n"

        async def aclose(self):
            Endless.closed += 1

    async def handler(request):
        message = {} if request.method == "GET" else json.loads(await request.text())
        if message.get("method") == "server/discover":
            return Response("Bad Request", status=400)
        return stream_response(Endless(), headers=headers)

    agent = victim(runtime, handler)
    with pytest.raises(RemoteError, match=reason):
        await agent.add(transport=transport)
    assert Endless.closed


async def test_late_word_of_a_lost_session_does_not_end_the_next_one(runtime):
    server = ScriptedServer()
    agent = victim(runtime, server)
    await agent.add()
    server.known_sessions.clear()
    late, slow = asyncio.Event(), asyncio.Event()

    async def gone():
        await late.wait()
        return Response("gone", status=404)

    async def answered(message):
        await slow.wait()
        return answer(message, {"content": []})

    def broken(message):
        if message.get("method") != "tools/call":
            return None
        is_first = message["params"]["arguments"]["text"] == "first"
        if server.seen[-1][2]["mcp-session-id"] == "session-1":
            return None if is_first else gone()
        return answered(message) if is_first else None

    server.broken = broken
    first = asyncio.ensure_future(agent.use({"text": "first"}))
    second = asyncio.ensure_future(agent.use({"text": "second"}))
    await runtime.settle()
    late.set()
    await runtime.settle()
    slow.set()
    assert (await first) == {"content": []}
    assert (await second)["content"]
    assert server.methods().count("initialize") == 2


async def test_a_server_that_lists_for_ever_is_read_up_to_a_limit(runtime):
    server = ScriptedServer()
    count = 0

    def endless(message):
        nonlocal count
        if message.get("method") != "tools/list":
            return None
        count += 1
        return answer(message, {"tools": [{**ECHO, "name": f"t{count}"}], "nextCursor": str(count)})

    server.broken = endless
    agent = victim(runtime, server)
    assert (await agent.add(client={"list_max_pages": 5}))["state"] == "ready"
    assert len((await agent.get_mcp_servers())["tools"]) == 5
    assert count == 5
    server.broken = lambda message: (
        answer(message, {"tools": [ECHO], "nextCursor": "same"}) if message.get("method") == "tools/list" else None
    )
    await agent.add_mcp_server("circle", URL)
    assert [tool["name"] for tool in (await agent.get_mcp_servers())["tools"]].count("echo") == 1


LIES = [
    {"tools": "many"},
    {"tools": [None, 7, "x", {}, {"name": 1}, {"name": "a", "inputSchema": []}]},
    {},
]


@pytest.mark.parametrize("lie", LIES)
async def test_a_list_that_is_none_is_empty(runtime, lie):
    server = ScriptedServer()
    server.broken = lambda message: answer(message, lie) if message.get("method") == "tools/list" else None
    agent = victim(runtime, server)
    assert (await agent.add())["state"] == "ready"
    assert (await agent.get_mcp_servers())["tools"] == []


async def test_a_discovery_that_fails_leaves_the_server_connected(runtime):
    server = ScriptedServer()
    server.broken = lambda message: Response("no", status=500) if message.get("method") == "tools/list" else None
    agent = victim(runtime, server)
    assert (await agent.add())["state"] == "connected"
    assert (await state_of(agent)) == ("connected", "the server answered with HTTP 500: no")
    server.broken = lambda message: None
    assert await agent.use({"text": "x"})


async def test_a_modern_server_that_asks_for_ever_or_for_too_much(runtime):
    server = ScriptedServer("2026-07-28")
    agent = victim(runtime, server)
    await agent.add()
    server.tool = lambda params: {"resultType": "input_required", "requestState": "again"}
    with pytest.raises(RemoteError, match="asked for input 10 times"):
        await agent.use()
    asked = {"x": {"method": "sampling/createMessage", "params": {}}}
    server.tool = lambda params: {"resultType": "input_required", "inputRequests": asked}
    with pytest.raises(RemoteError, match="Method not found: sampling/createMessage"):
        await agent.use()
    for kind in ("task", "input_required"):
        server.tool = returning({"resultType": kind})
        with pytest.raises(RemoteError, match="ProtocolFailure"):
            await agent.use()


async def test_a_stream_that_is_cut_is_resumed_where_it_ended(runtime):
    server = ScriptedServer()
    agent = victim(runtime, server)
    await agent.add()
    call_id = None

    def cut(message):
        nonlocal call_id
        if message.get("method") == "tools/call":
            call_id = message["id"]
            return events(event(None, id="7", retry=500))
        return None

    server.broken = cut

    async def resumed(request):
        if str(request.method.value) == "GET" and request.headers.get("last-event-id"):
            server.seen.append(("GET", request.headers["last-event-id"], {}, None))
            result = {"jsonrpc": "2.0", "id": call_id, "result": {"content": []}}
            return events(event(result, id="8"))
        return await server(request)

    runtime.serve_http("bad.test", resumed)
    calling = asyncio.ensure_future(agent.use())
    await runtime.settle()
    await runtime.advance(milliseconds=499)
    assert server.seen[-1][0] == "POST"
    await runtime.advance(milliseconds=1)
    assert await calling == {"content": []}
    assert server.seen[-1][:2] == ("GET", "7")


async def test_retries_are_a_few_and_spread(runtime):
    server = ScriptedServer()
    tries = 0

    def flaky(message):
        nonlocal tries
        if message.get("method") in ("server/discover", "initialize"):
            tries += 1
            return Response("later", status=503) if tries <= 4 else None
        return None

    server.broken = flaky
    runtime.serve_http("bad.test", server)
    agent = runtime.get(Victim, "v")
    adding = asyncio.ensure_future(agent.add_mcp_server("flaky", URL))
    await runtime.settle()
    await runtime.advance(seconds=10)
    assert (await adding)["state"] == "ready"
    assert tries == 6, "three attempts, each in the newer and the older way"


async def test_a_server_that_fails_later_stays_failed_and_is_not_asked_at_every_wake(
    runtime,
):
    server = ScriptedServer()
    agent = victim(runtime, server)
    runtime.expect_errors()
    await agent.add()
    server.broken = lambda message: Response("down", status=503)
    await runtime.advance(minutes=6)
    await agent.ping()
    await runtime.settle()
    assert (await state_of(agent)) == ("failed", "the server answered with HTTP 503: down")
    asked = len(server.seen)
    for _ in range(3):
        await runtime.evict(agent)
        assert (await state_of(agent))[0] == "failed"
    assert len(server.seen) == asked
    server.broken = lambda message: None
    assert await agent.use(), "a server that is used is connected to again"
    assert (await state_of(agent)) == ("ready", None)


async def test_a_server_that_is_removed_while_it_is_slow(runtime):
    server = ScriptedServer()
    gone = asyncio.Event()

    async def slow():
        await gone.wait()
        return Response("no", status=400)

    server.broken = lambda message: slow() if message.get("method") == "server/discover" else None
    agent = victim(runtime, server)
    adding = asyncio.ensure_future(agent.add())
    await runtime.settle()
    await agent.remove_mcp_server("bad")
    gone.set()
    with pytest.raises(RemoteError, match="was removed while it was being connected to"):
        await adding
    assert server.seen[-1][0] == "DELETE", "its session was ended"
    assert (await agent.get_mcp_servers())["servers"] == {}


async def test_the_same_server_added_twice_at_once_is_one(runtime):
    server = ScriptedServer()
    agent = victim(runtime, server)
    both = await asyncio.gather(*(agent.add_mcp_server("same", URL) for _ in range(2)))
    assert both[0] == both[1]
    assert server.methods().count("initialize") == 1


async def test_a_destroyed_agent_leaves_nothing_behind(runtime):
    server = ScriptedServer()
    server.list_changed = True
    agent = victim(runtime, server)
    await agent.add()
    await runtime.settle()
    await agent.destroy()
    await runtime.settle()
    assert (await agent.get_mcp_servers())["servers"] == {}


async def test_an_old_server_that_is_silent_about_the_new_is_served_in_the_old_way(runtime):
    server = ScriptedServer()
    gone = asyncio.Event()

    async def silent():
        await gone.wait()
        return Response("late", status=500)

    server.broken = lambda message: silent() if message.get("method") == "server/discover" else None
    agent = victim(runtime, server)
    adding = asyncio.ensure_future(agent.add())
    await runtime.settle()
    await runtime.advance(seconds=10)
    assert (await adding)["state"] == "ready"
    gone.set()


async def test_lists_of_megabytes_are_not_kept(runtime):
    server = ScriptedServer()
    page = [{**ECHO, "description": "x" * 3_000_000}]

    def flood(message):
        cursor = int(message.get("params", {}).get("cursor", 0)) + 1
        tools = [{**page[0], "name": f"t{cursor}"}]
        return (
            answer(message, {"tools": tools, "nextCursor": str(cursor)})
            if message.get("method") == "tools/list"
            else None
        )

    server.broken = flood
    agent = victim(runtime, server)
    assert (await agent.add())["state"] == "connected"
    assert (await state_of(agent))[1] == "the server lists more than 8,388,608 characters"
    assert server.methods().count("tools/list") == 3
    assert (await agent.get_mcp_servers())["tools"] == []
