"""The door of an MCP endpoint: which hosts and pages may send requests, which may read answers, and who sends them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import urlsplit

from agents_runtime._platform.base import is_response
from agents_runtime.context import is_awaitable
from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.messages import is_object
from agents_runtime.mcp.server.auth import AuthInfo
from agents_runtime.mcp.server.checks import Names, host_problem, origin_problem
from agents_runtime.routing.cors import Cors, CorsOption, cors_headers

if TYPE_CHECKING:
    from agents_runtime.mcp.server.envelope import HeaderOf

AuthOption: TypeAlias = "AuthInfo | Mapping[str, Any] | Callable[[Any], Any] | None"
"""Who sends a request, or a function of the request that tells."""

IS_PUBLIC = sys.platform == "emscripten"
"""On Workers only requests for names of its own reach the Worker."""

REQUEST_HEADERS = (
    "Content-Type, Accept, Authorization, mcp-session-id, mcp-protocol-version, last-event-id, Mcp-Method, Mcp-Name"
)
EXPOSED_HEADERS = "mcp-session-id, WWW-Authenticate"
EVERY_PAGE = Cors(methods="GET, POST, DELETE, OPTIONS", headers=REQUEST_HEADERS, expose=EXPOSED_HEADERS)
READABLE = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED_HEADERS}
"""What a plain answer needs so that every page may read it."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may use an endpoint.

    Attributes:
        cors: which web pages may read its answers.
        hosts: the host names that clients use, "*" or None.
        origins: the hosts of web pages that may use it, "*" or None.
        auth: who sends a request, or a function of the request that tells.

    Raises:
        UsageError: a single name stands where a list of names belongs.
    """

    cors: CorsOption = True
    hosts: Names = None
    origins: Names = None
    auth: AuthOption = None

    def __post_init__(self) -> None:
        for names in (self.hosts, self.origins):
            if isinstance(names, str) and names != "*":
                raise UsageError(f'list host names, as in [{names!r}], or give "*" for all')

    def problem(self, find: HeaderOf, url: str) -> str | None:
        """What is wrong with the host or origin of a request; None if nothing is."""
        host = find("host") or urlsplit(url).netloc
        problem = host_problem(host, self.hosts, is_public=IS_PUBLIC)
        origin = find("origin")
        if problem is not None or origin is None:
            return problem
        named: object = self.cors.origins if isinstance(self.cors, Cors) else ()
        pages = cast("Collection[str]", named) if isinstance(named, Collection) and named != "*" else ()
        return origin_problem(origin, host, self.origins, self.hosts, pages)

    def readable(self, find: HeaderOf) -> Mapping[str, str] | None:
        """The headers that let web pages read an answer; None if none may."""
        return READABLE if self.cors is True else self._cors(find)

    def preflight(self, find: HeaderOf) -> Mapping[str, str] | None:
        """The headers that let web pages send a request."""
        if self.cors is not True:
            return self._cors(find)
        asked = (find("access-control-request-headers") or "").split(",")
        mirrored = [name.strip() for name in asked if name.strip().lower().startswith("mcp-param-")]
        allowed = EVERY_PAGE.headers_for(find("origin"), None)
        if mirrored:
            allowed["Access-Control-Allow-Headers"] = ", ".join([REQUEST_HEADERS, *mirrored])
            allowed["Vary"] = "Access-Control-Request-Headers"
        return allowed

    async def authorized(self, request: Any) -> Any:  # noqa: ANN401 - the platform's; an AuthInfo, a response or None
        """What is known about whoever sent a request, or the response that refuses it."""
        given: Any = self.auth
        if callable(given):
            given = given(request)
            given = await given if is_awaitable(given) else given
        if given is None or isinstance(given, AuthInfo) or is_response(given):
            return given
        if is_object(given):
            return AuthInfo(props=dict(given))
        raise UsageError(f"auth gives an AuthInfo, a mapping of props, a Response or None, not {given!r}"[:300])

    def _cors(self, find: HeaderOf) -> Mapping[str, str] | None:
        return cors_headers(self.cors, find("origin"), find("access-control-request-headers"))


def plain_props(ctx: Any) -> Any:  # noqa: ANN401 - the platform's context, and JSON
    """The props that an OAuth provider left in a worker's context, as Python values; None where there are none."""
    props = getattr(ctx, "props", None)
    convert = getattr(props, "to_py", None)
    return props if convert is None else convert()
