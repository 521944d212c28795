"""MCP, beside the names that `agents_runtime` itself has: content, questions, and what clients raise.

Importing this loads nothing; each name is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents_runtime.mcp.client.errors import McpConnectionFailed, McpTimeout, McpToolError, McpUnauthorized
    from agents_runtime.mcp.client.tools import McpTool
    from agents_runtime.mcp.protocol.results import CacheHint
    from agents_runtime.mcp.server.asking import Ask, Elicited
    from agents_runtime.mcp.server.auth import AuthInfo
    from agents_runtime.mcp.server.offers import Message
    from agents_runtime.mcp.sessions.store import EventStore
    from agents_runtime.mcp.tools.content import Audio, Image, Resource, ResourceLink, Text

_HOMES = {
    "Ask": "server.asking",
    "Audio": "tools.content",
    "AuthInfo": "server.auth",
    "CacheHint": "protocol.results",
    "Elicited": "server.asking",
    "EventStore": "sessions.store",
    "Image": "tools.content",
    "McpConnectionFailed": "client.errors",
    "McpTimeout": "client.errors",
    "McpTool": "client.tools",
    "McpToolError": "client.errors",
    "McpUnauthorized": "client.errors",
    "Message": "server.offers",
    "Resource": "tools.content",
    "ResourceLink": "tools.content",
    "Text": "tools.content",
}

__all__ = [
    "Ask",
    "Audio",
    "AuthInfo",
    "CacheHint",
    "Elicited",
    "EventStore",
    "Image",
    "McpConnectionFailed",
    "McpTimeout",
    "McpTool",
    "McpToolError",
    "McpUnauthorized",
    "Message",
    "Resource",
    "ResourceLink",
    "Text",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any of the names above
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
