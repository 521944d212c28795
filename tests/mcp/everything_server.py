"""One of everything that an MCP server may offer, under the names that the conformance suites look for.

A worker like any other: without sessions at /mcp, and the tools of an agent at /helpdesk.
"""

import asyncio
import base64

from everything_prompts import add_prompts
from everything_questions import add_questions
from workers import Response, WorkerEntrypoint

from agents_runtime import Agent
from agents_runtime.mcp.protocol.results import CacheHint
from agents_runtime.mcp.server.context import McpContext
from agents_runtime.mcp.server.handler import create_mcp_handler
from agents_runtime.mcp.server.server import McpServer
from agents_runtime.mcp.tools.content import Audio, Image, Resource
from agents_runtime.mcp.tools.declare import tool

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
WAV = base64.b64decode("UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=")
STEP_S = 0.05

SCHEMA_2020_12 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
HEADER_SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region", "description": "Where to look"},
        "limit": {"type": "integer", "x-mcp-header": "Limit"},
    },
    "required": ["region"],
}


def build_server() -> McpServer:
    """The server, made anew."""
    server = McpServer(
        "everything-server",
        "1.0.0",
        instructions="Tests everything.",
        cache=CacheHint(5_000, "public"),
        page_size=1_000,
    )
    add_contents(server)
    add_workings(server)
    add_resources(server)
    add_questions(server)
    add_prompts(server, PNG)
    return server


def add_contents(server: McpServer) -> None:
    @server.tool
    def test_simple_text() -> str:
        """Return a text."""
        return "This is a simple text response for testing."

    @server.tool
    def test_image_content() -> Image:
        """Return a picture."""
        return Image(PNG)

    @server.tool
    def test_audio_content() -> Audio:
        """Return some sound."""
        return Audio(WAV)

    @server.tool
    def test_embedded_resource() -> Resource:
        """Return a resource."""
        return Resource("test://embedded-resource", "This is an embedded resource content.", "text/plain")

    @server.tool
    def test_multiple_content_types() -> list:
        """Return a text, a picture and a resource."""
        resource = Resource("test://mixed-content-resource", '{"test":"data","value":123}', "application/json")
        return ["Multiple content types test:", Image(PNG), resource]

    @server.tool(input_schema=SCHEMA_2020_12, description="Tool with JSON Schema 2020-12 features")
    def json_schema_2020_12_tool(**arguments) -> str:
        return f"Called with {sorted(arguments)}"

    @server.tool(input_schema=HEADER_SCHEMA)
    def test_x_mcp_header(region: str, limit: int = 10) -> str:
        """Take arguments that are repeated in headers."""
        return f"region {region}, limit {limit}"

    @server.tool
    def test_error_handling() -> str:
        """Fail."""
        raise ValueError("This tool intentionally returns an error for testing")


def add_workings(server: McpServer) -> None:
    async def log_steps(context: McpContext) -> str:
        context.log("info", "Tool execution started")
        await asyncio.sleep(STEP_S)
        context.log("info", "Tool processing data")
        await asyncio.sleep(STEP_S)
        context.log("info", "Tool execution completed")
        return "Logged three times."

    @server.tool
    async def test_tool_with_logging(context: McpContext) -> str:
        """Send three log messages."""
        return await log_steps(context)

    @server.tool
    async def test_logging_tool(context: McpContext) -> str:
        """Send three log messages, if they are wanted."""
        return await log_steps(context)

    @server.tool
    async def test_tool_with_progress(context: McpContext) -> str:
        """Report progress three times."""
        context.progress(0, 100)
        await asyncio.sleep(STEP_S)
        context.progress(50, 100)
        await asyncio.sleep(STEP_S)
        context.progress(100, 100)
        return "Done."

    @server.tool
    async def test_reconnection(context: McpContext) -> str:
        """Let go of the connection, and answer on the next one."""
        context.close_stream()
        await asyncio.sleep(2 * STEP_S)
        return "Reconnected."

    @server.tool
    def test_trigger_tool_change(context: McpContext) -> str:
        """Say that the list of tools has changed."""
        context.changes.tools()
        return "Said so."

    @server.tool
    def test_trigger_prompt_change(context: McpContext) -> str:
        """Say that the list of prompts has changed."""
        context.changes.prompts()
        return "Said so."


def add_resources(server: McpServer) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """A text that never changes."""
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """A picture that never changes."""
        return PNG

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched_resource() -> str:
        """A text that clients may subscribe to."""
        return "Watched."

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template_data(id: str) -> dict:  # noqa: A002 - the suite's name
        """Data for any id."""
        return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}


class Helpdesk(Agent):
    """An agent whose tools are offered to MCP clients."""

    initial_state = {"tickets": 0}

    @tool
    async def open_ticket(self, subject: str) -> dict:
        """Open a ticket.

        Args:
            subject: what it is about.
        """
        self.set_state({"tickets": self.state["tickets"] + 1})
        return {"number": self.state["tickets"], "subject": subject}


handler = create_mcp_handler(build_server())
to_helpdesk = create_mcp_handler({"agent": "helpdesk", "name": "main"}, route="/helpdesk")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = request.url.partition("://")[2].partition("/")[2].partition("?")[0]
        if path == "mcp":
            return await handler(request, self.env, self.ctx)
        if path == "helpdesk":
            return await to_helpdesk(request, self.env, self.ctx)
        return Response("ok" if path == "" else "Not found", status=200 if path == "" else 404)
