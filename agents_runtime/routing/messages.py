"""What routing needs of requests and responses, whichever platform they come from."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from agents_runtime._platform.base import header_of, headers_starting, without_headers


class HttpHeaders(Protocol):
    """Header fields; names ignore case."""

    def get(self, name: str, /) -> str | None:
        """The value of a header, or None."""
        ...


class HttpRequest(Protocol):
    """A `workers.Request`, as far as routing and its hooks look at it."""

    @property
    def url(self) -> str:
        """The absolute URL."""
        ...

    @property
    def method(self) -> str:
        """The method, in upper case."""
        ...

    @property
    def headers(self) -> HttpHeaders:
        """The header fields."""
        ...


Response: TypeAlias = Any
"""A `workers.Response`. Each platform has a class of its own, so that no one type fits both."""

_INTERNAL = ("x-agents-lifecycle-", "x-cf-agents-")


def is_upgrade(request: HttpRequest) -> bool:
    """Whether the request asks for a WebSocket."""
    asked = header_of(request, "upgrade")
    return asked is not None and asked.lower() == "websocket"


def without_internal_headers(request: HttpRequest) -> HttpRequest:
    """The request without headers that only the machinery between agents may set.

    A JS agent believes them: with `x-agents-lifecycle-props` a client would choose an agent's start props, with
    `x-cf-agents-subagent-url` it would reach any sub-agent past its gate.
    """
    found = headers_starting(request, _INTERNAL)
    if not found:
        return request
    stripped: HttpRequest = without_headers(request, found)
    return stripped
