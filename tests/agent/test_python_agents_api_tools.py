"""MCP tools in the shapes of the earlier Python API."""

import json
from typing import Any

import pytest
from mcp.client import Client
from mcp.server import MCPServer
from workers import WorkerEntrypoint

from agents_runtime import Agent, McpServer, call_tool, create_mcp_handler, get_tool_methods, register_mcp_tools, tool
from agents_runtime.errors import UsageError


class Orders:
    @tool(name="lookup_order", description="Look up an order", input_schema={"order_id": "string"})
    async def lookup(self, order_id):
        return {"content": [{"type": "text", "text": f"order {order_id}"}]}

    @tool
    def count(self) -> int:
        return 3

    @tool
    def greet(self, name: str) -> str:
        return f"hello {name}"


async def test_tools_are_listed_and_called_by_name():
    orders = Orders()
    assert sorted(get_tool_methods(orders)) == ["count", "greet", "lookup_order"]
    assert await call_tool(orders, "lookup_order", {"order_id": "1"}) == {
        "content": [{"type": "text", "text": "order 1"}]
    }
    assert await call_tool(orders, "count") == 3
    with pytest.raises(UsageError, match="count, greet, lookup_order"):
        await call_tool(orders, "cancel")


def test_the_short_schema_is_expanded():
    server = McpServer("orders")
    register_mcp_tools(server, Orders())
    assert server.tools["lookup_order"].tool.listing == {
        "name": "lookup_order",
        "description": "Look up an order",
        "inputSchema": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
    }


async def text_of(client: Client, name: str, arguments: dict[str, Any]) -> str:
    block = (await client.call_tool(name, arguments)).content[0]
    assert block.type == "text"
    return block.text


async def test_they_are_registered_on_a_server_of_the_official_sdk():
    official = MCPServer("orders")
    register_mcp_tools(official, Orders())
    async with Client(official) as client:
        tools = {entry.name: entry for entry in (await client.list_tools()).tools}
        assert sorted(tools) == ["count", "greet", "lookup_order"]
        assert tools["lookup_order"].description == "Look up an order"
        schema = tools["lookup_order"].input_schema
        assert (schema["properties"]["order_id"]["type"], schema["required"]) == ("string", ["order_id"])
        assert await text_of(client, "lookup_order", {"order_id": "1"}) == "order 1"
        assert await text_of(client, "count", {}) == "3"
        assert await text_of(client, "greet", {"name": "Ada"}) == "hello Ada"


async def test_a_schema_of_ones_own_is_what_the_official_sdk_tells():
    class Shelf:
        @tool(input_schema={"title": "string", "copies": "integer?"})
        async def put(self, title, copies=1):
            return {"title": title, "copies": copies}

    official = MCPServer("shelf")
    register_mcp_tools(official, Shelf())
    async with Client(official) as client:
        [entry] = (await client.list_tools()).tools
        assert {name: each["type"] for name, each in entry.input_schema["properties"].items()} == {
            "title": "string", "copies": "integer",
        }  # fmt: skip
        assert entry.input_schema["required"] == ["title"]
        result = await client.call_tool("put", {"title": "Tea", "copies": 2})
        assert result.structured_content == {"title": "Tea", "copies": 2}


class Support(Agent):
    @tool
    async def answer(self, question: str) -> str:
        return f"{self.name}: {question}?"


class Default(WorkerEntrypoint):
    handler = staticmethod(create_mcp_handler({"agent": "support"}))

    async def fetch(self, request):
        return await Default.handler(request, self.env, self.ctx)


async def test_a_handler_routes_to_an_agent(runtime):
    runtime.bind(Support)
    runtime.serve(Default)
    params = {"name": "answer", "arguments": {"question": "why"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    response = await runtime.fetch("/mcp", method="POST", headers=headers, body=json.dumps(message))
    assert json.loads(await response.text())["result"]["content"][0]["text"] == "default: why?"
