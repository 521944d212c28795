"""Gives classes of agents that have `@tool` methods the part that serves them. Other classes load nothing of it."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from agents_runtime._core.capability import capability
from agents_runtime.context import run_in
from agents_runtime.errors import DefinitionError

if TYPE_CHECKING:
    from agents_runtime.mcp.server.in_agent import AgentTools

PART = "_mcp_tools"
OWN_SERVER = "mcp_server"
"""The attribute in which a class may have a server of its own."""

KEY_METHOD = "cf_agents_mcp_key"
SERVES_ITSELF = "_mcp_session"
"""The part of agents that are MCP servers already."""


def offer_tools(cls: type, base: type) -> None:
    """Add the part to a class that needs it.

    Raises:
        DefinitionError: a hook or verb of Agent is marked as a tool.
    """
    declare = sys.modules.get("agents_runtime.mcp.tools.declare")  # loaded by whoever decorated a tool
    tools: dict[str, tuple[str, Any]] = dict(declare.tools_of(cls)) if declare is not None else {}
    for name, (attribute, _) in tools.items():
        if hasattr(base, attribute):
            raise DefinitionError(f"{cls.__name__}.{attribute} is a part of Agent and cannot be the tool {name!r}")
    if (tools or hasattr(cls, OWN_SERVER)) and not hasattr(cls, SERVES_ITSELF) and not hasattr(cls, PART):
        part = capability(_build)
        part.__set_name__(cls, PART)
        setattr(cls, PART, part)
        setattr(cls, KEY_METHOD, _key)


def _key(self: Any) -> str:  # noqa: ANN401 - the agent, whose parts are its own
    """Give the handler the key that it signs requests with. Not for users."""
    key: str = getattr(self, PART).errand_key()
    return key


def _build(agent: Any) -> AgentTools:  # noqa: ANN401 - the agent, whose parts are its own
    from agents_runtime.mcp.server.in_agent import AgentTools

    return AgentTools(agent, agent._platform, partial(run_in, agent._scope))
