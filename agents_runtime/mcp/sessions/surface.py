"""What a session needs of its agent, what the agent's name says about it, and how a refusal is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents_runtime._platform.base import make_response

if TYPE_CHECKING:
    from agents_runtime.mcp.server.server import McpServer
    from agents_runtime.mcp.sessions.head import Head
    from agents_runtime.mcp.sessions.ladder import Refused


@dataclass(frozen=True, slots=True)
class Surface:
    """What a session needs of its agent.

    Attributes:
        name: the agent's name.
        server: gives the server, made ready.
        call: calls a function as the agent.
        end: ends the session for good, a little later.
        is_ending: whether that was asked for.
        question_timeout_s: how long the client may take to answer.
        idle_s: after how long without any use the session ends; None: never.
        wake: arms the alarm anew.
        secret: what requests of the Worker are signed with; None: they are not.
    """

    name: Callable[[], str]
    server: Callable[[], Awaitable[McpServer]]
    call: Callable[..., Awaitable[Any]]
    end: Callable[[], None]
    is_ending: Callable[[], bool]
    question_timeout_s: Callable[[], float]
    idle_s: Callable[[], float | None]
    wake: Callable[[], None]
    secret: Callable[[], str | None]


def respond(refused: Refused) -> Any:  # noqa: ANN401 - the platform's response
    """A refusal as a response."""
    return make_response(refused.body(), refused.status, {"content-type": "application/json"})


def principal_of(head: Head) -> str | None:
    """Who a session belongs to, for requests that come with a proof of that; None for all others."""
    auth = head.auth_info()
    return auth.principal if auth is not None and (auth.client_id or auth.subject) else None


def session_of(name: str) -> str:
    """The session's id, from the agent's name `<transport>:<id>`."""
    return name.partition(":")[2] or name


def transport_of(name: str) -> str:
    """How the client talks to the session, from the agent's name."""
    return name.partition(":")[0] if ":" in name else ""
