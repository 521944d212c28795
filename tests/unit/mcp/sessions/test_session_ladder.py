"""The checks that a request of a legacy client passes, in the order in which clients are told about them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.mcp.sessions.ladder import (
    MAX_BODY_BYTES,
    Ended,
    Listening,
    Opened,
    Posted,
    Refused,
    before_body,
    decide_delete,
    decide_get,
    decide_post,
    is_session_id,
    parse_body,
)

GOOD = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}


def post(body, **headers) -> Any:
    """What a POST with the good headers and these comes to."""
    given = {**GOOD, **{name.replace("_", "-"): value for name, value in headers.items() if value is not None}}
    refused = before_body(given)
    if refused is not None:
        return refused
    messages = parse_body(body if isinstance(body, bytes) else json.dumps(body).encode())
    return messages if isinstance(messages, Refused) else decide_post(given, messages)


def test_each_rung_refuses_and_the_first_one_wins():
    broken = {
        "accept": "application/json",
        "content_type": "text/plain",
        "content_length": str(MAX_BODY_BYTES + 1),
        "mcp_session_id": "s",
        "mcp_protocol_version": "1999-01-01",
    }
    rungs = []
    for repaired, value in (
        ("accept", GOOD["accept"]),
        ("content_type", "application/json; charset=utf-8"),
        ("content_length", "10"),
    ):
        answer = post(b"{", **broken)
        rungs.append((answer.status, answer.code))
        broken[repaired] = value
    assert rungs == [(406, -32000), (415, -32000), (413, -32000)]
    assert (post(b"{", **broken).status, post(b"{", **broken).code) == (400, -32700)
    assert post([PING, {"no": "message"}], **broken).code == -32700
    assert post(INITIALIZE, **broken).code == -32600
    assert "sessionId" in post(INITIALIZE, **broken).message
    assert "Only one" in post([INITIALIZE, PING]).message
    version = post(PING, **broken)
    assert (version.status, version.code) == (400, -32000)
    assert "2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25" in version.message
    unnamed = post(PING)
    assert (unnamed.status, unnamed.code) == (400, -32000)
    assert "Mcp-Session-Id" in unnamed.message


def test_what_passes_is_decoded():
    opened = post(INITIALIZE, mcp_protocol_version="nonsense is not looked at before there is a session")
    assert isinstance(opened, Opened)
    assert opened.message.id == 1
    posted = post([PING, {**PING, "id": "x"}], mcp_session_id="abc", mcp_protocol_version="2025-06-18")
    assert isinstance(posted, Posted)
    assert posted.session_id == "abc"
    messages: Any = posted.messages
    assert [message.id for message in messages] == [2, "x"]


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream;q=0.9, application/json", "application/*, text/*"])
def test_accept_may_be_spelt_in_any_way(accept):
    assert before_body({**GOOD, "accept": accept}) is None


@pytest.mark.parametrize("body", [b"[]", b"", b"null", b"3", b"[[]]", b"\xff", b"[" * 100_000])
def test_what_is_no_message_is_a_parse_error(body):
    answer = parse_body(body)
    assert isinstance(answer, Refused)
    assert (answer.status, answer.code) == (400, -32700)
    assert json.loads(answer.body())["id"] is None


def test_a_batch_is_bounded():
    assert isinstance(parse_body(json.dumps([PING] * 101).encode()), Refused)
    messages: Any = parse_body(json.dumps([PING] * 100).encode())
    assert len(messages) == 100


def status(decision: object) -> int:
    assert isinstance(decision, Refused)
    return decision.status


def test_a_get_listens():
    assert status(decide_get({"accept": "application/json"})) == 406
    assert status(decide_get({"accept": "text/event-stream"})) == 400
    headers = {"accept": "text/event-stream", "mcp-session-id": "abc"}
    assert status(decide_get({**headers, "mcp-protocol-version": "1999-01-01"})) == 400
    assert decide_get(headers) == Listening("abc", None)
    assert decide_get({**headers, "last-event-id": "s:1"}) == Listening("abc", "s:1")


def test_a_delete_ends():
    assert status(decide_delete({})) == 400
    assert decide_delete({"mcp-session-id": "abc"}) == Ended("abc")


def test_what_can_be_no_session_is_none():
    refused = decide_delete({"mcp-session-id": "a b"})
    assert isinstance(refused, Refused)
    assert refused.code == -32001
    assert status(decide_delete({"mcp-session-id": "a" * 129})) == 404
    assert is_session_id("f" * 64)
    assert not is_session_id("ä")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "method", "params", "x"]), inner)
    ),
    max_leaves=12,
)
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0")},
    optional={"id": JSON, "method": st.sampled_from(["initialize", "ping"]) | JSON, "params": JSON, "result": JSON},
)
TEXTS = st.none() | st.text(max_size=20)


@given(
    st.binary()
    | st.one_of(MESSAGES, st.lists(MESSAGES | JSON, max_size=4), JSON).map(lambda it: json.dumps(it).encode()),
    TEXTS,
    TEXTS,
)
def test_whatever_is_sent_is_decided(body, session_id, version):
    headers = {**GOOD, "mcp-session-id": session_id, "mcp-protocol-version": version}
    headers = {name: value for name, value in headers.items() if value is not None}
    assert before_body(headers) is None
    messages = parse_body(body)
    decided = messages if isinstance(messages, Refused) else decide_post(headers, messages)
    assert isinstance(decided, Opened | Posted | Refused)
    for answer in (decided, decide_get({**headers, "accept": "*/*"}), decide_delete(headers)):
        if isinstance(answer, Refused):
            assert answer.status in (400, 404)
            assert json.loads(answer.body())["error"]["code"] < 0
