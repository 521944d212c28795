"""The server in a test: plain messages over HTTP, and every session is evicted before every event."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent
VERSION = "2025-11-25"
HEADERS = {
    "accept": "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-protocol-version": VERSION,
}


@pytest.fixture
def project(runtime):
    runtime.load(PROJECT)
    return runtime


async def post(project, path, message, session=None):
    headers = {**HEADERS, **({"mcp-session-id": session} if session else {})}
    body = json.dumps({"jsonrpc": "2.0", **message})
    return await project.fetch(f"http://localhost{path}", method="POST", headers=headers, body=body)


def messages_in(text):
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: {")]


async def request(project, path, method, session=None, **params):
    """All messages of the answer, in the order they came; the last one is the response."""
    response = await post(project, path, {"id": 1, "method": method, "params": params}, session)
    text = await response.text()
    return messages_in(text) if "event-stream" in response.headers["content-type"] else [json.loads(text)]


async def call(project, path, tool, session=None, **arguments):
    return (await request(project, path, "tools/call", session, name=tool, arguments=arguments))[-1]["result"]


async def shop(project, session, recipe, people, **meta):
    """All messages of a call that takes a while."""
    params = {"name": "shop_for", "arguments": {"recipe": recipe, "people": people}, **meta}
    said = asyncio.create_task(request(project, "/session", "tools/call", session, **params))
    await project.advance(seconds=2)
    return await said


async def open_session(project):
    capabilities = {"elicitation": {}}
    params = {"protocolVersion": VERSION, "capabilities": capabilities, "clientInfo": {"name": "test", "version": "1"}}
    response = await post(project, "/session", {"id": 0, "method": "initialize", "params": params})
    await response.text()
    return response.headers["mcp-session-id"]


async def test_recipes_need_no_session(project):
    found = await call(project, "/mcp", "find_recipes", ingredient="eggs", diet="vegetarian")
    assert json.loads(found["content"][0]["text"]) == ["pancakes", "omelette"]
    scaled = await call(project, "/mcp", "scale", recipe="dal", people=4)
    assert scaled["structuredContent"] == {"lentils (g)": 480, "tomatoes": 8, "onions": 2.0}


async def test_what_is_wrong_is_told_to_the_model(project):
    result = await call(project, "/mcp", "scale", recipe="gold")
    assert result["isError"]
    assert "there are recipes of" in result["content"][0]["text"]
    result = await call(project, "/mcp", "find_recipes", diet="paleo")
    assert result["isError"]
    assert "must be one of" in result["content"][0]["text"]


async def test_resources_prompts_and_completions(project):
    [read] = await request(project, "/mcp", "resources/read", uri="recipe://dal")
    assert read["result"]["contents"][0]["text"].startswith("# dal\n- lentils (g): 120")
    [prompt] = await request(project, "/mcp", "prompts/get", name="use_up", arguments={"leftovers": "rice"})
    assert "rice" in prompt["result"]["messages"][0]["content"]["text"]
    reference = {"type": "ref/resource", "uri": "recipe://{name}"}
    [found] = await request(
        project, "/mcp", "completion/complete", ref=reference, argument={"name": "name", "value": "p"}
    )
    assert found["result"]["completion"]["values"] == ["pancakes"]


async def test_a_session_has_the_recipes_and_a_list_that_survives_a_crash(project):
    session = await open_session(project)
    [listed] = await request(project, "/session", "tools/list", session)
    names = {tool["name"] for tool in listed["result"]["tools"]}
    assert names == {"find_recipes", "scale", "shop_for", "shopping_list", "clear_list"}
    await shop(project, session, "omelette", 2)
    await project.restart(crash=True)
    await shop(project, session, "pancakes", 1)
    result = await call(project, "/session", "shopping_list", session)
    assert result["structuredContent"] == {"eggs": 7, "butter (g)": 20, "flour (g)": 100, "milk (ml)": 200}


async def test_sessions_keep_their_lists_apart(project):
    first, second = await open_session(project), await open_session(project)
    await shop(project, first, "dal", 1)
    assert (await call(project, "/session", "shopping_list", second))["structuredContent"] == {}


async def test_progress_comes_before_the_result(project):
    session = await open_session(project)
    said = await shop(project, session, "dal", 2, _meta={"progressToken": "p"})
    steps = [message["params"] for message in said if message.get("method") == "notifications/progress"]
    assert [(step["progress"], step["message"]) for step in steps] == [
        (1, "lentils (g)"),
        (2, "tomatoes"),
        (3, "onions"),
    ]


@pytest.mark.parametrize(("sure", "left"), [(True, {}), (False, {"eggs": 3, "butter (g)": 10})])
async def test_the_list_is_cleared_after_asking(project, sure, left):
    session = await open_session(project)
    await shop(project, session, "omelette", 1)
    message = {"id": 1, "method": "tools/call", "params": {"name": "clear_list", "arguments": {}}}
    response = await post(project, "/session", message, session)
    text, has_answered = "", False
    async for chunk in response.body:
        text += bytes(chunk).decode()
        questions = [one for one in messages_in(text) if one.get("method") == "elicitation/create"]
        if questions and not has_answered:
            has_answered = True
            answer = {"action": "accept", "content": {"sure": sure}}
            await post(project, "/session", {"id": questions[0]["id"], "result": answer}, session)
    assert (await call(project, "/session", "shopping_list", session))["structuredContent"] == left
