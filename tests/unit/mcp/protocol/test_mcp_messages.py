"""JSON-RPC messages, read and built."""

import pytest

from agents_runtime.mcp.protocol.messages import (
    McpError,
    Notification,
    Request,
    Response,
    build_error,
    build_notification,
    build_request,
    build_result,
    id_of,
    parse_message,
)
from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST


def test_the_three_kinds_of_message():
    assert parse_message(build_request(1, "ping")) == Request(1, "ping", {})
    assert Request("a", "x", {"_meta": {"k": 1}}).meta == {"k": 1}
    assert parse_message(build_notification("n", {"p": 1})) == Notification("n", {"p": 1})
    assert parse_message(build_result(7, {"ok": True})) == Response(7, {"ok": True})


def test_an_error_comes_back_with_its_code_message_and_data():
    answer = parse_message(build_error(3, McpError(INVALID_PARAMS, "no such tool", {"tool": "x"})))
    assert isinstance(answer, Response)
    assert answer.error is not None
    assert answer.id == 3
    assert (answer.error.error_code, str(answer.error), answer.error.data) == (
        INVALID_PARAMS,
        "no such tool",
        {"tool": "x"},
    )


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "ping",
        {},
        {"method": "ping", "id": 1},
        {"jsonrpc": "1.0", "method": "ping", "id": 1},
        {"jsonrpc": "2.0", "method": 5, "id": 1},
        {"jsonrpc": "2.0", "method": "", "id": 1},
        {"jsonrpc": "2.0", "method": "ping", "id": True},
        {"jsonrpc": "2.0", "method": "ping", "id": None},
        {"jsonrpc": "2.0", "method": "ping", "id": 1.5},
        {"jsonrpc": "2.0", "method": "ping", "id": 1, "params": []},
        {"jsonrpc": "2.0", "method": "ping", "id": 1, "params": None},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "result": "text"},
        {"jsonrpc": "2.0", "id": False, "error": {"code": 1, "message": "x"}},
    ],
)
def test_what_is_no_message(wrong):
    with pytest.raises(McpError) as raised:
        parse_message(wrong)
    assert raised.value.error_code == INVALID_REQUEST


@pytest.mark.parametrize("wrong", [None, "x", {}, {"code": "1"}, {"code": True, "message": 3}])
def test_an_error_that_is_none_becomes_one(wrong):
    error = McpError.from_json(wrong)
    assert error.error_code == INTERNAL_ERROR
    assert error.message


def test_the_id_of_something_unreadable():
    assert id_of({"id": "a", "method": 1}) == "a"
    assert id_of({"id": True}) is None
    assert id_of([1]) is None
