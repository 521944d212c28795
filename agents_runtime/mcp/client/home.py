"""What the connections of one agent share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents_runtime._core.surroundings import Emit
    from agents_runtime._platform.ports import Platform
    from agents_runtime.mcp.client.connection import ServerConnection
    from agents_runtime.mcp.client.elicitation import Elicitation
    from agents_runtime.mcp.client.store import ServerStore
    from agents_runtime.mcp.oauth.authorization import Authorization
    from agents_runtime.mcp.protocol.messages import Params


@dataclass(frozen=True, slots=True)
class Home:
    """The agent, as its connections to MCP servers see it.

    Attributes:
        elicitation: answers servers that ask for input.
        authorize: gives the authorization at a server.
        changed: tells clients of the agent that the servers, or what they offer, have changed.
        info: the agent's name and version, for servers.
    """

    platform: Platform
    store: ServerStore
    elicitation: Elicitation
    authorize: Callable[[ServerConnection], Authorization]
    changed: Callable[[], None]
    emit: Emit
    info: Params
