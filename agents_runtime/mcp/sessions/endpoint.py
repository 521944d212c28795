"""What `McpAgent.serve` returns: the endpoint's door, with its checks of path, host and origin, and its errors."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

from agents_runtime._platform.base import (
    current_env,
    header_of,
    is_response,
    make_response,
    namespaces_of,
    timing_of,
    with_headers,
)
from agents_runtime.context import is_awaitable
from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR, SERVER_ERROR
from agents_runtime.mcp.server.auth import AuthInfo
from agents_runtime.mcp.server.checks import Names, host_problem, origin_problem
from agents_runtime.mcp.server.keys import KEY_SIZE, VARIABLE
from agents_runtime.mcp.sessions.front import HEADERS, Front, Route, Visit
from agents_runtime.mcp.sessions.ladder import Refused
from agents_runtime.mcp.sessions.surface import respond
from agents_runtime.routing.bindings import binding_of
from agents_runtime.routing.cors import Cors, CorsOption, cors_headers, merged_vary

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Namespace
    from agents_runtime.mcp.server.handler import AuthOption

logger = logging.getLogger("agents_runtime")

IS_PUBLIC = sys.platform == "emscripten"
"""On Workers only requests for names of its own reach the Worker."""

DEFAULT_BINDING = "MCP_OBJECT"
"""The binding that is used when none is named as the class is."""

EVERY_PAGE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Accept, Authorization, mcp-session-id, mcp-protocol-version, "
    "last-event-id, mcp-method, mcp-name",
    "Access-Control-Expose-Headers": "mcp-session-id",
    "Access-Control-Max-Age": "86400",
}
INTERNAL = Refused(500, INTERNAL_ERROR, "Internal server error")


@dataclass(frozen=True, slots=True)
class Reach:
    """Who may use an endpoint.

    Attributes:
        cors: which web pages may read its answers.
        hosts: the host names that clients use, "*" or None.
        origins: the hosts of web pages that may use it, "*" or None.
        auth: who sends a request, or a function of the request that tells.
    """

    cors: CorsOption
    hosts: Names
    origins: Names
    auth: AuthOption = None

    async def authorized(self, request: Any) -> Any:  # noqa: ANN401 - the platform's; an AuthInfo, a response or None
        """What is known about whoever sent a request, or the response that refuses it."""
        given: Any = self.auth
        if callable(given):
            given = given(request)
            given = await given if is_awaitable(given) else given
        if given is None or isinstance(given, AuthInfo) or is_response(given):
            return given
        if isinstance(given, Mapping):
            return AuthInfo(props=dict(cast("Mapping[str, Any]", given)))
        raise UsageError(f"auth gives an AuthInfo, a mapping of props, a Response or None, not {given!r}"[:300])

    def problem(self, request: Any) -> str | None:  # noqa: ANN401 - the platform's request
        """What is wrong with the host or origin of a request; None if nothing is."""
        host, origin = header_of(request, "host") or urlsplit(str(request.url)).netloc, header_of(request, "origin")
        named: object = self.cors.origins if isinstance(self.cors, Cors) else ()
        pages = cast("Collection[str]", named) if isinstance(named, Collection) and named != "*" else ()
        return host_problem(host, self.hosts, is_public=IS_PUBLIC) or origin_problem(
            origin, host, self.origins, self.hosts, pages
        )

    def headers(self, request: Any) -> dict[str, str]:  # noqa: ANN401 - the platform's request
        """The headers that let a web page read the answer."""
        if self.cors is True:
            return dict(EVERY_PAGE)
        asked = header_of(request, "access-control-request-headers")
        return cors_headers(self.cors, header_of(request, "origin"), asked) or {}


class McpEndpoint:
    """The endpoint of an `McpAgent`; call its `fetch` in the Worker's."""

    def __init__(self, cls: type, route: Route, binding: str | None, jurisdiction: str | None, reach: Reach) -> None:
        self._cls = cls
        self._route = route
        self._binding = binding
        self._jurisdiction = jurisdiction
        self._reach = reach
        self._made_key: str | None = None

    async def fetch(
        self,
        request: Any,  # noqa: ANN401 - the platform's
        env: Any = None,  # noqa: ANN401 - the platform's
        ctx: Any = None,  # noqa: ANN401 - the platform's
        *,
        props: Any = None,  # noqa: ANN401 - the user's own JSON
    ) -> Any:  # noqa: ANN401 - the platform's response
        """Answer a request. 404 when it is for another path.

        Args:
            request: the `workers.Request`.
            env: the Worker's environment.
            ctx: the Worker's context, whose `props` the agent gets; what an OAuth provider puts there.
            props: other props.

        Raises:
            UsageError: the class has no binding.
        """
        parts = urlsplit(str(request.url))
        if not self._route.matches(parts.path):
            return make_response("Not found", 404, {"content-type": "text/plain;charset=UTF-8"})
        env = current_env() if env is None else env
        namespace = self._namespace(env)
        problem = self._reach.problem(request)
        if problem is not None:
            return respond(Refused(403, SERVER_ERROR, f"Forbidden: {problem}"))
        allowed = self._reach.headers(request)
        method = str(getattr(request.method, "value", request.method))
        if method == "OPTIONS":
            return make_response(None, 204, allowed)
        try:
            auth = await self._reach.authorized(request)
            if is_response(auth):
                response = auth
            else:
                visit = _visit(request, method, auth, _plain(getattr(ctx, "props", None)) if props is None else props)
                response = await Front(self._route, namespace, env, self._state_key(env)).answer(visit)
        except Exception:  # whatever happens behind it: no details for the client
            logger.exception("the MCP endpoint of %s failed", self._cls.__name__)
            response = respond(INTERNAL)
        if "Vary" in allowed:
            allowed["Vary"] = merged_vary(response.headers.get("Vary"), allowed["Vary"])
        return with_headers(response, allowed) if allowed else response

    def _state_key(self, env: Any) -> str:  # noqa: ANN401 - the platform's
        """What seals the state of modern calls: of the environment, or one that ends with this process."""
        given: object = getattr(env, VARIABLE, None)
        if isinstance(given, str):
            return given.encode().hex()
        if self._made_key is None:
            _, entropy = timing_of(env)
            self._made_key = entropy.random_bytes(KEY_SIZE).hex()
        return self._made_key

    def _namespace(self, env: Any) -> Namespace:  # noqa: ANN401 - the platform's
        namespaces = namespaces_of(env)
        name = self._binding
        if name is None:
            try:
                name = binding_of(namespaces, self._cls)
            except UsageError:
                if DEFAULT_BINDING not in namespaces:
                    raise
                name = DEFAULT_BINDING
        elif name not in namespaces:
            known = ", ".join(sorted(namespaces)) or "none"
            raise UsageError(f"there is no Durable Object binding {name!r} for {self._cls.__name__}; there are {known}")
        namespace = namespaces[name]
        return namespace if self._jurisdiction is None else namespace.jurisdiction(self._jurisdiction)


def _visit(request: Any, method: str, auth: AuthInfo | None, props: Any) -> Visit:  # noqa: ANN401 - the platform's, and JSON
    parts = urlsplit(str(request.url))
    headers = {name: value for name in HEADERS if (value := header_of(request, name)) is not None}
    known = None if auth is None else {name: value for name, value in asdict(auth).items() if value}
    if props is None and auth is not None and auth.props:
        props = dict(auth.props)
    return Visit(request, method, parts.path, parse_qs(parts.query), headers, known, props)


def _plain(props: Any) -> Any:  # noqa: ANN401 - JSON, or the platform's view of it
    """Props as plain JSON, from whichever host."""
    convert = getattr(props, "to_py", None)
    value = convert() if convert is not None else props
    return json.loads(json.dumps(value)) if value else None
