"""McpAgent: a session of one client lives in an agent of its own, and survives what its memory does not."""

import asyncio
import json

import pytest

from agents_runtime import subscribe
from agents_runtime.mcp.server.context import McpContext
from agents_runtime.mcp.tools.declare import tool
from agents_runtime.mcp_agent import McpAgent
from tests.mcp.legacy_client import Client, Stream


class Notes(McpAgent):
    initial_state = {"notes": []}

    @tool
    async def add(self, text: str) -> str:
        """Keep a note."""
        self.set_state({"notes": [*self.state["notes"], text]})
        return f"{len(self.state['notes'])} notes"

    @tool
    async def slow(self, ctx: McpContext, steps: int) -> str:
        """Take a while."""
        for step in range(steps):
            ctx.progress(step + 1, steps)
            await self._platform.clock.sleep(10)
        return "done"

    @tool
    async def chatter(self, ctx: McpContext, times: int, rest: float) -> str:
        """Say a lot."""
        ctx.log("info", "first")
        if rest:
            await self._platform.clock.sleep(rest)
        for number in range(times):
            ctx.log("info", number)
        return "said"

    @tool
    async def who(self, ctx: McpContext) -> dict:
        """Say who asks."""
        return {"info": ctx.caller.info, "session": ctx.caller.session_id, "props": self.props, "id": self.session_id}


ENDPOINT = Notes.serve("/mcp")


async def worker(request, env, ctx):
    return await ENDPOINT.fetch(request, env, ctx)


@pytest.fixture
def client(runtime):
    runtime.bind(Notes)
    runtime.serve(worker)
    return Client(runtime)


async def test_a_session_keeps_its_state_through_evictions(client):
    opened = await client.initialize()
    assert opened["serverInfo"]["name"] == "Notes"
    assert opened["protocolVersion"] == "2025-11-25"
    assert len(client.session_id) == 64
    assert (await client.tool("add", text="milk"))["content"][0]["text"] == "1 notes"
    assert (await client.tool("add", text="eggs"))["content"][0]["text"] == "2 notes"
    who = (await client.tool("who"))["structuredContent"]
    assert who["info"] == {"name": "test", "version": "1"}
    assert who["session"] == who["id"] == client.session_id


async def test_a_quick_answer_is_one_event_and_nothing_is_stored(client, runtime):
    await client.initialize()
    response = await client.send(client.request("ping"))
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["mcp-session-id"] == client.session_id
    assert response.headers["cache-control"] == "no-cache, no-transform"
    event = await Stream(response).next()
    assert (event.id, json.loads(event.data)["result"]) == (None, {})
    handle = runtime.get(Notes, f"streamable-http:{client.session_id}")
    tables = await runtime.run_in_agent(handle, lambda agent: agent.sql("SELECT name FROM sqlite_master"))
    assert "cf_agents_mcp_streams" not in {row["name"] for row in tables}


async def test_a_long_answer_streams_with_ids_and_can_be_taken_up_after_a_lost_connection(client, runtime):
    await client.initialize()
    request = client.request("tools/call", {"name": "slow", "arguments": {"steps": 3}, "_meta": {"progressToken": "p"}})
    stream = Stream(await client.send(request))
    priming = await stream.next()
    assert (priming.data, priming.retry_ms) == ("", 1000)
    first = await stream.next()
    assert json.loads(first.data)["params"] == {"progressToken": "p", "progress": 1, "total": 3}
    await stream.close()

    await runtime.advance(seconds=10)
    resumed = await client.listen(first.id)
    assert resumed.status == 200
    second = await resumed.next()
    assert json.loads(second.data)["params"]["progress"] == 2
    assert second.id.partition(":")[0] == first.id.partition(":")[0]
    await runtime.advance(seconds=30)
    rest = await resumed.messages()
    assert [message.get("params", {}).get("progress") for message in rest] == [3, None]
    assert rest[-1]["id"] == request["id"]
    assert rest[-1]["result"]["content"][0]["text"] == "done"


async def test_an_answer_that_nobody_heard_waits_for_whoever_comes_back(client, runtime):
    await client.initialize()
    stream = await client.open("tools/call", {"name": "slow", "arguments": {"steps": 1}})
    priming = await stream.next()
    await stream.close()
    await runtime.advance(seconds=20)
    await runtime.restart()
    for _ in range(2):  # as often as it likes
        resumed = await client.listen(priming.id)
        (answer,) = await resumed.messages()
        assert answer["result"]["content"][0]["text"] == "done"
    await runtime.advance(minutes=11)
    await client.open("tools/call", {"name": "slow", "arguments": {"steps": 1}})  # cleans up
    assert (await client.listen(priming.id)).status == 400
    await runtime.advance(minutes=1)


async def test_a_request_that_was_lost_with_the_memory_is_answered_with_an_error(client, runtime):
    await client.initialize()
    stream = await client.open("tools/call", {"name": "slow", "arguments": {"steps": 5}, "_meta": {"progressToken": 1}})
    priming = await stream.next()
    runtime.expect_errors()
    await runtime.restart(crash=True)
    resumed = await client.listen(priming.id)
    messages = await resumed.messages()
    assert messages[0]["params"]["progress"] == 1
    assert messages[-1]["error"]["code"] == -32603
    assert "restarted" in messages[-1]["error"]["message"]
    assert (await client.tool("add", text="still here"))["content"][0]["text"] == "1 notes"


async def test_only_one_connection_hears_a_stream(client, runtime):
    await client.initialize()
    stream = await client.open("tools/call", {"name": "slow", "arguments": {"steps": 2}, "_meta": {"progressToken": 1}})
    priming = await stream.next()
    resumed = await client.listen(priming.id)
    assert (await resumed.message())["params"]["progress"] == 1
    assert (await stream.message())["params"]["progress"] == 1  # was on its way already
    assert await stream.message() is None
    await runtime.advance(seconds=30)
    assert len(await resumed.messages()) == 2


async def test_a_long_answer_is_kept_alive(client, runtime):
    await client.initialize()
    stream = await client.open("tools/call", {"name": "slow", "arguments": {"steps": 6}})
    await stream.next()
    await runtime.advance(seconds=61)
    assert len(await stream.messages()) == 1
    assert stream.comments == 2


async def test_old_clients_get_no_priming_event(client, runtime):
    client.version = "2025-06-18"
    await client.initialize()
    stream = await client.open("tools/call", {"name": "slow", "arguments": {"steps": 1}, "_meta": {"progressToken": 1}})
    first = await stream.next()
    assert json.loads(first.data)["method"] == "notifications/progress"
    await runtime.advance(seconds=10)
    await stream.messages()


async def test_a_client_cancels_a_request(client, runtime):
    await client.initialize()
    request = client.request("tools/call", {"name": "slow", "arguments": {"steps": 100}})
    stream = Stream(await client.send(request))
    await stream.next()
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": request["id"]}}
    assert (await client.send(note)).status == 202
    assert await stream.messages() == []
    handle = runtime.get(Notes, f"streamable-http:{client.session_id}")
    await runtime.evict(handle)  # nothing runs any more


async def test_the_object_sleeps_while_a_client_listens_and_wakes_to_tell_it(client, runtime):
    await client.initialize()
    listening = await client.listen()
    assert listening.status == 200
    assert listening.headers["mcp-session-id"] == client.session_id
    handle = runtime.get(Notes, f"streamable-http:{client.session_id}")
    await runtime.evict(handle)
    await runtime.run_in_agent(handle, lambda agent: agent._mcp_session.tell("notifications/tools/list_changed", {}))
    event = await listening.next()
    assert json.loads(event.data)["method"] == "notifications/tools/list_changed"
    assert event.id == "_GET_stream:1"
    await listening.close()
    await runtime.settle()
    await runtime.run_in_agent(handle, lambda agent: agent._mcp_session.tell("notifications/tools/list_changed", {}))
    again = await client.listen(event.id)
    assert (await again.next()).id == "_GET_stream:2"
    newer = await client.listen()
    assert await again.next() is None
    await newer.close()


async def test_a_listener_is_kept_alive_without_waking_the_object(client, runtime):
    await client.initialize()
    listening = await client.listen()
    waiting = asyncio.ensure_future(listening.next())
    await runtime.advance(seconds=26)
    await runtime.settle()
    assert listening.comments == 1
    waiting.cancel()
    await asyncio.wait([waiting])


async def test_a_session_that_never_was_leaves_nothing_behind(client, runtime):
    client.session_id = "f" * 64
    for method in ("POST", "GET", "DELETE"):
        response = await client.send(client.request("ping"), method=method)
        assert response.status == 404, method
        assert json.loads(await response.text())["error"] == {"code": -32001, "message": "Session not found"}
    await runtime.evict_all()
    assert [object_id.name for object_id in runtime.list_ids(Notes)] == [None]  # a name is stored with the first write


async def test_a_session_that_could_not_be_opened_is_deleted(client, runtime):
    ended = []
    stop = subscribe("lifecycle", lambda event: ended.append(event.type))
    stream = await client.open("initialize", {"protocolVersion": 5})
    assert (await stream.message())["error"]["code"] == -32602
    await runtime.advance(seconds=2)
    assert ended.count("destroy") == 1
    stop()


async def test_a_deleted_session_is_gone_at_once_and_its_data_a_little_later(client, runtime):
    await client.initialize()
    await client.tool("add", text="milk")
    listening = await client.listen()
    assert (await client.send(None, method="DELETE")).status == 204
    assert await listening.next() is None
    for method in ("POST", "GET", "DELETE"):
        assert (await client.send(client.request("ping"), method=method)).status == 404
    assert len(runtime.list_ids(Notes)) == 1
    await runtime.restart(crash=True)
    await runtime.advance(seconds=2)
    handle = runtime.get(Notes, f"streamable-http:{client.session_id}")
    assert await runtime.run_in_agent(handle, lambda agent: agent.state) == {"notes": []}
    assert await runtime.run_in_agent(handle, lambda agent: agent._mcp_session.opening) is None


async def test_pages_may_ask_and_other_paths_and_methods_are_refused(client, runtime):
    response = await runtime.fetch("http://localhost/mcp", method="OPTIONS")
    assert response.status == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert "mcp-session-id" in response.headers["access-control-allow-headers"]
    assert (await runtime.fetch("http://localhost/other", method="POST", body="{}")).status == 404
    assert (await runtime.fetch("http://localhost/mcp", method="PUT", body="{}")).status == 404
    assert "mcp-session-id" in (await client.send("{}", accept="text/html")).headers["access-control-expose-headers"]


async def test_a_body_that_is_too_large_is_not_read(client):
    assert (await client.send('"' + "x" * (4 << 20) + '"')).status == 413


async def test_two_answers_in_one_batch_of_an_old_client(client):
    client.version = "2025-03-26"
    await client.initialize()
    batch = [client.request("ping"), {"jsonrpc": "2.0", "method": "notifications/x"}, client.request("tools/list")]
    messages = await Stream(await client.send(batch)).messages()
    assert sorted(message["id"] for message in messages) == [batch[0]["id"], batch[2]["id"]]


async def test_props_and_settings_survive(runtime):
    runtime.bind(Notes)

    async def with_props(request, env, ctx):
        return await ENDPOINT.fetch(request, env, ctx, props={"user": "ada"})

    runtime.serve(with_props)
    client = Client(runtime)
    await client.initialize()
    assert (await client.tool("who"))["structuredContent"]["props"] == {"user": "ada"}
    runtime.serve(worker)
    await runtime.restart()
    assert (await client.tool("who"))["structuredContent"]["props"] == {"user": "ada"}


async def test_whoever_reads_too_slowly_goes_on_later(client, runtime):
    await client.initialize()
    stream = await client.open("tools/call", {"name": "chatter", "arguments": {"times": 3_000, "rest": 1}})
    await runtime.advance(seconds=2)
    seen = []
    while (event := await stream.next()) is not None:
        seen.append(event)
    assert 1_000 < len(seen) < 1_100
    assert "result" not in json.loads(seen[-1].data)
    resumed = await client.listen(seen[-1].id)
    rest = await resumed.messages()
    assert rest[-1]["result"]["content"][0]["text"] == "said"
    assert [message["params"]["data"] for message in rest[:-1]] == list(range(3_000))[-len(rest) + 1 :]


async def test_a_rush_before_the_first_event_is_cut(client, caplog):
    await client.initialize()
    stream = await client.open("tools/call", {"name": "chatter", "arguments": {"times": 3_000, "rest": 0}})
    messages = await stream.messages()
    assert len(messages) < 1_100
    assert [record.message for record in caplog.records if "dropped" in record.message] == [
        "more than 512 notifications of one MCP request came at once; some are dropped"
    ]
    assert messages[-1]["result"]["content"][0]["text"] == "said"


async def test_a_session_that_nobody_uses_ends(runtime):
    class Brief(Notes):
        session_idle_s = 3600.0

    runtime.bind(Brief)
    runtime.serve(Brief.serve("/mcp").fetch)
    client = Client(runtime)
    await client.initialize()
    for _ in range(3):
        await runtime.advance(minutes=50)
        assert (await client.call("ping"))["result"] == {}
    listening = await client.listen()
    await runtime.advance(hours=5)
    await listening.close()
    assert (await client.call("ping"))["result"] == {}
    await runtime.restart(crash=True)
    await runtime.advance(hours=2)
    assert (await client.send(client.request("ping"))).status == 404
    handle = runtime.get(Brief, f"streamable-http:{client.session_id}")
    assert await runtime.run_in_agent(handle, lambda agent: agent.state) == {"notes": []}


async def test_a_session_of_the_javascript_sdk_goes_on(client, runtime):
    client.session_id = "a" * 64
    handle = runtime.get(Notes, f"streamable-http:{client.session_id}")
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "js", "version": "1"}}

    def as_javascript_left_it(agent):
        agent.ctx.storage.kv.put(
            "initializeRequest", {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        )
        agent.ctx.storage.kv.put("props", {"user": "ada"})

    await runtime.run_in_agent(handle, as_javascript_left_it)
    who = (await client.tool("who"))["structuredContent"]
    assert (who["info"]["name"], who["props"]) == ("js", {"user": "ada"})


async def test_sessions_may_stay_in_a_jurisdiction(client, runtime):
    runtime.serve(Notes.serve("/mcp", jurisdiction="eu").fetch)
    await client.initialize()
    assert (await client.tool("add", text="milk"))["content"][0]["text"] == "1 notes"
    runtime.serve(worker)
    assert (await client.send(client.request("ping"))).status == 404
