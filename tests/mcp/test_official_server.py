"""The same requests to the official SDK's server and to ours: what either says, the other says too."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import MCPError
from mcp.server.connection import Connection
from mcp.server.mcpserver import MCPServer
from mcp.server.runner import serve_one
from pydantic import ValidationError

from agents_runtime import McpServer
from agents_runtime.mcp.protocol.messages import Request
from agents_runtime.mcp.server.caller import NO_WAY_BACK
from agents_runtime.mcp.server.dispatch import serve
from agents_runtime.mcp.server.envelope import caller_of
from agents_runtime.mcp.server.official import OfficialServer, _Dispatch

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"},
}


def add(a: int, b: int = 1) -> str:
    """Add two numbers."""
    return str(a + b)


async def echo(text: str, tags: list[str] | None = None) -> str:
    """Say it again."""
    return f"{text} {tags}"


def fail(text: str) -> str:
    """Fail."""
    raise ValueError(text)


def static() -> str:
    """A text."""
    return "static"


def item(id: str) -> str:  # noqa: A002 - what people write
    """An item."""
    return f"item {id}"


def greet(name: str, tone: str = "kind") -> str:
    """Greet somebody."""
    return f"Greet {name}, {tone}"


@functools.cache
def ours() -> McpServer:
    server = McpServer("desk", "1")
    for function in (add, echo, fail):
        server.tool(function)
    server.resource("notes://all", mime_type="text/plain")(static)
    server.resource("notes://{id}/one", mime_type="text/plain")(item)
    server.prompt()(greet)
    return server


@functools.cache
def theirs() -> MCPServer:
    server = MCPServer("desk", version="1")
    for function in (add, echo, fail):
        server.add_tool(function, structured_output=False)
    server.resource("notes://all", mime_type="text/plain")(static)
    server.resource("notes://{id}/one", mime_type="text/plain")(item)
    server.prompt()(greet)
    return server


async def ask_ours(method: str, params: dict[str, Any]) -> dict[str, Any]:
    request = Request(1, method, {**params, "_meta": META})
    return await serve(ours(), request, caller_of(request), NO_WAY_BACK)


async def ask_theirs(method: str, params: dict[str, Any]) -> dict[str, Any]:
    params = {**params, "_meta": META}
    connection = Connection.from_envelope("2026-07-28", {"name": "c", "version": "1"}, {})
    dispatch: Any = _Dispatch(Request(1, method, params), NO_WAY_BACK)
    server: Any = theirs()._lowlevel_server
    try:
        result = await serve_one(server, dispatch, method, params, connection=connection, lifespan_state={})
    except MCPError as error:
        return {"error": {"code": error.code}}
    except ValidationError:
        return {"error": {"code": -32602}}
    except ValueError:  # a prompt that is unknown or lacks arguments; an internal error there
        return {"error": {"code": -32602}}
    return {"result": result}


def essence(answer: dict[str, Any]) -> Any:
    """What a client acts on: texts of errors may differ, and what is only there for caches and people."""
    if "error" in answer:
        return answer["error"]["code"]
    result = dict(answer["result"])
    if result.get("isError"):
        return "the tool failed"
    for key in ("_meta", "ttlMs", "cacheScope", "description", "isError"):
        result.pop(key, None)
    for key in ("tools", "resources", "resourceTemplates", "prompts"):
        if key in result:
            result[key] = [
                (entry["name"], entry.get("uri"), entry.get("uriTemplate"), entry["description"])
                for entry in result[key]
            ]
    return result


SCALAR = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "greet", "add"])
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "a": st.integers(-3, 3) | st.sampled_from(["x", None, [], {}]),
        "b": st.integers(-3, 3),
        "text": st.text(max_size=3) | st.sampled_from([5, None, []]),
        "tags": st.none() | st.lists(st.text(max_size=2), max_size=2) | st.sampled_from([5, [5]]),
        "name": st.text(max_size=3),
        "tone": st.text(max_size=3),
    },
)
KNOWN: dict[str, set[str]] = {"add": {"a", "b"}, "echo": {"text", "tags"}, "fail": {"text"}, "greet": {"name", "tone"}}


@st.composite
def named(draw, method, names):
    """A call of something that exists. An argument too many is an error here, and passed over there."""
    name = draw(st.sampled_from(names))
    arguments = {key: value for key, value in draw(ARGUMENTS).items() if key in KNOWN[name]}
    params: dict[str, Any] = {"name": name, "arguments": arguments}
    if draw(st.booleans()) and not arguments:
        del params["arguments"]
    return method, params


URIS = ["notes://all", "notes://7/one", "notes://7", "notes://a%20b/one", "notes://a%2Fb/one", "x:y"]
REQUESTS = st.one_of(
    named("tools/call", ["add", "echo", "fail"]),
    named("prompts/get", ["greet"]),
    st.tuples(st.just("resources/read"), st.sampled_from(URIS).map(lambda uri: {"uri": uri})),
    st.tuples(
        st.sampled_from(["tools/list", "prompts/list", "resources/list", "resources/templates/list"]), st.just({})
    ),
    st.tuples(st.sampled_from(["ping", "initialize", "x/y", "logging/setLevel", "tasks/get"]), st.just({})),
    st.tuples(
        st.sampled_from(["tools/call", "prompts/get", "resources/read", "completion/complete"]),
        st.dictionaries(st.sampled_from(["name", "uri", "arguments"]), SCALAR | st.just([]), max_size=2),
    ),
)


def differs_on_purpose(method: str, params: dict[str, Any]) -> bool:
    """Ours: an unknown tool is a protocol error, as the specification has it. Theirs: a failure of the tool.

    A null for the arguments, and completion by a server that has none, are not compared either. A template with nothing
    in place of a parameter matches there, and not here.
    """
    if method == "tools/call" and isinstance(name := params.get("name"), str) and name not in ours().tools:
        return True
    return method == "completion/complete" or params.get("arguments", {}) is None


@given(REQUESTS)
@settings(deadline=None, max_examples=300)
def test_either_server_says_the_same(request_):
    method, params = request_
    if differs_on_purpose(method, params):
        return

    async def both():
        return await ask_ours(method, params), await ask_theirs(method, params)

    mine, official = asyncio.run(both())
    assert essence(mine) == essence(official), (mine, official)


async def test_an_unknown_tool_is_a_protocol_error_here():
    answer = await ask_ours("tools/call", {"name": "nothing"})
    assert answer["error"]["code"] == -32602


def test_schemas_say_the_same_of_simple_types():
    official = {entry.name: entry.parameters for entry in theirs()._tool_manager.list_tools()}
    for name, offer in ours().tools.items():
        mine = offer.tool.signature.schema
        assert mine["properties"].keys() == official[name]["properties"].keys()
        assert mine.get("required") == official[name].get("required")
        for parameter, schema in mine["properties"].items():
            untitled = {key: value for key, value in official[name]["properties"][parameter].items() if key != "title"}
            assert schema == untitled


@pytest.mark.parametrize("server", [lambda: theirs(), lambda: theirs()._lowlevel_server], ids=["high", "low"])
async def test_an_official_server_answers_like_one_of_ours(server):
    adapted = OfficialServer(server())
    request = Request(1, "tools/call", {"name": "add", "arguments": {"a": 1}, "_meta": META})
    answer = await serve(adapted, request, caller_of(request), NO_WAY_BACK)
    assert answer["result"]["content"] == [{"type": "text", "text": "2"}]
    assert answer["result"]["resultType"] == "complete"
    request = Request(1, "nothing/here", {"_meta": META})
    assert (await serve(adapted, request, caller_of(request), NO_WAY_BACK))["error"]["code"] == -32601
    assert adapted.capabilities()["tools"] is not None
