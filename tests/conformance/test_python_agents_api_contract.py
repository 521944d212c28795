"""The earlier Python API, every name and every call in the shape its users know, on every host.

The calls themselves are in `worker/earlier_under_test.py`, in the order of these tests.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import json

import pytest

import agents_runtime
from tests.conformance.differences import differs
from tests.conformance.test_agents_contract import joined
from tests.conformance.test_mcp_client_contract import peers
from tests.conformance.test_objects_contract import until

__all__ = ["peers"]  # a fixture of this module as well
pytestmark = pytest.mark.timeout(90)

NAMES = [
    "Agent", "AgentWorkflow", "McpAgent", "call_callable", "call_tool", "callable",
    "create_address_based_email_resolver", "create_mcp_handler", "get_agent_by_id", "get_agent_by_name",
    "get_callable_methods", "get_tool_methods", "register_mcp_tools", "route_agent_email", "route_agent_request",
    "route_agent_requests", "tool",
]  # fmt: skip


@pytest.mark.parametrize("wanted", NAMES)
def test_the_name_is_offered(wanted):
    assert wanted in agents_runtime.__all__
    assert getattr(agents_runtime, wanted).__doc__


# Agent


async def test_create_binds_an_agent_to_its_object(world, name):
    assert await world.call("CHAT", name, "try_create") == [True, True, True, 3]


@differs(
    "`Agent.create()` without a `ctx`",
    workers="An error that says what is missing.",
    local="An agent in memory, without any host: for scripts and the smallest of tests.",
    why="Storage on Workers belongs to a Durable Object. There, give `create` the `ctx` and `env` of one.",
)
async def test_create_needs_no_object_outside_of_workers(world, name):
    said = await world.call("CHAT", name, "try_create_alone")
    if world.is_real:
        assert "ctx" in said
    else:
        assert said == [{"topic": "tests"}, "alone", {"topic": "alone"}, {"topic": "none"}]


async def test_the_ctx_of_a_request_has_no_storage_for_an_agent(world):
    said = (await world.fetch("/EARLIER/create")).text
    assert said.startswith("UsageError: this ctx")
    assert "get_agent_by_name" in said


async def test_state_env_and_ctx_are_properties(world, name):
    assert await world.call("CHAT", name, "try_properties") == [{"topic": "none"}, "hello", True]


async def test_call_takes_both_spellings(world, name):
    *said, error = await world.call("CHAT", name, "try_call")
    assert said == ["one", {"topic": "one"}, {"topic": "two"}, {"topic": "three"}]
    assert "nothing" in error


async def test_schedule_takes_a_payload_and_a_time(world, name):
    listed, gone, gone_too = await world.call("CHAT", name, "try_schedule")
    assert listed == [[{"type": "by name"}, "on_task"], [{"type": "later"}, listed[1][1]]]
    assert (gone, gone_too) == ([True, False], True)
    expected = ["email-digest"]
    assert await until(lambda: world.call("CHAT", name, "tasks_done"), expected) == expected


async def test_schedule_every_takes_a_payload_and_a_duration(world, name):
    listed, gone, left = await world.call("CHAT", name, "try_schedule_every")
    assert listed == [[{"type": "refresh-cache"}, 300]] * len(listed)
    assert gone[0] is True
    assert left == 0


async def test_queue_takes_a_payload_that_waits_to_be_pulled(world, name):
    first, second, third = ({"job": "index", "doc_id": f"doc_{number}"} for number in (42, 43, 44))
    said = await world.call("CHAT", name, "try_queue")
    assert said == [None, [first, second, third], second, True, False, first, [second], []]
    assert await until(lambda: world.call("CHAT", name, "tasks_done"), ["queued"]) == ["queued"]


async def test_broadcast_takes_mappings_texts_and_bytes(world, name):
    client = await joined(world, name, agent="chat")
    await world.call("CHAT", name, "try_broadcast")
    assert [await client.next() for _ in range(3)] == [
        {"type": "notification", "text": "hi"}, "as it is", b"\x01\x02",
    ]  # fmt: skip


@pytest.mark.parametrize(("call", "who"), [("try_run_workflow", "ada"), ("try_run_workflow_by_binding", "grace")])
async def test_run_workflow_takes_a_name_and_an_input(world, name, call, who):
    assert isinstance(await world.call("CHAT", name, call), str)
    expected = [{"topic": f"hello {who}"}, "hello", True]
    assert await until(lambda: world.call("CHAT", name, "try_properties"), expected) == expected


@pytest.mark.parametrize(
    ("decide", "result"), [("try_approve", {"by": "ada"}), ("try_reject", "rejected: too dear")], ids=["yes", "no"]
)
async def test_wait_for_approval_returns_or_raises_and_remembers(world, name, decide, result):
    client = await joined(world, name, agent="chat")
    waiting = asyncio.ensure_future(world.call("CHAT", name, "try_wait_for_approval"))
    assert "approval_1" in json.dumps(await client.next())
    assert await until(lambda: world.call("CHAT", name, "waiting"), ["approval_1"]) == ["approval_1"]
    await world.call("CHAT", name, decide)
    assert await waiting == result
    await world.restart()
    assert await world.call("CHAT", name, "try_wait_for_approval") == result


async def test_mcp_servers_are_added_and_removed_by_name(world, name, peers):
    url = peers("http")
    assert await world.call("CHAT", name, "try_mcp", url) == ["ready", [["docs", True, "ready"]], []]


# Callable methods and tools, on any object


async def test_callables_of_any_object(world, name):
    *said, error = await world.call("CHAT", name, "try_callables")
    assert said == [["double", "sum"], 8, 8, 6]
    assert "double" in error
    assert "sum" in error


def text(said):
    return [{"type": "text", "text": said}]


async def test_tools_of_any_object(world, name):
    *said, error = await world.call("CHAT", name, "try_tools")
    assert said == [
        ["greet", "look_up", "raw"], "Hello, Ada", "Hello, Ada", {"content": text("as it is")},
        {"order_id": "42", "status": "sent"},
    ]  # fmt: skip
    assert "greet" in error


async def ask(world, path, method, **params):
    """What an MCP endpoint answers, in the older era and without a session."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    accept = "application/json, text/event-stream"
    answer = await world.fetch(path, "POST", body, **{"content-type": "application/json", "accept": accept})
    assert answer.status == 200, answer.text
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    return json.loads(lines[-1] if lines else answer.text)["result"]


@pytest.mark.parametrize("target", ["server", "factory"])
async def test_tools_of_any_object_are_served(world, target):
    listed = (await ask(world, f"/EARLIER/{target}", "tools/list"))["tools"]
    tools = {tool["name"]: tool for tool in listed}
    assert sorted(tools) == ["greet", "look_up", "raw"]
    assert tools["look_up"]["description"] == "Look an order up"
    schema = tools["look_up"]["inputSchema"]
    assert schema["type"] == "object"
    assert schema["properties"] == {"order_id": {"type": "string"}}
    assert schema["required"] == ["order_id"]


@pytest.mark.parametrize(
    ("tool", "arguments", "content", "structured"),
    [
        ("greet", {"name": "Ada"}, text("Hello, Ada"), None),
        ("raw", {}, text("as it is"), None),
        ("look_up", {"order_id": "42"}, None, {"order_id": "42", "status": "sent"}),
    ],
    ids=["a text", "content", "a value"],
)
async def test_results_of_tools_become_content(world, tool, arguments, content, structured):
    result = await ask(world, "/EARLIER/server", "tools/call", name=tool, arguments=arguments)
    if structured is None:
        assert result["content"] == content
    else:
        assert result["structuredContent"] == structured
        assert json.loads(result["content"][0]["text"]) == structured


async def test_the_tools_of_an_agent_are_served(world):
    [tool] = (await ask(world, "/EARLIER/agent", "tools/list"))["tools"]
    assert tool["name"] == "lookup_order"
    result = await ask(world, "/EARLIER/agent", "tools/call", name="lookup_order", arguments={"order_id": "42"})
    assert result["structuredContent"] == {"order_id": "42", "by": "default"}


async def test_mcp_agents_are_created(world, name):
    assert await world.call("DOCS", f"streamable-http:{name}", "try_create") == [True, True, "found tea"]


# Routing and look-up


@pytest.mark.parametrize("call", ["explicit", "alias"])
async def test_an_explicit_target_needs_no_matching_url(world, name, call):
    assert (await world.fetch(f"/EARLIER/{call}/{name}")).text == f"{name} at /{call}/{name}"


async def test_urls_are_routed_with_keyword_options(world, name):
    answer = await world.fetch(f"/EARLIER/agents/chat/{name}")
    assert answer.text == f"{name} at /agents/chat/{name}"
    assert {key.lower(): value for key, value in answer.headers.items()}["access-control-allow-origin"] == "*"
    assert (await world.fetch("/EARLIER/elsewhere")).status == 404


async def test_an_agent_is_found_by_name(world, name):
    said = await world.call("CHAT", name, "try_get_by_name", f"{name}-other")
    assert said == [[1, 2, 3, 4, 5], 1, "found", {"topic": "found"}]


async def test_an_agent_is_found_by_id(world, name):
    assert await world.call("CHAT", name, "try_get_by_id", f"{name}-other") == [64, {"topic": "by id"}]


async def test_a_mail_is_routed_by_a_map_of_addresses_and_answered(world):
    raw = "From: Ada <ada@example.org>\r\nSubject: Hi\r\nMessage-ID: <1@example.org>\r\n\r\n?\r\n"
    [reply] = (await world.email("ada@example.org", "support@example.com", raw))["replies"]
    answer = email.message_from_bytes(reply["raw"].encode("latin-1"), policy=email.policy.default)
    assert (answer["subject"], reply["to"]) == ("Re: your question", "ada@example.org")
    assert answer.get_content().strip() == "support heard you"


async def test_a_mail_to_another_address_reaches_nobody(world):
    raw = "From: Ada <ada@example.org>\r\nSubject: Hi\r\n\r\n?\r\n"
    assert (await world.email("ada@example.org", "sales@example.com", raw))["replies"] == []


# Workflows


async def test_workflows_are_created_and_called(world, name):
    assert await world.call("CHAT", name, "try_workflow") == [True, "tea is green", "TEA"]
