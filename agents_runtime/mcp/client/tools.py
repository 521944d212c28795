"""Tools of MCP servers as a model is given them: described by JSON Schema, and callable."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from agents_runtime.mcp.client.errors import McpToolError

if TYPE_CHECKING:
    from agents_runtime.mcp.protocol.messages import Params

CallTool = Callable[[str, str, Mapping[str, object]], Awaitable[dict[str, Any]]]
MAX_KEY_CHARS = 64
"""The longest name of a tool that models take."""


@dataclass(frozen=True, slots=True)
class McpTool:
    """A tool of an MCP server. Call it: `await tool(city="Rome")` or `await tool.execute({"city": "Rome"})`.

    Attributes:
        key: its name for a model, unique among all servers.
        name: its name at the server.
        input_schema: JSON Schema of the arguments, as the server sent it.
        output_schema: JSON Schema of the structured result, if the server has one.
    """

    key: str
    name: str
    server_id: str
    description: str | None
    title: str | None
    input_schema: Params
    output_schema: Params | None
    _call: CallTool = field(repr=False)

    async def execute(self, arguments: Mapping[str, object] | None = None) -> Params:
        """Call the tool and return the whole result.

        Raises:
            McpToolError: the tool failed; the text is its own.
            AgentError: as `call_tool`.
        """
        result = await self._call(self.server_id, self.name, arguments or {})
        if result.get("isError"):
            raise McpToolError(first_text(result) or f"the tool {self.name} failed", result)
        return result

    async def __call__(self, **arguments: object) -> Params:
        """Call the tool, see `execute`."""
        return await self.execute(arguments)


def ai_tools(items: Iterable[Params], call: CallTool) -> dict[str, McpTool]:
    """Tools by key: `tool_<server id>_<name>`, in characters that models take."""
    found: dict[str, McpTool] = {}
    for item in items:
        name, server_id = item["name"], item["serverId"]
        key = _unique(f"tool_{server_id.replace('-', '')}_{name}", found)
        title, output = item.get("title"), item.get("outputSchema")
        description = item.get("description")
        found[key] = McpTool(
            key,
            name,
            server_id,
            description if isinstance(description, str) else None,
            title if isinstance(title, str) else None,
            item["inputSchema"],
            cast("Params", output) if isinstance(output, dict) else None,
            call,
        )
    return found


def _unique(wish: str, taken: Mapping[str, object]) -> str:
    key = re.sub(r"[^A-Za-z0-9_-]", "_", wish)[:MAX_KEY_CHARS]
    number = 2
    unique = key
    while unique in taken:
        end = f"_{number}"
        unique = key[: MAX_KEY_CHARS - len(end)] + end
        number += 1
    return unique


def first_text(result: Mapping[str, Any]) -> str | None:
    """The first block of text in a result."""
    blocks = result.get("content")
    for block in cast("list[object]", blocks) if isinstance(blocks, list) else []:
        if isinstance(block, dict):
            text = cast("Params", block).get("text")
            if isinstance(text, str):
                return text
    return None
