"""What a server offers: read page by page, bounded, checked item by item, and otherwise kept as it came."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core.jsonx import dumps
from agents_runtime.mcp.client.errors import ProtocolFailure
from agents_runtime.mcp.protocol.headers import mirrored_params, param_headers
from agents_runtime.mcp.protocol.messages import McpError, Params
from agents_runtime.mcp.protocol.versions import METHOD_NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents_runtime.mcp.client.session import Session

logger = logging.getLogger("agents_runtime")

MAX_PAGES = 64
MAX_ITEMS = 5_000
"""The most tools, and so on, of one server."""

MAX_CATALOGUE_CHARS = 8 * 1024 * 1024
"""The most JSON in all lists of one server together: it is held in memory and sent to clients."""

MAX_NAME_CHARS = 1_024
DISCOVERY_TIMEOUT_S = 15.0

Items = tuple[Params, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What one server offers. Items are as the server sent them."""

    instructions: str | None = None
    capabilities: Params | None = None
    tools: Items = ()
    resources: Items = ()
    templates: Items = ()
    prompts: Items = ()

    def as_json(self) -> Params:
        """For storing it."""
        return {
            "instructions": self.instructions,
            "capabilities": self.capabilities,
            "tools": list(self.tools),
            "resources": list(self.resources),
            "templates": list(self.templates),
            "prompts": list(self.prompts),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Catalogue:
        """What was stored."""
        lists = {name: tuple(stored.get(name) or ()) for name in ("tools", "resources", "templates", "prompts")}
        return cls(stored.get("instructions"), stored.get("capabilities"), **lists)

    def headers_for(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, str]:
        """The headers that mirror arguments of a tool, for a modern server."""
        found = next((item for item in self.tools if item["name"] == tool), None)
        return {} if found is None else param_headers(mirrored_params(found["inputSchema"]), arguments)


Kinds = dict[str, tuple[str, str, str, Callable[[Params], str | None]]]


def _tool_problem(item: Params) -> str | None:
    schema = item.get("inputSchema")
    if not isinstance(schema, dict):
        return "its inputSchema is no object"
    try:
        mirrored_params(cast("Params", schema))
    except ValueError as error:
        return str(error)
    return None


def _no_problem(item: Params) -> str | None:
    return None


KINDS: Kinds = {
    "tools": ("tools", "tools/list", "name", _tool_problem),
    "resources": ("resources", "resources/list", "uri", _no_problem),
    "templates": ("resources", "resources/templates/list", "uriTemplate", _no_problem),
    "prompts": ("prompts", "prompts/list", "name", _no_problem),
}
"""Of each list: the capability it belongs to, its method, what names an item, and what else is checked."""

_FIELDS = {"templates": "resourceTemplates"}


async def discover(session: Session, kinds: Iterable[str] = tuple(KINDS), max_pages: int = MAX_PAGES) -> Params:
    """Read the lists that the server has: items by kind.

    Raises:
        McpError: the server refused; a list that it does not know is empty.
        RemoteError: it could not be reached, broke the protocol, or offers more than is read.
    """
    capabilities = capabilities_of(session.server)
    budget = _Budget()
    return {kind: await _listed(session, kind, max_pages, budget) for kind in kinds if KINDS[kind][0] in capabilities}


def capabilities_of(server: Params) -> Params:
    """What a server says it can do."""
    capabilities = server.get("capabilities")
    return cast("Params", capabilities) if isinstance(capabilities, dict) else {}


def instructions_of(server: Params) -> str | None:
    """What a server says how it wants to be used."""
    instructions = server.get("instructions")
    return instructions if isinstance(instructions, str) else None


class _Budget:
    """What may still be read of one server."""

    def __init__(self) -> None:
        self._left = MAX_CATALOGUE_CHARS

    def spend(self, page: Params) -> None:
        """Count a page. Raises ProtocolFailure when it is too much."""
        self._left -= len(dumps(page))
        if self._left < 0:
            raise ProtocolFailure(f"the server lists more than {MAX_CATALOGUE_CHARS:,} characters")


async def _listed(session: Session, kind: str, max_pages: int, budget: _Budget) -> Items:
    _, method, key, problem = KINDS[kind]
    found: dict[str, Params] = {}
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(max_pages):
        params = {} if cursor is None else {"cursor": cursor}
        try:
            page = await session.request(method, params, timeout_s=DISCOVERY_TIMEOUT_S)
        except McpError as error:
            if error.error_code == METHOD_NOT_FOUND:
                break
            raise
        budget.spend(page)
        items = page.get(_FIELDS.get(kind, kind))
        for item in cast("list[object]", items) if isinstance(items, list) else []:
            _take(found, item, key, problem, session.client.server_id, kind)
        following = page.get("nextCursor")
        if not isinstance(following, str) or not following or following in seen or len(found) >= MAX_ITEMS:
            break
        cursor = following
        seen.add(following)
    return tuple(found.values())[:MAX_ITEMS]


def _take(
    found: dict[str, Params],
    item: object,
    key: str,
    problem: Callable[[Params], str | None],
    server_id: str,
    kind: str,
) -> None:
    """Keep one item, unless it is none, or the second of its name."""
    fields = cast("Params", item) if isinstance(item, dict) else {}
    name = fields.get(key)
    if not isinstance(name, str) or not name or len(name) > MAX_NAME_CHARS:
        logger.warning("the MCP server %s lists something under %s without a %s; it is left out", server_id, kind, key)
        return
    wrong = problem(fields)
    if wrong is not None:
        logger.warning("the MCP server %s lists %r, which is left out: %s", server_id, name[:100], wrong)
        return
    found.setdefault(name, fields)
