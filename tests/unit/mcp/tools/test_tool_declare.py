"""Marking methods as tools, finding and calling them."""

import subprocess
import sys

import pytest

from agents_runtime import McpContext, call_tool, get_tool_methods, tool
from agents_runtime.errors import DefinitionError, UsageError
from agents_runtime.mcp.tools.declare import tools_of


class Base:
    @tool
    def add(self, a: int, b: int = 1) -> int:
        """Add."""
        return a + b

    @tool
    def hidden(self) -> str:
        return "base"


class Desk(Base):
    @tool(name="look-up", description="Find it", input_schema={"order_id": "string"})
    async def look_up(self, order_id):
        return {"content": [{"type": "text", "text": order_id}]}

    @tool
    def report(self, context: McpContext) -> str:
        context.progress(1)
        return context.caller.version

    def hidden(self) -> str:
        return "not offered again"


def test_the_tools_of_an_object():
    desk = Desk()
    methods = get_tool_methods(desk)
    assert sorted(methods) == ["add", "look-up", "report"]
    assert methods["add"](1, 2) == 3
    assert get_tool_methods(object()) == {}


async def test_calling_a_tool_by_name():
    desk = Desk()
    assert await call_tool(desk, "add", {"a": 2}) == 3
    assert await call_tool(desk, "look-up", {"order_id": "7"}) == {"content": [{"type": "text", "text": "7"}]}
    assert await call_tool(desk, "report") == "2026-07-28"


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("sub", {}, "its tools are: add, look-up, report"),
        ("add", {}, "'a' is missing"),
        ("add", {"a": 1, "c": 1}, "no argument 'c'"),
    ],
)
async def test_a_call_that_cannot_be(name, arguments, said):
    with pytest.raises(UsageError, match=said):
        await call_tool(Desk(), name, arguments)


def test_what_is_listed():
    _, made = tools_of(Desk)["look-up"]
    assert made.listing == {
        "name": "look-up",
        "description": "Find it",
        "inputSchema": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
    }
    _, made = tools_of(Desk)["add"]
    assert made.listing["description"] == "Add."


def test_wrong_declarations():
    with pytest.raises(DefinitionError, match="no name for a tool"):
        tool(name="two words")(Desk.add)
    with pytest.raises(DefinitionError, match="private"):

        class _A:
            @tool
            def _secret(self): ...

    with pytest.raises(DefinitionError, match="below any other decorator"):

        class _B:
            @tool
            @staticmethod
            def work(): ...

    class Twice:
        @tool(name="same")
        def one(self): ...

        @tool(name="same")
        def two(self): ...

    with pytest.raises(DefinitionError, match="another name="):
        get_tool_methods(Twice())


def test_a_wrong_header_annotation_fails_when_it_is_listed():
    class Wrong:
        @tool(input_schema={"type": "object", "properties": {"a": {"type": "number", "x-mcp-header": "A"}}})
        def work(self, a): ...

    with pytest.raises(DefinitionError, match="x-mcp-header"):
        _ = tools_of(Wrong)["work"][1].listing


def test_tools_of_plain_types_load_no_pydantic():
    code = """
import sys
from agents_runtime import McpServer, create_mcp_handler, tool
server = McpServer("x")
@server.tool
def add(a: int, b: list[str] | None = None) -> dict:
    return {}
server.tools["add"].tool.listing
assert "pydantic" not in sys.modules and "mcp" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
