"""Headers that mirror a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.mcp.protocol.headers import (
    check_param_headers,
    check_routing_headers,
    decode_value,
    encode_value,
    mirrored_params,
    param_headers,
    routing_headers,
)
from agents_runtime.mcp.protocol.messages import McpError
from agents_runtime.mcp.protocol.versions import HEADER_MISMATCH, MODERN_VERSION

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "limits": {"type": "object", "properties": {"most": {"type": "integer", "x-mcp-header": "Most"}}},
        "dry": {"type": "boolean", "x-mcp-header": "Dry"},
    },
}
MIRRORED = mirrored_params(SCHEMA)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_survives_as_a_header(text):
    value = encode_value(text)
    assert value.isascii()
    assert value == value.strip()
    assert value.isprintable()
    assert decode_value(value) == text


@pytest.mark.parametrize("broken", ["=?base64?***?=", "=?base64?YR==?=", "=?base64?/w==?=", "=?base64?YQ?="])
def test_broken_base64_is_no_text(broken):
    assert decode_value(broken) is None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_server_accepts_the_headers_a_client_makes(name):
    params = {"name": name}
    headers = routing_headers(MODERN_VERSION, "tools/call", params)
    check_routing_headers(headers, MODERN_VERSION, "tools/call", params)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"mcp-protocol-version": "2025-11-25"}, "MCP-Protocol-Version"),
        ({"mcp-protocol-version": None}, "MCP-Protocol-Version"),
        ({"mcp-method": "tools/list"}, "Mcp-Method"),
        ({"mcp-method": "tools/call, tools/call"}, "Mcp-Method"),
        ({"mcp-name": "other"}, "Mcp-Name"),
        ({"mcp-name": None}, "Mcp-Name"),
        ({"mcp-name": "=?base64?!?="}, "Mcp-Name"),
    ],
)
def test_a_header_that_says_something_else(change, named):
    headers = routing_headers(MODERN_VERSION, "tools/call", {"name": "add"}) | change
    given_headers = {key: value for key, value in headers.items() if value is not None}
    with pytest.raises(McpError, match=named) as raised:
        check_routing_headers(given_headers, MODERN_VERSION, "tools/call", {"name": "add"})
    assert raised.value.error_code == HEADER_MISMATCH


def test_arguments_are_mirrored():
    arguments = {"region": "Zürich", "limits": {"most": 3}, "dry": True}
    headers = param_headers(MIRRORED, arguments)
    assert {name.lower() for name in headers} == {"mcp-param-region", "mcp-param-most", "mcp-param-dry"}
    check_param_headers(MIRRORED, arguments, {name.lower(): value for name, value in headers.items()})
    assert param_headers(MIRRORED, {"region": None}) == {}


@pytest.mark.parametrize(("number", "header"), [(42, "42.0"), (42.0, "42"), (-7, "-7"), (10**30, "1" + "0" * 30)])
def test_whole_numbers_are_compared_as_numbers(number, header):
    check_param_headers(MIRRORED, {"limits": {"most": number}}, {"mcp-param-most": header})


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        ({"region": "eu"}, {}),
        ({"region": "eu"}, {"mcp-param-region": "us"}),
        ({}, {"mcp-param-region": "eu"}),
        ({"region": None}, {"mcp-param-region": "eu"}),
        ({"region": ["eu"]}, {"mcp-param-region": "eu"}),
        ({"region": "eu"}, {"mcp-param-region": "=?base64?***?="}),
        ({"limits": {"most": 42}}, {"mcp-param-most": "42.5"}),
        ({"limits": {"most": 1}}, {"mcp-param-most": "true"}),
        ({"dry": True}, {"mcp-param-dry": "1"}),
    ],
)
def test_a_parameter_header_that_says_something_else(arguments, headers):
    with pytest.raises(McpError) as raised:
        check_param_headers(MIRRORED, arguments, headers)
    assert raised.value.error_code == HEADER_MISMATCH


@pytest.mark.parametrize(
    "schema",
    [
        {"x-mcp-header": "A", "type": "object"},
        {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}},
        {"properties": {"a": {"type": ["string"], "x-mcp-header": "A"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "no spaces"}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": 5}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": ""}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}}},
        {"properties": {"a": {"items": {"type": "string", "x-mcp-header": "A"}}}},
        {"anyOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}]},
        {"$defs": {"a": {"type": "string", "x-mcp-header": "A"}}},
    ],
)
def test_annotations_that_name_no_header(schema):
    with pytest.raises(ValueError, match="x-mcp-header"):
        mirrored_params(schema)


def test_an_annotation_inside_data_is_none():
    assert mirrored_params({"properties": {"a": {"default": {"x-mcp-header": 5}}}}) == ()
    assert mirrored_params(None) == ()
