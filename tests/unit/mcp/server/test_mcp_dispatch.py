"""Requests of both eras, answered from a registry."""

import asyncio
import time
from typing import Any

import pytest

from agents_runtime import McpContext, McpError, McpServer, RpcError, register_mcp_tools, tool
from agents_runtime.errors import DefinitionError, UsageError
from agents_runtime.mcp.protocol.messages import Request
from agents_runtime.mcp.protocol.results import CacheHint
from agents_runtime.mcp.server.caller import NO_WAY_BACK, Caller
from agents_runtime.mcp.server.dispatch import negotiate, serve
from agents_runtime.mcp.server.offers import Message
from agents_runtime.mcp.tools.content import Image

MODERN = Caller()
LEGACY = Caller("2025-11-25", session_id="s")
INFO = {"io.modelcontextprotocol/serverInfo": {"name": "desk", "version": "0.1.0"}}


class Recorder:
    """The way back, kept."""

    def __init__(self, **answers):
        self.told = []
        self.asked = []
        self.answers = answers

    def notify(self, method, params):
        self.told.append((method, params))

    async def request(self, method, params):
        self.asked.append((method, params))
        return self.answers[method]


def make_server(**options) -> McpServer:
    server = McpServer("desk", **options)

    @server.tool
    def add(a: int, b: int = 1) -> int:
        """Add."""
        return a + b

    @server.tool
    async def fail(kind: str) -> str:
        """Fail."""
        raise {
            "value": ValueError("the value is wrong"),
            "silent": ValueError(),
            "rpc": RpcError("said on purpose"),
            "protocol": McpError(-32602, "not like this", {"why": "x"}),
        }[kind]

    @server.tool
    def shape() -> list:
        """Return a list."""
        return [1, 2]

    @server.tool
    async def talk(context: McpContext) -> str:
        """Tell something."""
        context.progress(1, 2, "half")
        context.log("info", "hello", "me")
        context.log("error", {"bad": True})
        return "told"

    @server.resource("notes://all", mime_type="text/markdown", cache=CacheHint(60_000, "private"))
    def notes() -> str:
        """All notes."""
        return "# Notes"

    @server.resource("notes://{id}/{+path}")
    async def note(id: str, path: str):  # noqa: A002 - what people write
        """One note."""
        return {"id": id, "path": path}

    @server.prompt()
    def greet(name: str, tone: str = "kind") -> list:
        """Greet.

        Args:
            name: whom
        """
        return [f"Greet {name} in a {tone} tone", Message("Hello!", "assistant"), Image(b"x")]

    @server.completion("greet", "tone")
    def tones(typed: str, others: dict) -> list[str]:
        return [f"{tone} to {others.get('name')}" for tone in ("kind", "stern") if tone.startswith(typed)]

    return server


SERVER = make_server()


async def ask(method, params=None, caller=MODERN, server=SERVER, outbound: Any = NO_WAY_BACK):
    answer = await serve(server, Request(1, method, params or {}), caller, outbound)
    assert answer["jsonrpc"] == "2.0"
    assert answer["id"] == 1
    return answer["error"] if "error" in answer else answer["result"]


async def call(name, arguments=None, **options):
    return await ask("tools/call", {"name": name, "arguments": arguments or {}}, **options)


async def test_a_call_in_each_era():
    assert await call("add", {"a": 2}) == {
        "resultType": "complete",
        "content": [{"type": "text", "text": "3"}],
        "structuredContent": 3,
        "_meta": INFO,
    }
    assert await call("add", {"a": 2}, caller=LEGACY) == {"content": [{"type": "text", "text": "3"}]}
    assert "structuredContent" not in await call("shape", caller=LEGACY)
    assert (await call("shape"))["structuredContent"] == [1, 2]


async def test_what_goes_wrong_in_a_tool_is_for_the_model():
    wrong = await call("add", {"a": "x"})
    assert wrong["isError"] is True
    assert wrong["content"][0]["text"] == "Invalid arguments for tool add: argument 'a' must be int, not str"
    assert (await call("fail", {"kind": "value"}))["content"][0]["text"] == "the value is wrong"
    assert (await call("fail", {"kind": "silent"}))["content"][0]["text"] == "ValueError"


async def test_texts_of_exceptions_can_be_kept_back():
    server = make_server(redact_errors=True)
    assert (await call("fail", {"kind": "value"}, server=server))["content"][0]["text"] == "The tool failed"
    assert (await call("fail", {"kind": "rpc"}, server=server))["content"][0]["text"] == "said on purpose"


async def test_a_protocol_error_is_one():
    assert await call("fail", {"kind": "protocol"}) == {
        "code": -32602,
        "message": "not like this",
        "data": {"why": "x"},
    }


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nothing/here", {}, -32601),
        ("initialize", {}, -32601),
        ("ping", {}, -32601),
        ("resources/subscribe", {"uri": "notes://all"}, -32601),
        ("subscriptions/listen", {}, -32601),
        ("tools/call", {}, -32602),
        ("tools/call", {"name": "nothing"}, -32602),
        ("tools/call", {"name": ["add"]}, -32602),
        ("tools/call", {"name": "add", "arguments": []}, -32602),
        ("tools/list", {"cursor": "bm90aGluZw=="}, -32602),
        ("tools/list", {"cursor": "***"}, -32602),
        ("tools/list", {"cursor": 5}, -32602),
        ("prompts/get", {"name": "nothing"}, -32602),
        ("prompts/get", {"name": "greet"}, -32602),
        ("prompts/get", {"name": "greet", "arguments": {"name": 5}}, -32602),
        ("prompts/get", {"name": "greet", "arguments": {"name": "a", "b": "c"}}, -32602),
        ("prompts/get", {"name": "greet", "arguments": []}, -32602),
        ("resources/read", {}, -32602),
        ("resources/read", {"uri": "notes://none"}, -32602),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "greet"}}, -32602),
        ("completion/complete", {"ref": {}, "argument": {"name": "a", "value": "b"}}, -32602),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": "b"}},
            -32602,
        ),
    ],
)
async def test_requests_that_cannot_be_answered(method, params, code):
    assert (await ask(method, params))["code"] == code


async def test_a_resource_that_is_not_there_has_the_code_of_its_era():
    assert (await ask("resources/read", {"uri": "x:y"}, LEGACY))["code"] == -32002
    found = await ask("resources/read", {"uri": "x:y"})
    assert (found["code"], found["data"]) == (-32602, {"uri": "x:y"})


async def test_what_only_the_legacy_era_has():
    assert await ask("ping", {}, LEGACY) == {}
    assert await ask("logging/setLevel", {"level": "info"}, LEGACY) == {}
    assert (await ask("logging/setLevel", {"level": "loud"}, LEGACY))["code"] == -32602
    assert await ask("resources/subscribe", {"uri": "x:y"}, LEGACY) == {}
    assert (await ask("server/discover", {}, LEGACY))["code"] == -32601


async def test_discovery_and_negotiation_say_the_same():
    found = await ask("server/discover")
    assert found["supportedVersions"] == ["2026-07-28"]
    assert found["capabilities"]["tools"] == {"listChanged": True}
    assert (found["ttlMs"], found["cacheScope"]) == (0, "private")
    result, caller = negotiate(SERVER, {"protocolVersion": "2025-06-18", "capabilities": {"roots": {}}})
    assert (result["protocolVersion"], caller.version, caller.capabilities) == (
        "2025-06-18",
        "2025-06-18",
        {"roots": {}},
    )
    assert result["capabilities"] == found["capabilities"]
    assert negotiate(SERVER, {"protocolVersion": "1999"}, can_push=False)[0]["capabilities"]["tools"] == {}
    assert negotiate(SERVER, {"protocolVersion": "2026-07-28"})[0]["protocolVersion"] == "2025-11-25"


@pytest.mark.parametrize("wrong", [{}, {"protocolVersion": 5}, {"protocolVersion": "x", "capabilities": []}])
def test_a_handshake_that_cannot_be_read(wrong):
    with pytest.raises(McpError):
        negotiate(SERVER, wrong)


async def test_lists_come_in_pages_and_in_order():
    server = make_server(page_size=2, cache=CacheHint(5, "public"))
    first = await ask("tools/list", server=server)
    second = await ask("tools/list", {"cursor": first["nextCursor"]}, server=server)
    assert [entry["name"] for entry in first["tools"] + second["tools"]] == ["add", "fail", "shape", "talk"]
    assert "nextCursor" not in second
    assert (first["ttlMs"], first["cacheScope"]) == (5, "public")
    server.remove_tool("fail")
    gone = await ask("tools/list", {"cursor": first["nextCursor"]}, server=server)
    assert gone["code"] == -32602


async def test_resources_and_templates():
    assert (await ask("resources/list"))["resources"] == [
        {"uri": "notes://all", "name": "notes", "description": "All notes.", "mimeType": "text/markdown"}
    ]
    templates = (await ask("resources/templates/list"))["resourceTemplates"]
    assert templates == [{"uriTemplate": "notes://{id}/{+path}", "name": "note", "description": "One note."}]
    found = await ask("resources/read", {"uri": "notes://all"})
    assert found["contents"] == [{"uri": "notes://all", "mimeType": "text/markdown", "text": "# Notes"}]
    assert (found["ttlMs"], found["cacheScope"]) == (60_000, "private")
    found = await ask("resources/read", {"uri": "notes://7%20a/x/y"})
    assert found["contents"][0]["text"] == '{"id":"7 a","path":"x/y"}'
    assert found["ttlMs"] == 0
    found = await ask("resources/read", {"uri": "notes://a%2Fb/x"})
    assert found["contents"][0]["text"] == '{"id":"a/b","path":"x"}'


@pytest.mark.parametrize(
    "uri",
    [
        "notes://../x",
        "notes://a/../../etc",
        "notes://a/%2e%2e/b",
        "notes://..%2Fb/x",
        "notes://%2Fetc/x",
        "notes://a/%2Fetc",
        "notes://C:/x",
        "notes://a%00/b",
        "notes://a%5C..%5Cb/x",
    ],
)
async def test_a_template_lets_nobody_climb(uri):
    assert (await ask("resources/read", {"uri": uri}))["message"] == "Resource not found"


async def test_prompts_and_completion():
    (listed,) = (await ask("prompts/list"))["prompts"]
    assert listed["arguments"] == [
        {"name": "name", "description": "whom", "required": True},
        {"name": "tone", "required": False},
    ]
    made = await ask("prompts/get", {"name": "greet", "arguments": {"name": "Ann"}})
    assert [message["role"] for message in made["messages"]] == ["user", "assistant", "user"]
    assert made["messages"][0]["content"]["text"] == "Greet Ann in a kind tone"
    params = {
        "ref": {"type": "ref/prompt", "name": "greet"},
        "argument": {"name": "tone", "value": "k"},
        "context": {"arguments": {"name": "Ann"}},
    }
    assert (await ask("completion/complete", params))["completion"] == {
        "values": ["kind to Ann"],
        "total": 1,
        "hasMore": False,
    }
    params["argument"] = {"name": "name", "value": ""}
    assert (await ask("completion/complete", params))["completion"]["values"] == []


@pytest.mark.parametrize("name", [["greet"], {}, 1, None])
@pytest.mark.parametrize("kind", ["ref/prompt", "ref/resource", "ref/else", []])
async def test_a_completion_of_nothing_is_the_clients_error(kind, name):
    params = {"ref": {"type": kind, "name": name, "uri": name}, "argument": {"name": "tone", "value": ""}}
    assert (await ask("completion/complete", params))["code"] == -32602


async def test_a_long_uri_costs_nothing():
    server = McpServer("files")

    @server.resource("files://{+a}/{+b}/end")
    def file(a: str, b: str) -> str:
        return a + b

    began = time.perf_counter()
    missing = await ask("resources/read", {"uri": "files://" + "/" * 1_000_000}, server=server)
    assert missing["code"] == -32602
    assert time.perf_counter() - began < 1


async def test_values_of_the_user_are_not_taken_for_results():
    server = McpServer("values")

    @server.tool
    def find() -> dict:
        return {"resultType": "flights", "flights": []}

    @server.resource("box://1", mime_type="application/json")
    def box() -> dict:
        return {"contents": ["a pen", "a key"]}

    result = await ask("tools/call", {"name": "find"}, server=server)
    assert result["structuredContent"] == {"resultType": "flights", "flights": []}
    read = await ask("resources/read", {"uri": "box://1"}, server=server)
    assert read["contents"] == [
        {"uri": "box://1", "mimeType": "application/json", "text": '{"contents":["a pen","a key"]}'}
    ]


async def test_progress_and_log_go_to_those_who_asked():
    def with_meta(**meta):
        return {"name": "talk", "_meta": meta}

    told = Recorder()
    await ask("tools/call", with_meta(progressToken="t"), outbound=told)
    assert told.told == [
        ("notifications/progress", {"progressToken": "t", "progress": 1, "total": 2, "message": "half"})
    ]
    told = Recorder()
    await ask("tools/call", with_meta(), Caller(log_level="warning"), outbound=told)
    assert told.told == [("notifications/message", {"level": "error", "data": {"bad": True}})]
    told = Recorder()
    await ask("tools/call", with_meta(progressToken=True), LEGACY, outbound=told)
    assert told.told == [
        ("notifications/message", {"level": "info", "logger": "me", "data": "hello"}),
        ("notifications/message", {"level": "error", "data": {"bad": True}}),
    ]


async def test_a_failing_resource_is_an_error_without_its_text():
    server = McpServer("x")

    @server.resource("a:b")
    def broken() -> str:
        raise ValueError("secret")

    assert await ask("resources/read", {"uri": "a:b"}, server=server) == {
        "code": -32603,
        "message": "Internal server error",
    }


async def test_a_cancelled_call_is_cancelled_and_knows_it():
    server = McpServer("x")
    seen = []

    @server.tool
    async def wait(context: McpContext) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(context)
        return ""

    task = asyncio.ensure_future(call("wait", server=server))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen[0].is_cancelled


async def test_methods_of_an_extension_come_first():
    server = make_server()

    async def get_task(request, caller, outbound):
        return {"taskId": request.params["taskId"]}

    server.methods["tasks/get"] = get_task
    server.extensions["io.modelcontextprotocol/tasks"] = {}
    assert (await ask("tasks/get", {"taskId": "1"}, server=server))["taskId"] == "1"
    discovered = await ask("server/discover", server=server)
    assert discovered["capabilities"]["extensions"] == {"io.modelcontextprotocol/tasks": {}}


async def test_methods_of_an_object_become_tools():
    class Desk:
        @tool
        def look_up(self, order_id: str) -> str:
            """Look up."""
            return f"order {order_id} of {self.owner}"

        owner = "Ann"

    server = McpServer("x")
    register_mcp_tools(server, Desk())
    assert (await call("look_up", {"order_id": "7"}, server=server))["content"][0]["text"] == "order 7 of Ann"
    with pytest.raises(DefinitionError, match="already"):
        register_mcp_tools(server, Desk())
    with pytest.raises(UsageError, match="McpServer"):
        register_mcp_tools(object(), Desk())


def test_names_are_given_once():
    server = make_server()
    with pytest.raises(DefinitionError, match="already"):
        server.resource("notes://all")(lambda: "x")
    with pytest.raises(DefinitionError, match="no URI"):
        server.resource("notes")(lambda: "x")
    with pytest.raises(DefinitionError, match="braces"):
        server.resource("notes://{a")(lambda: "x")
    with pytest.raises(DefinitionError, match="already"):
        server.prompt(name="greet")(lambda: "x")


def test_a_resource_takes_what_its_uri_has():
    server = McpServer("x")

    def good(id: str, context: McpContext, page: str = "1") -> str:  # noqa: A002 - what people write
        return f"{id} {page} {context.caller.version}"

    def other(note: str) -> str:
        return note

    def needy(id: str, page: str) -> str:  # noqa: A002 - what people write
        return id + page

    server.resource("notes://{id}{?page}")(good)
    for uri, function, said in (
        ("a://{id}", other, "no parameter 'id'"),
        ("a://{note}/{id}", other, "no parameter 'id'"),
        ("a://{id}", needy, "'page' is not there"),
        ("a://{id}{?page}", needy, "'page' must have a default"),
        ("a://all", other, "'note' is not there"),
    ):
        with pytest.raises(DefinitionError, match=said):
            server.resource(uri)(function)


async def test_a_query_is_optional():
    server = McpServer("x")

    @server.resource("notes://{id}{?page,size}")
    def note(id: str, context: McpContext, page: str = "1", size: str = "9") -> str:  # noqa: A002 - what people write
        return f"{id} {page} {size} {context.caller.version}"

    for uri, text in (("notes://7", "7 1 9"), ("notes://7?page=2&other=3", "7 2 9"), ("notes://7?size=a+b", "7 1 a b")):
        found = await ask("resources/read", {"uri": uri}, server=server)
        assert found["contents"][0]["text"] == f"{text} 2026-07-28"


async def test_a_declared_output_is_structured():
    server = McpServer("x")

    @server.tool(output_schema={"type": "string"})
    def word() -> str:
        """Say a word."""
        return "hi"

    result = await call("word", server=server)
    assert result["structuredContent"] == "hi"
    (listed,) = (await ask("tools/list", server=server))["tools"]
    assert listed["outputSchema"] == {"type": "string"}
    (listed,) = (await ask("tools/list", caller=LEGACY, server=server))["tools"]
    assert "outputSchema" not in listed


async def test_what_is_cancelled_inside_a_tool_is_an_error_of_the_tool_alone():
    server = McpServer("x")

    @server.tool
    async def wait() -> str:
        inner: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        inner.cancel()
        return await inner

    assert (await call("wait", server=server))["code"] == -32603
