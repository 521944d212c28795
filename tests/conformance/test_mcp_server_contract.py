"""MCP servers without sessions, and the tools of agents, answer the same way on every host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents_runtime.mcp.protocol.sse import SseDecoder

pytestmark = pytest.mark.timeout(60)
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}


async def ask(world, path: str, method: str, **params: Any) -> list[dict[str, Any]]:
    """The messages with which a request is answered, the answer last."""
    params["_meta"] = META | params.get("_meta", {})
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
    }
    if "name" in params or "uri" in params:
        headers["mcp-name"] = params.get("name") or params["uri"]
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    answer = await world.fetch(path, "POST", body, **headers)
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        return [json.loads(event.data) for event in SseDecoder().feed(answer.text.encode())]
    return [answer.json()]


async def result_of(world, path: str, name: str, **params: Any) -> Any:
    return (await ask(world, path, "tools/call", name=name, **params))[-1]["result"]


async def test_a_server_without_sessions(world):
    assert (await result_of(world, "/MCP", "add", arguments={"a": 2}))["structuredContent"] == 3
    (found,) = await ask(world, "/MCP", "resources/read", uri="notes://7")
    assert found["result"]["contents"][0]["text"] == '{"id":"7"}'
    (missing,) = await ask(world, "/MCP", "nothing/here")
    assert missing["error"]["code"] == -32601


@pytest.mark.parametrize("path", ["/MCP", "/OFFERED"])
async def test_progress_is_streamed(world, path):
    told = await ask(world, path, "tools/call", name="steps", _meta={"progressToken": "t"})
    assert [message["params"]["progress"] for message in told[:-1]] == [1, 2]
    assert told[-1]["result"]["content"][0]["text"] == "done"


async def test_the_tools_of_an_agent(world):
    (listed,) = await ask(world, "/OFFERED", "tools/list")
    assert [entry["name"] for entry in listed["result"]["tools"]] == ["confirm", "count", "steps"]
    before = (await result_of(world, "/OFFERED", "count"))["structuredContent"]
    await world.evict("OFFERED", "ünï")
    after = (await result_of(world, "/OFFERED", "count", arguments={"by": 2}))["structuredContent"]
    assert after == {"count": before["count"] + 2, "name": "ünï", "user": "Änn"}


async def test_a_question_survives_the_agents_sleep(world):
    asked = await result_of(world, "/OFFERED", "confirm")
    assert asked["resultType"] == "input_required"
    await world.evict("OFFERED", "ünï")
    answers = {"sure": {"action": "accept", "content": {"ok": True}}}
    state = asked["requestState"]
    done = await result_of(world, "/OFFERED", "confirm", inputResponses=answers, requestState=state)
    assert done["content"][0]["text"] == "True {'asked': True}"
    forged = await ask(
        world, "/OFFERED", "tools/call", name="confirm", inputResponses=answers, requestState=state + "x"
    )
    assert forged[-1]["error"]["code"] == -32602
