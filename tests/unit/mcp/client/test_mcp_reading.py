"""What users write and servers send, read into plain values: options, ids, tools, forms, errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.errors import UsageError
from agents_runtime.mcp.client.adding import normalized_id, read_wanted
from agents_runtime.mcp.client.catalogue import Catalogue
from agents_runtime.mcp.client.elicitation import with_defaults
from agents_runtime.mcp.client.errors import HttpRefusal, error_text, http_status_of, may_pass
from agents_runtime.mcp.client.tools import ai_tools, first_text
from agents_runtime.mcp.protocol.messages import McpError

URL = "https://a.test/mcp"


def wanted(*given, **options):
    return read_wanted(given, options, lambda target: None)


def test_every_form_says_the_same():
    forms = [
        wanted("docs", URL, callback_host="https://me.test", transport={"type": "sse", "headers": {"a": "b"}}),
        wanted("docs", URL, "https://me.test", None, {"transport": {"type": "sse", "headers": {"a": "b"}}}),
        wanted(
            {"name": "docs", "url": URL, "callbackHost": "https://me.test", "transport": "sse", "headers": {"a": "b"}}
        ),
        wanted(" docs ", url=URL, callbackHost="https://me.test", transport="sse", headers={"a": "b"}),
    ]
    assert all(form == forms[0] for form in forms)
    assert forms[0].options == {"transport": {"type": "sse", "headers": {"a": "b"}}}
    assert wanted("docs", URL, transport="http").options == {"transport": {"type": "streamable-http"}}


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ((), {}),
        ((URL,), {}),
        (("docs", URL, 7), {}),
        (("docs", URL, None, None, "x"), {}),
        (("docs", URL, None, None, {}, {}), {}),
        (({"name": "docs"},), {}),
        (({"name": "docs", "url": URL}, "x"), {}),
        (("docs", URL), {"props": {}}),
        (("docs", URL), {"client": 7}),
        (("docs", URL), {"headers": {"a": 1}}),
        (("docs", URL), {"headers": {"a": "b\r\nc: d"}}),
        (("docs", URL), {"headers": "a: b"}),
        (("docs", URL), {"transport": {"typo": "sse"}}),
        (("docs", URL), {"transport": 7}),
        (("docs", URL), {"listen_seconds": -1}),
        (("docs", URL), {"listen_seconds": True}),
        (("docs", URL), {"retry": 7}),
        (("docs", URL), {"id": 7}),
        (("x" * 300, URL), {}),
    ],
)
def test_what_makes_no_sense_is_refused(given, options):
    with pytest.raises(UsageError):
        wanted(*given, **options)


@pytest.mark.parametrize(
    ("text", "expected"), [("Docs", "docs"), ("a b/c", "a-b-c"), ("7up", "id-7up"), ("--x--", "x"), ("_x", "id-_x")]
)
def test_ids_are_made_safe(text, expected):
    assert normalized_id(text) == expected


@given(st.text(max_size=200))
def test_a_made_id_stays_as_it_is(text):
    try:
        made = normalized_id(text)
    except UsageError:
        return
    assert len(made) <= 64
    assert normalized_id(made) in (made, made.rstrip("-"))


def tool(name, server="s-1"):
    return {"name": name, "serverId": server, "inputSchema": {"type": "object"}}


async def never(server, name, arguments):
    raise AssertionError("nothing is called here")


def test_tools_have_names_that_models_take_and_that_differ():
    keys = list(ai_tools([tool("a b"), tool("a.b"), tool("a_b"), tool("x" * 100), tool("x" * 101)], never))
    assert keys[:3] == ["tool_s1_a_b", "tool_s1_a_b_2", "tool_s1_a_b_3"]
    assert len(set(keys)) == 5
    assert all(len(key) <= 64 for key in keys)


@pytest.mark.parametrize(
    "result",
    [{}, {"content": None}, {"content": [7, {}, {"text": 3}]}, {"content": "text"}, {"content": [{"type": "image"}]}],
)
def test_a_result_without_text_has_none(result):
    assert first_text(result) is None
    assert first_text({"content": [{"type": "image"}, {"type": "text", "text": "x"}]}) == "x"


def test_defaults_fill_what_was_left_out():
    schema = {"properties": {"a": {"default": 1}, "b": {"default": False}, "c": {}, "d": "odd"}}
    assert with_defaults(schema, {"a": 2}) == {"a": 2, "b": False}
    assert with_defaults(schema, None) == {"a": 1, "b": False}
    for odd in (None, [], {"properties": []}, 7):
        assert with_defaults(odd, {"a": 2}) == {"a": 2}


def test_a_catalogue_comes_back_as_it_was():
    full = Catalogue(
        "be brief", {"tools": {}}, (tool("a"),), ({"uri": "x"},), ({"uriTemplate": "y"},), ({"name": "p"},)
    )
    assert Catalogue.from_json(full.as_json()) == full
    assert Catalogue.from_json({}) == Catalogue()


def test_error_texts_are_short_and_harmless():
    assert error_text("a\x00b\x1b[1m\tc\nd\u202e") == "ab[1m\tc\nd"
    assert error_text("x" * 600) == "x" * 500 + "..."


def test_the_status_of_an_error_decides_on_another_attempt():
    plain, inner = HttpRefusal(503, None, ""), HttpRefusal(405, McpError(-32000, "no"), "")
    outer = McpError(-32000, "no")
    outer.__cause__ = inner
    assert (http_status_of(plain), http_status_of(outer), http_status_of(ValueError())) == (503, 405, None)
    assert may_pass(plain, 2)
    assert may_pass(HttpRefusal(429, None, ""), 2)
    assert not may_pass(outer, 2)
    assert not may_pass(ValueError(), 2)
