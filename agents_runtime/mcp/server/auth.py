"""What is known about the authorization of whoever sent a request."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class AuthInfo:
    """What is known about an authorized caller. Made by whoever checked the token.

    Attributes:
        token: the access token. Never pass it on to other servers.
        client_id: the OAuth client.
        scopes: what it may do.
        subject: the user, if there is one.
        expires_at: when the token ends, in seconds since the epoch, or None.
        resource: the server that the token is for, or None.
        props: anything else that the authorization recorded.
    """

    token: str = field(default="", repr=False)
    client_id: str = ""
    scopes: tuple[str, ...] = ()
    subject: str = ""
    expires_at: int | None = None
    resource: str | None = None
    props: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def principal(self) -> str:
        """Whom a sealed state belongs to."""
        return f"{len(self.client_id)}:{self.client_id}:{self.subject}"


AUTH: ContextVar[AuthInfo | None] = ContextVar("agents_runtime_mcp_auth", default=None)


def get_mcp_auth_context() -> AuthInfo | None:
    """What is known about the authorization of the MCP request that is being answered; None outside of one.

    Also while its answer is streamed. `.props` is what the authorization recorded about the user.
    """
    return AUTH.get()
