"""Questions in the midst of a call: pushed to a legacy client, answered round by round by a modern one."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime import McpContext, McpError, McpServer
from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.messages import Request
from agents_runtime.mcp.server.asking import Ask
from agents_runtime.mcp.server.auth import AuthInfo
from agents_runtime.mcp.server.caller import NO_WAY_BACK, Caller
from agents_runtime.mcp.server.dispatch import serve
from agents_runtime.mcp.server.requests_state import Sealer

CAPABILITIES = {"elicitation": {}, "sampling": {}, "roots": {}}
MODERN = Caller(capabilities=CAPABILITIES)
LEGACY = Caller("2025-11-25", capabilities=CAPABILITIES, session_id="s")
KEY = b"0123456789abcdef"


class Clock:
    now = 1_000_000

    def now_ms(self):
        return self.now

    async def sleep(self, seconds):
        raise AssertionError("nothing sleeps here")


class Pushed:
    """A legacy client that answers."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def notify(self, method, params):
        raise AssertionError(method)

    async def request(self, method, params):
        self.asked.append((method, params))
        return self.answers.pop(0)


@dataclass
class Name:
    name: str
    age: int = 0


def make_server(clock=None, key=KEY, runs=None):
    server = McpServer("x")
    server.sealer = Sealer(key, clock or Clock())

    @server.tool
    async def order(item: str, context: McpContext) -> str:
        if runs is not None:
            runs.append(context.remembered)
        first = await context.elicit("Who?", Name)
        context.remember({"after": first.content.get("name")})
        second = await context.elicit("Sure?", {"ok": "boolean"})
        sure = f"{second.action} {second.content.get('ok')}"
        return f"{item} for {first.content.get('name')}: {sure} {context.remembered}"

    return server


async def ask(server, params, caller=MODERN, outbound: Any = NO_WAY_BACK):
    answer = await serve(server, Request(1, "tools/call", params), caller, outbound)
    return answer.get("result") or answer["error"]


def accepted(**content):
    return {"action": "accept", "content": content}


CALL = {"name": "order", "arguments": {"item": "tea"}}


async def rounds(server, caller=MODERN):
    """The first two rounds: what the third is to bring along."""
    first = await ask(server, CALL, caller)
    second = await ask(server, {**CALL, "inputResponses": {"elicitation_1": accepted(name="Ann")}}, caller)
    return first, second


async def test_a_legacy_client_is_asked_while_the_tool_waits():
    client = Pushed(accepted(name="Ann"), {"action": "decline"})
    result = await ask(make_server(), CALL, LEGACY, client)
    assert result["content"][0]["text"] == "tea for Ann: decline None {'after': 'Ann'}"
    assert [method for method, _ in client.asked] == ["elicitation/create"] * 2
    schema = client.asked[0][1]["requestedSchema"]
    assert schema["required"] == ["name"]
    assert "mode" not in client.asked[0][1]


async def test_a_modern_client_answers_round_by_round():
    runs: list[object] = []
    server = make_server(runs=runs)
    first, second = await rounds(server)
    assert first["resultType"] == "input_required"
    assert first["inputRequests"]["elicitation_1"]["method"] == "elicitation/create"
    assert "requestState" not in first
    assert list(second["inputRequests"]) == ["elicitation_2"]
    answer = {"elicitation_2": accepted(ok=True), "unknown": 5}
    third = await ask(server, {**CALL, "inputResponses": answer, "requestState": second["requestState"]})
    assert third["content"][0]["text"] == "tea for Ann: accept True {'after': 'Ann'}"
    assert runs == [None, None, {"after": "Ann"}]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"other": accepted(name="Ann")},
        {"elicitation_1": "Ann"},
        {"elicitation_1": {"action": "shout"}},
        {"elicitation_1": {"action": "accept"}},
        {"elicitation_1": accepted()},
        {"elicitation_1": accepted(name=5)},
        {"elicitation_1": accepted(name="Ann", age=True)},
    ],
)
async def test_an_answer_that_makes_no_sense_is_asked_for_again(wrong):
    again = await ask(make_server(), {**CALL, "inputResponses": wrong})
    assert list(again["inputRequests"]) == ["elicitation_1"]


COLOURS = {"type": "string", "oneOf": [{"const": "r", "title": "Red"}, {"const": "g", "title": "Green"}]}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, [1, 2.0], [1.5, True, "1"]),
        ({"type": "string", "enum": ["r", "g"]}, ["r"], ["b", 1, ["r"]]),
        (COLOURS, ["g"], ["Green"]),
        ({"type": "array", "items": {"type": "string", "enum": ["r"]}}, [[], ["r"]], [["b"], "r"]),
        ({"type": "array", "items": {"anyOf": COLOURS["oneOf"]}}, [["r", "g"]], [["r", "b"]]),
        ({"type": ["string", "null"]}, ["x", None], []),
        ({"anyOf": [{"type": "string"}, {"const": 1}]}, ["x", 1], []),
        (True, [1], []),
    ],
)
def test_an_answer_is_one_of_those_to_choose_from(schema, good, bad):
    read = Ask.form("?", {"type": "object", "properties": {"it": schema}}).read
    assert [value for value in good + bad if read(accepted(it=value)) is not None] == good


async def test_a_legacy_answer_that_makes_no_sense_is_an_error():
    assert (await ask(make_server(), CALL, LEGACY, Pushed({"action": "shout"})))["code"] == -32600


async def test_answers_that_are_no_object():
    assert (await ask(make_server(), {**CALL, "inputResponses": []}))["code"] == -32602


async def test_several_questions_at_once():
    server = McpServer("x")

    @server.tool
    async def gather(context: McpContext) -> str:
        found = await context.ask({"a": Ask.roots(), "b": Ask.model("Hi", max_tokens=5)})
        return f"{found['a']} {found['b']['content']['text']}"

    server.sealer = Sealer(KEY, Clock())
    asked = await ask(server, {"name": "gather"})
    assert {key: request["method"] for key, request in asked["inputRequests"].items()} == {
        "a": "roots/list",
        "b": "sampling/createMessage",
    }
    answers = {
        "a": {"roots": [{"uri": "file:///x"}]},
        "b": {"role": "assistant", "content": {"type": "text", "text": "!"}},
    }
    half = await ask(server, {"name": "gather", "inputResponses": {"a": answers["a"]}})
    assert list(half["inputRequests"]) == ["b"]
    whole = await ask(server, {"name": "gather", "inputResponses": answers})
    assert whole["content"][0]["text"] == "[{'uri': 'file:///x'}] !"


@pytest.mark.parametrize(
    ("question", "capabilities", "possible"),
    [
        (Ask.form("?", {"a": "string"}), {"elicitation": {}}, True),
        (Ask.form("?", {"a": "string"}), {"elicitation": {"form": {}}}, True),
        (Ask.form("?", {"a": "string"}), {"elicitation": {"url": {}}}, False),
        (Ask.form("?", {"a": "string"}), {"elicitation": True}, False),
        (Ask.url("?", "https://x", "1"), {"elicitation": {}}, False),
        (Ask.url("?", "https://x", "1"), {"elicitation": {"url": {}}}, True),
        (Ask.model("?"), {"elicitation": {}}, False),
        (Ask.roots(), {"roots": {"listChanged": True}}, True),
    ],
)
def test_what_a_client_can_be_asked(question, capabilities, possible):
    assert question.is_possible(capabilities) is possible


async def test_a_client_that_cannot_be_asked():
    error = await ask(make_server(), CALL, Caller())
    assert (error["code"], error["data"]) == (-32021, {"requiredCapabilities": {"elicitation": {}}})
    assert (await ask(make_server(), CALL, Caller("2025-11-25", session_id="s"), Pushed()))["code"] == -32600
    without_session = await ask(make_server(), CALL, Caller("2025-11-25"))
    assert (without_session["code"], "session" in without_session["message"]) == (-32603, True)


async def test_a_state_is_bound_to_its_call_caller_and_time():
    clock = Clock()
    server = make_server(clock)
    _, second = await rounds(server)
    state, answers = second["requestState"], {"elicitation_2": accepted(ok=True)}
    good = {**CALL, "inputResponses": answers, "requestState": state, "_meta": {"other": 1}}
    assert "content" in await ask(server, good)
    assert (await ask(server, {**good, "arguments": {"item": "gold"}}))["code"] == -32602
    stranger = Caller(capabilities=CAPABILITIES, auth=AuthInfo(client_id="c", subject="mallory"))
    assert (await ask(server, good, stranger))["code"] == -32602
    assert (await ask(make_server(key=b"fedcba9876543210"), good))["code"] == -32602
    clock.now += 600_000
    assert (await ask(server, good))["code"] == -32602


async def test_a_state_where_nothing_can_be_sealed():
    server = make_server()
    server.sealer = None
    assert (await ask(server, {**CALL, "requestState": "v1.1.x.y"}))["code"] == -32602
    assert (await ask(server, {**CALL, "inputResponses": {"elicitation_1": accepted(name="A")}}))["isError"] is True


JSON = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3), st.lists, max_leaves=3)


@given(JSON, st.text(max_size=5), st.dictionaries(st.text(max_size=3), JSON, max_size=3))
def test_what_is_sealed_comes_back(state, principal, params):
    sealer = Sealer(KEY, Clock())
    sealed = sealer.seal(state, principal, "m", params)
    turned: dict[str, Any] = dict(reversed([*params.items(), ("_meta", {"x": 1})]))
    assert sealer.open(sealed, principal, "m", turned) == state


@given(st.data())
def test_no_changed_seal_is_opened(data):
    sealer = Sealer(KEY, Clock())
    sealed = sealer.seal({"a": 1}, "p", "m", {})
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:at] + data.draw(st.characters(exclude_categories=["Cs"])) + sealed[at + 1 :]
    if changed != sealed:
        with pytest.raises(McpError):
            sealer.open(changed, "p", "m", {})


@given(st.text() | st.integers() | st.none())
def test_nothing_else_is_opened(text):
    with pytest.raises(McpError):
        Sealer(KEY, Clock()).open(text, "", "m", {})


def test_keys_and_states_have_limits():
    with pytest.raises(UsageError, match="16 bytes"):
        Sealer(b"short", Clock())
    with pytest.raises(UsageError, match="store it"):
        Sealer(KEY, Clock()).seal("x" * 300_000, "", "m", {})
    with pytest.raises(UsageError, match="form"):
        Ask.form("?", str)
