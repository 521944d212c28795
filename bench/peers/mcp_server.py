"""The official Python SDK as a server of the MCP benchmarks: the same tool as bench/mcp_worker/entry.py.

usage: PORT stateless|sessions plain|tuned
"""

from __future__ import annotations

import sys

import uvicorn
from mcp.server import MCPServer

server = MCPServer("bench", log_level="ERROR")


@server.tool(structured_output=False)
async def greet(name: str, times: int = 1) -> str:
    """Greet somebody, some times."""
    return " ".join([f"Hello, {name}!"] * times)


def main() -> None:
    """Serve `plain`, as after `pip install mcp`; or `tuned`: with JSON answers, uvloop and httptools. Never a log."""
    is_tuned = sys.argv[3] == "tuned"
    app = server.streamable_http_app(json_response=is_tuned, stateless_http=sys.argv[2] == "stateless")
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop" if is_tuned else "asyncio",
        http="httptools" if is_tuned else "h11",
        access_log=False,
        log_level="error",
    )


if __name__ == "__main__":
    main()
