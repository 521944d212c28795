"""Who asks, and the way back to them while their request is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from agents_runtime.mcp.protocol.messages import McpError, Params
from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR, MODERN_VERSION, is_modern

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime.mcp.server.auth import AuthInfo

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        version: the protocol version of the request or session.
        info: name and version of the client program, if it told.
        capabilities: what the client said it can do.
        auth: what is known about its authorization, or None.
        log_level: the least severe log messages it wants. None: none at all (modern), or all of them (legacy).
        session_id: the legacy session, or None.
    """

    version: str = MODERN_VERSION
    info: Mapping[str, Any] | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict[str, Any])
    auth: AuthInfo | None = None
    log_level: str | None = None
    session_id: str | None = None

    @property
    def is_modern(self) -> bool:
        """Whether it is of the era without sessions."""
        return is_modern(self.version)

    @property
    def principal(self) -> str:
        """Whom a sealed state belongs to; empty for a caller without authorization."""
        return "" if self.auth is None else self.auth.principal


class Outbound(Protocol):
    """From the server to the client, while a request is answered or a session lasts."""

    def notify(self, method: str, params: Mapping[str, Json]) -> None:
        """Send a notification. What cannot be delivered is dropped."""
        ...

    async def request(self, method: str, params: Mapping[str, Json]) -> Params:
        """Ask the client and wait for its result. Raises McpError when it refuses, or when there is no way back."""
        ...


class NoWayBack:
    """The way back to a caller that can only be answered."""

    __slots__ = ()

    can_ask = False

    def notify(self, method: str, params: Mapping[str, Json]) -> None:
        """Drop it."""

    async def request(self, method: str, params: Mapping[str, Json]) -> Params:
        """Raise McpError."""
        no_way_back(method)


NO_WAY_BACK = NoWayBack()


def no_way_back(method: str) -> NoReturn:
    """Raise the error for a request that cannot be sent to the client."""
    raise McpError(
        INTERNAL_ERROR,
        f"the server cannot send {method} over a connection without a session: use a client of {MODERN_VERSION}, or "
        "connect to a server with sessions",
    )
