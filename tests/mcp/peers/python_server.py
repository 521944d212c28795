"""Servers made with the official Python SDK: both eras (/mcp), and the oldest transport (/sse).

python python_server.py http|json|sse
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("python", instructions="Python.")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def echo(value: Any) -> str:
    """Say it again."""
    return json.dumps(value, sort_keys=True)


@server.tool()
def fail() -> str:
    """Fail."""
    raise ToolError("it failed on purpose")


@server.tool()
async def work(context: Context) -> str:
    """Tell progress."""
    await context.report_progress(1, 2)
    await context.report_progress(2, 2)
    return "done"


@server.tool()
async def grow(context: Context) -> str:
    """Offer one more tool."""

    def grown() -> str:
        """New."""
        return "new"

    server.add_tool(grown)
    return "grown"


@server.resource("note://one", mime_type="text/plain")
def note() -> str:
    """A note."""
    return "a note"


@server.resource("note://by/{who}")
def note_by(who: str) -> str:
    """A note of somebody."""
    return f"a note by {who}"


@server.prompt()
def greet(who: str) -> str:
    """Greet somebody."""
    return f"Hello {who}"


def main(mode: str) -> None:
    app = server.sse_app() if mode == "sse" else server.streamable_http_app(json_response=mode == "json")
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"listening on {listening.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on")).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1])
