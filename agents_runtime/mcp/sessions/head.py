"""What the Worker tells a session's object about a request it passes on: one internal header, stripped from outside.

Where Worker and object share a secret the header is signed with it, and the object believes no other.
"""

from __future__ import annotations

import hmac
import json
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from agents_runtime._platform.base import header_of
from agents_runtime.mcp.server.auth import AuthInfo

HEADER = "x-cf-agents-mcp"
"""Routing strips every header that begins like this from requests of clients."""

Kind = Literal["open", "post", "get", "delete", "sse", "sse-post", "modern", "forged"]
_PURPOSE = b"cf-agents-mcp:head "


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
        hub: the binding and, if there is one, the jurisdiction of the object at which modern clients listen.
    """

    kind: Kind
    auth: dict[str, Any] | None = None
    props: Any = None
    key: str | None = None
    last_event_id: str | None = None
    endpoint: str | None = None
    hub: list[str] | None = None

    def auth_info(self) -> AuthInfo | None:
        """What is known about the authorization: what was checked, or else the props."""
        props: Any = self.props
        known: Any = {"props": props} if isinstance(self.props, dict) else {}
        if self.auth is None:
            return AuthInfo(**known) if known else None
        known |= self.auth
        known["scopes"] = tuple(known.get("scopes", ()))
        return AuthInfo(**known)

    def text(self, secret: str | None = None) -> str:
        """The header's value, signed where there is a secret."""
        is_common = self.auth is None and self.props is None and self.hub is None
        said = _common_text(self.kind, self.key, self.last_event_id, self.endpoint) if is_common else self._text()
        return said if secret is None else f"{_signature(said, secret)} {said}"

    def _text(self) -> str:
        return json.dumps({name: value for name in self.__slots__ if (value := getattr(self, name)) is not None})


FORGED = Head("forged")


def read_head(value: str, secret: str | None = None) -> Head:
    """What a header's value says; `FORGED` when there is a secret, and it was not signed with that."""
    signature, space, said = value.partition(" ")
    if secret is not None and not (
        space and hmac.compare_digest(signature.encode(), _signature(said, secret).encode())
    ):
        return FORGED
    said = said if value[:1] != "{" else value
    return _common_head(said) if said.count("{") == 1 else Head(**json.loads(said))


class HeadReader:
    """Gives the head of a request; that of the last one is read only once.

    Args:
        secret: what heads are signed with; None: they are not.
    """

    def __init__(self, secret: Callable[[], str | None]) -> None:
        self._secret = secret
        self._last: tuple[weakref.ref[Any], Head | None] | None = None

    def __call__(self, request: Any) -> Head | None:  # noqa: ANN401 - the platform's request
        """None when it is no request that the Worker passed on."""
        if self._last is None or self._last[0]() is not request:
            value = header_of(request, HEADER)
            self._last = weakref.ref(request), None if value is None else read_head(value, self._secret())
        return self._last[1]


@lru_cache(maxsize=64)
def _common_text(kind: Kind, key: str | None, last_event_id: str | None, endpoint: str | None) -> str:
    """The text of a head without anything about the user."""
    return Head(kind, None, None, key, last_event_id, endpoint)._text()  # pyright: ignore[reportPrivateUsage] # of this module


@lru_cache(maxsize=64)
def _common_head(said: str) -> Head:
    """The head that such a text says: it holds nothing that could be changed in place."""
    return Head(**json.loads(said))


def _signature(said: str, secret: str) -> str:
    return hmac.digest(secret.encode(), _PURPOSE + said.encode(), "sha256").hex()
