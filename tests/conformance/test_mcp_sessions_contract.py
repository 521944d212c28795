"""MCP sessions that last, and the requests without any at the same path, are the same on every host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents_runtime.mcp.protocol.headers import routing_headers
from agents_runtime.mcp.protocol.sse import SseDecoder

pytestmark = pytest.mark.timeout(60)
MODERN = "2026-07-28"
BOTH = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
CAN = {"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": CAN,
}


class Heard:
    """The messages of a stream as they come."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._decoder = SseDecoder()
        self._events: list[Any] = []

    async def event(self) -> Any:
        async with asyncio.timeout(10):
            while not self._events:
                self._events += self._decoder.feed(bytes(await anext(self._body)))
        return self._events.pop(0)

    async def message(self) -> Any:
        while not (event := await self.event()).data:
            pass
        return json.loads(event.data)


class Session:
    """A client of 2025-11-25."""

    def __init__(self, world: Any, **headers: str) -> None:
        self.world = world
        self.headers = {**BOTH, **headers}

    async def open(self) -> None:
        opening = {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}}
        answer = await self.send("initialize", opening)
        self.headers |= {"mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}

    @property
    def object_name(self) -> str:
        return "streamable-http:" + self.headers["mcp-session-id"]

    async def send(self, method: str, params: Any = None, http: str = "POST", **headers: str) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}})
        return await self.world.fetch("/KEPT", http, body if http == "POST" else None, **self.headers, **headers)

    async def call(self, name: str, **params: Any) -> list[Any]:
        answer = await self.send("tools/call", {"name": name, **params})
        return [json.loads(event.data) for event in SseDecoder().feed(answer.text.encode()) if event.data]

    @asynccontextmanager
    async def calling(self, name: str) -> AsyncIterator[Heard]:
        params = {"name": name, "arguments": {}}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        async with self.world.stream("/KEPT", "POST", body, **self.headers) as stream:
            yield Heard(stream)

    @asynccontextmanager
    async def listening(self, **headers: str) -> AsyncIterator[Heard]:
        given = {**self.headers, "accept": "text/event-stream", **headers}
        async with self.world.stream("/KEPT", **given) as body:
            yield Heard(body)


def modern(method: str, params: dict[str, Any]) -> tuple[str, dict[str, str]]:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    return json.dumps(body), {**BOTH, **routing_headers(MODERN, method, params)}


async def ask(world: Any, method: str, **params: Any) -> Any:
    """The answer to a request without a session."""
    body, headers = modern(method, params)
    answer = await world.fetch("/KEPT", "POST", body, **headers)
    if answer.headers["content-type"].startswith("text/event-stream"):
        return json.loads(SseDecoder().feed(answer.text.encode())[-1].data)
    return answer.json()


async def test_a_session_outlives_the_memory_of_its_agent(world):
    session = Session(world, **{"x-user": "ada"})
    await session.open()
    for number in (1, 2):
        (answer,) = await session.call("count")
        told = json.loads(answer["result"]["content"][0]["text"])
        assert told == {"count": number, "user": "ada", "props": {"name": "ada"}}
        await world.evict("KEPT", session.object_name)
    assert (await session.send("ping", http="DELETE")).status == 204
    assert (await session.send("ping")).status == 404


async def test_a_session_is_there_for_nobody_else(world):
    session = Session(world, **{"x-user": "ada"})
    await session.open()
    session.headers["x-user"] = "bob"
    assert [(await session.send("ping", http=http)).status for http in ("POST", "DELETE")] == [404, 404]
    session.headers["mcp-session-id"] = "0" * 64
    assert (await session.send("ping")).status == 404


async def test_a_stream_is_taken_up_where_it_was_left(world):
    session = Session(world)
    await session.open()
    answer = await session.send("tools/call", {"name": "steps", "_meta": {"progressToken": 1}})
    _, *rest = SseDecoder().feed(answer.text.encode())
    assert [json.loads(event.data).get("method") for event in rest] == ["notifications/progress"] * 2 + [None]
    await world.evict("KEPT", session.object_name)
    async with session.listening(**{"last-event-id": rest[0].id or ""}) as heard:
        assert [(await heard.event()).data for _ in rest[1:]] == [event.data for event in rest[1:]]


async def test_a_listener_hears_of_changes_also_after_the_agent_slept(world):
    session = Session(world)
    await session.open()
    async with session.listening() as heard:
        await session.call("announce")
        assert (await heard.message())["method"] == "notifications/tools/list_changed"
        await world.evict("KEPT", session.object_name)
        await session.call("announce")
        assert (await heard.message())["method"] == "notifications/tools/list_changed"


async def test_a_question_in_the_midst_of_a_call(world):
    session = Session(world)
    await session.open()
    async with session.calling("confirm") as heard:
        question = await heard.message()
        assert question["method"] == "elicitation/create"
        reply = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"ok": True}}}
        assert (await world.fetch("/KEPT", "POST", json.dumps(reply), **session.headers)).status == 202
        assert (await heard.message())["result"]["content"][0]["text"] == "accept True"


async def test_a_client_of_2024_is_served_at_the_same_path(world):
    async with world.stream("/KEPT", accept="text/event-stream") as body:
        heard = Heard(body)
        endpoint, answer = (await heard.event()).data, None
        for number, (method, params) in enumerate(
            [("initialize", {"protocolVersion": "2024-11-05", "capabilities": {}}), ("tools/call", {"name": "count"})]
        ):
            message = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            assert (await world.fetch(endpoint, "POST", message, **BOTH)).status == 202
            answer = await heard.message()
            assert answer["id"] == number
        assert answer is not None
        assert "1" in answer["result"]["content"][0]["text"]


async def test_requests_without_a_session(world):
    for _ in range(2):
        answer = await ask(world, "tools/call", name="count")
        assert json.loads(answer["result"]["content"][0]["text"])["count"] == 1
    asked = (await ask(world, "tools/call", name="confirm"))["result"]
    assert asked["inputRequests"]["sure"]["method"] == "elicitation/create"
    answers = {"sure": {"action": "accept", "content": {"ok": True}}}
    done = await ask(world, "tools/call", name="confirm", inputResponses=answers)
    assert done["result"]["content"][0]["text"] == "accept True"


async def test_whoever_listens_hears_what_another_request_changes(world):
    wanted = {"notifications": {"toolsListChanged": True, "resourceSubscriptions": ["notes://1"]}}
    body, headers = modern("subscriptions/listen", wanted)
    async with world.stream("/KEPT", "POST", body, **headers) as stream:
        heard = Heard(stream)
        assert (await heard.message())["method"] == "notifications/subscriptions/acknowledged"
        await ask(world, "tools/call", name="announce")
        told = [await heard.message(), await heard.message()]
        assert {one["method"] for one in told} == {
            "notifications/tools/list_changed",
            "notifications/resources/updated",
        }


async def test_nobody_can_pretend_to_be_the_endpoint(world):
    opening = {"protocolVersion": "2025-11-25", "capabilities": {}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening})
    forged = {"x-cf-agents-mcp": json.dumps({"kind": "open", "auth": {"subject": "root"}})}
    assert (await world.fetch("/KEPT/raw", "POST", body, **BOTH, **forged)).status == 403


async def test_another_agent_uses_it_without_http(world, name):
    text, _ = await world.call("NEIGHBOUR", name, "use", "count", {})
    assert json.loads(text)["props"] == {"name": "neighbour"}
    assert await world.call("NEIGHBOUR", name, "use", "steps", {}) == ["done", [1, 2]]
    assert await world.call("NEIGHBOUR", name, "use", "confirm", {}) == ["accept True", []]
    await world.evict("NEIGHBOUR", name)
    await world.evict("KEPT", "rpc:kept")
    assert await world.call("NEIGHBOUR", name, "use", "steps", {}) == ["done", [1, 2]]


async def test_a_call_becomes_a_task(world):
    task = (await ask(world, "tools/call", name="job"))["result"]
    assert task["resultType"] == "task"
    found: Any = {}
    async with asyncio.timeout(20):
        while found.get("status") != "input_required":
            found = (await ask(world, "tasks/get", taskId=task["taskId"]))["result"]
    (key,) = found["inputRequests"]
    answers = {key: {"action": "accept", "content": {"ok": True}}}
    await world.evict("KEPT", "modern:" + task["taskId"])
    await ask(world, "tasks/update", taskId=task["taskId"], inputResponses=answers)
    async with asyncio.timeout(20):
        while found["status"] != "completed":
            found = (await ask(world, "tasks/get", taskId=task["taskId"]))["result"]
    assert found["result"]["content"][0]["text"] == "did it: True"
