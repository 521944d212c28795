"""What the Worker tells a session's object about a request it passes on: one internal header, stripped from outside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from agents_runtime.mcp.server.auth import AuthInfo

HEADER = "x-cf-agents-mcp"
"""Routing strips every header that begins like this from requests of clients."""

Kind = Literal["open", "post", "get", "delete", "sse", "sse-post", "modern"]


@dataclass(frozen=True, slots=True)
class Head:
    """What a request is for.

    Attributes:
        kind: what the client wants.
        auth: who the client is, as the authorization server said; None where there is none.
        props: JSON that the agent starts with; None: what it was given before.
        key: what seals the state of modern calls, in hexadecimal.
        last_event_id: the event after which a GET goes on.
        endpoint: where a client of 2024-11-05 posts to.
    """

    kind: Kind
    auth: dict[str, Any] | None = None
    props: Any = None
    key: str | None = None
    last_event_id: str | None = None
    endpoint: str | None = None

    def auth_info(self) -> AuthInfo | None:
        """What is known about the authorization: what was checked, or else the props."""
        props: Any = self.props
        known: Any = {"props": props} if isinstance(self.props, dict) else {}
        if self.auth is None:
            return AuthInfo(**known) if known else None
        known |= self.auth
        known["scopes"] = tuple(known.get("scopes", ()))
        return AuthInfo(**known)

    def text(self) -> str:
        """The header's value."""
        return json.dumps({name: value for name in self.__slots__ if (value := getattr(self, name)) is not None})


def read_head(value: str) -> Head:
    """What a header's value says."""
    return Head(**json.loads(value))
