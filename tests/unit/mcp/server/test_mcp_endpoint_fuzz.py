"""Whatever is posted, the answer is one of the protocol."""

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from agents_runtime import McpContext, McpServer
from agents_runtime.local.clock import SystemClock
from agents_runtime.local.shim.request import Request
from agents_runtime.mcp.server.endpoint import Endpoint
from agents_runtime.mcp.server.http import Manner
from agents_runtime.mcp.server.requests_state import Sealer

VERSIONS = ["2026-07-28", "2025-11-25", "2025-03-26", "1999-01-01", ""]
METHODS = [
    *("tools/call", "tools/list", "prompts/get", "prompts/list", "resources/read", "resources/list", "ping"),
    *("resources/templates/list", "completion/complete", "server/discover", "initialize", "logging/setLevel"),
    *("notifications/initialized", "subscriptions/listen", "tasks/get", "x" * 300, ""),
]
KEYS = [
    *("name", "uri", "arguments", "cursor", "ref", "argument", "_meta", "inputResponses", "requestState", "level"),
    *("io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities", "progressToken"),
    *("io.modelcontextprotocol/logLevel", "notifications", "protocolVersion", "capabilities", "type", "value", "a"),
]
WORDS = ["add", "ask", "greet", "note", "notes://1", "ref/prompt", *VERSIONS, "v1.1.a.b", "info"]
NUMBERS = st.integers() | st.floats(allow_nan=False)
NAMES = st.sampled_from(KEYS) | st.text(max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": st.integers() | st.text(max_size=3) | JSON,
        "method": st.sampled_from(METHODS) | JSON,
        "params": st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5) | JSON,
    },
)
WELL_FORMED = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "id": st.integers(0, 9),
        "method": st.sampled_from(METHODS),
        "params": st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5),
    }
)
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


def build_server() -> McpServer:
    server = McpServer("x")
    server.sealer = Sealer(b"0123456789abcdef", SystemClock())

    @server.tool
    def add(a: int) -> int:
        return a

    @server.tool
    async def ask(context: McpContext) -> str:
        answer = await context.elicit("?", {"a": "string"}, key="a")
        return str(answer.content)

    @server.prompt()
    def greet(name: str) -> str:
        return name

    @server.resource("notes://{note}")
    def note(note: str) -> str:
        return note

    return server


SERVER = build_server()


async def give_server() -> McpServer:
    return SERVER


async def post(body: bytes, headers: dict[str, str]):
    given_headers = {"content-type": "application/json", "accept": "application/json, text/event-stream", **headers}
    request = Request.from_server("POST", "http://localhost/mcp", list(given_headers.items()), body)
    endpoint = Endpoint(give_server, SERVER.changes, Manner(SystemClock()))
    response = await endpoint.answer(request, None)
    if response.headers.get("content-type") == "text/event-stream":
        await response.body.getReader().cancel()
        return response.status, None
    text = await response.text()
    return response.status, json.loads(text) if text else None


def check(status, answer):
    assert status in (200, 202, 400, 404), (status, answer)
    for part in answer if isinstance(answer, list) else [answer]:
        if part is not None:
            assert part["jsonrpc"] == "2.0"
            assert ("result" in part) != ("error" in part)
            assert "error" not in part or part["error"]["code"] != -32603 or "session" in part["error"]["message"], part


@given(MESSAGE | WELL_FORMED | st.lists(MESSAGE, max_size=2) | JSON, st.sampled_from(VERSIONS))
@settings(deadline=None)
def test_any_json_is_answered(message, version):
    check(*asyncio.run(post(json.dumps(message).encode(), {"mcp-protocol-version": version})))


@given(WELL_FORMED, st.booleans())
@settings(deadline=None, max_examples=300)
def test_any_request_that_looks_right_is_answered(message, is_modern):
    params = message["params"]
    headers = {"mcp-protocol-version": "2025-11-25"}
    if is_modern:
        more = params.get("_meta")
        params["_meta"] = {**(more if isinstance(more, dict) else {}), **META}
        named = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}.get(message["method"], "")
        headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": message["method"]}
        if isinstance(params.get(named), str) and params[named].isascii():
            headers["mcp-name"] = params[named]
    check(*asyncio.run(post(json.dumps(message).encode(), headers)))


@given(st.binary(max_size=40))
@settings(deadline=None)
def test_any_bytes_are_answered(body):
    check(*asyncio.run(post(body, {})))
