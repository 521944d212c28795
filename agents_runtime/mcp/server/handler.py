"""create_mcp_handler: an MCP server at a path of a worker, without sessions."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from agents_runtime._platform.base import (
    current_env,
    header_finder,
    is_response,
    make_response,
    timing_of,
    with_headers,
)
from agents_runtime.context import is_awaitable
from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.messages import is_object
from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR, SERVER_ERROR
from agents_runtime.mcp.server.auth import AuthInfo
from agents_runtime.mcp.server.checks import Names, host_problem, origin_problem
from agents_runtime.mcp.server.endpoint import Endpoint
from agents_runtime.mcp.server.http import DEFAULT_KEEPALIVE_S, Manner, ResponseMode, refused
from agents_runtime.mcp.server.keys import sealer_for
from agents_runtime.mcp.server.server import McpServer
from agents_runtime.mcp.server.subscriptions import Changes
from agents_runtime.routing.cors import Cors, CorsOption, cors_headers

if TYPE_CHECKING:
    from agents_runtime.mcp.server.dispatch import Answering
    from agents_runtime.mcp.server.envelope import HeaderOf
    from agents_runtime.mcp.server.requests_state import Sealer

logger = logging.getLogger("agents_runtime")

MakeServer: TypeAlias = "Callable[[], McpServer | Awaitable[McpServer]]"
AuthOption: TypeAlias = "AuthInfo | Mapping[str, Any] | Callable[[Any], Any] | None"

REQUEST_HEADERS = (
    "Content-Type, Accept, Authorization, mcp-session-id, mcp-protocol-version, last-event-id, Mcp-Method, Mcp-Name"
)
EXPOSED_HEADERS = "mcp-session-id, WWW-Authenticate"
READABLE = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": EXPOSED_HEADERS}
MCP_CORS = Cors(methods="GET, POST, DELETE, OPTIONS", headers=REQUEST_HEADERS, expose=EXPOSED_HEADERS)


@dataclass(frozen=True, slots=True)
class HandlerOptions:
    """The options of `create_mcp_handler`, checked."""

    route: str
    cors: CorsOption
    allowed_hosts: Names
    allowed_origins: Names
    auth: AuthOption
    serves_legacy: bool
    mode: ResponseMode
    keepalive_s: float
    state_key: str | bytes | None
    on_error: Callable[[Exception], object] | None


class McpHandler:
    """Answers the requests of MCP clients: `await handler(request)`.

    Attributes:
        notify: tells listening clients what has changed. It reaches those of this process or isolate only.
    """

    def __init__(self, target: object, options: HandlerOptions) -> None:
        self._options = options
        self._target = _Target(target)
        self.notify: Changes = self._target.changes
        self._endpoint: Endpoint | None = None
        self._sealer: Sealer | None = None

    async def __call__(self, request: Any, env: Any = None, ctx: Any = None) -> Any:  # noqa: ANN401 - the platform's
        """Answer a request: 404 for another path than the route.

        Args:
            request: the platform's request.
            env: the environment; by default that of the running worker.
            ctx: the context of the worker's request. Its `props`, if it has any, are what is known about the user.
        """
        options = self._options
        path: str = urlsplit(str(request.url)).path
        if path != options.route:
            return make_response("Not found", 404, {"content-type": "text/plain;charset=UTF-8"})
        find = header_finder(request)
        problem = self._problem(request, find)
        if problem is not None:
            return refused(403, SERVER_ERROR, f"Forbidden: {problem}")
        is_preflight = request.method == "OPTIONS"
        allowed = self._cors(find, is_preflight=is_preflight)
        if is_preflight:
            return make_response(None, 204, allowed)
        try:
            response = await self._answer(request, current_env() if env is None else env, ctx, find)
        except Exception as error:
            logger.exception("an MCP request failed")
            if options.on_error is not None:
                options.on_error(error)
            response = refused(500, INTERNAL_ERROR, "Internal server error")
        return response if allowed is None else with_headers(response, allowed)

    async def _answer(self, request: Any, env: Any, ctx: Any, find: HeaderOf) -> Any:  # noqa: ANN401 - the platform's
        auth = await self._authorized(request, ctx)
        if auth is not None and not isinstance(auth, AuthInfo):
            return auth
        if self._target.agent is not None:
            from agents_runtime.mcp.server.to_agent import Errand, forward

            options = self._options
            errand = Errand(auth, options.serves_legacy, options.mode, options.keepalive_s)
            return await forward(request, self._target.agent, env, errand)
        return await self._endpoint_of(env).answer(request, auth, find)

    def _endpoint_of(self, env: Any) -> Endpoint:  # noqa: ANN401 - the platform's
        if self._endpoint is None:
            clock, entropy = timing_of(env)
            self._sealer = sealer_for(self._options.state_key, env, clock, entropy)
            manner = Manner(clock, self._options.mode, self._options.keepalive_s)
            serves_legacy = self._options.serves_legacy
            self._endpoint = Endpoint(self._give_server, self.notify, manner, serves_legacy=serves_legacy)
        return self._endpoint

    async def _give_server(self) -> Answering:
        server = await self._target.server()
        if isinstance(server, McpServer):
            server.changes = self.notify
            if server.sealer is None:
                server.sealer = self._sealer
        return server

    async def _authorized(self, request: Any, ctx: Any) -> Any:  # noqa: ANN401 - the platform's; an AuthInfo or a response
        given: Any = self._options.auth
        if callable(given):
            given = given(request)
            if is_awaitable(given):
                given = await given
            if is_response(given):
                return given
        if given is None:
            props = _plain(getattr(ctx, "props", None))
            return AuthInfo(props=dict(props)) if is_object(props) else None
        if is_object(given):
            return AuthInfo(props=dict(given))
        if not isinstance(given, AuthInfo):
            raise UsageError(f"auth gives an AuthInfo, a mapping of props, a Response or None, not {given!r}"[:300])
        return given

    def _problem(self, request: Any, find: HeaderOf) -> str | None:  # noqa: ANN401 - the platform's
        options = self._options
        host: str = find("host") or urlsplit(str(request.url)).netloc
        problem = host_problem(host, options.allowed_hosts, is_public=sys.platform == "emscripten")
        if problem is not None:
            return problem
        origin = find("origin")
        if origin is None:
            return None
        named: Collection[str] = ()
        if isinstance(options.cors, Cors) and not callable(options.cors.origins) and options.cors.origins != "*":
            named = options.cors.origins
        return origin_problem(origin, host, options.allowed_origins, options.allowed_hosts, named)

    def _cors(self, find: HeaderOf, *, is_preflight: bool) -> Mapping[str, str] | None:
        if self._options.cors is True and not is_preflight:
            return READABLE
        asked = find("access-control-request-headers")
        option = MCP_CORS if self._options.cors is True else self._options.cors
        allowed = cors_headers(option, find("origin"), asked)
        if allowed is None or self._options.cors is not True:
            return allowed
        mirrored = [name.strip() for name in (asked or "").split(",") if name.strip().lower().startswith("mcp-param-")]
        if mirrored:
            allowed["Access-Control-Allow-Headers"] = ", ".join([REQUEST_HEADERS, *mirrored])
            allowed["Vary"] = "Access-Control-Request-Headers"
        return allowed


class _Target:
    """Where the requests go: to a server, to one that is made for each request, or to an agent."""

    def __init__(self, target: object) -> None:
        self.agent: Mapping[str, object] | None = None
        self.changes = Changes()
        self._make: MakeServer | None = None
        self._server: Answering | None = None
        if isinstance(target, McpServer):
            self._server = target
            self.changes = target.changes
        elif is_object(target):
            self.agent = target
        elif (adapted := _adapted(target)) is not None:
            self._server = adapted
        elif callable(target):
            self._make = cast("MakeServer", target)
        else:
            raise UsageError(
                "create_mcp_handler takes an McpServer, a function that makes one, an official server, "
                f'or {{"agent": "name"}}, not {target!r}'[:300]
            )
        if self.agent is not None:
            from agents_runtime.mcp.server.to_agent import check_target

            check_target(self.agent)

    async def server(self) -> Answering:
        if self._server is not None:
            return self._server
        made: Any = cast("MakeServer", self._make)()
        made = await made if is_awaitable(made) else made
        if isinstance(made, McpServer):
            return made
        if (adapted := _adapted(made)) is not None:
            return adapted
        raise UsageError(f"the function given to create_mcp_handler must return an McpServer, not {made!r}"[:300])


def _adapted(target: object) -> Answering | None:
    """An official server, made to answer like ours; None when it is none."""
    if not type(target).__module__.startswith(("mcp.server", "fastmcp.")):
        return None
    from agents_runtime.mcp.server.official import OfficialServer

    return OfficialServer(target)


def _plain(props: Any) -> object:  # noqa: ANN401 - JSON, or the platform's view of it
    convert = getattr(props, "to_py", None)
    return props if convert is None else convert()


def _names(given: Collection[str] | None) -> Names:
    """Host names, "*" or None. Raises UsageError for a single name, which would be taken for its letters."""
    if given is None:
        return None
    if isinstance(given, str):
        if given != "*":
            raise UsageError(f'list host names, as in [{given!r}], or give "*" for all')
        return "*"
    return frozenset(given)


def create_mcp_handler(
    server: McpServer | Callable[[], Any] | Mapping[str, object] | object,
    *,
    route: str = "/mcp",
    cors: CorsOption = True,
    allowed_hosts: Collection[str] | None = None,
    allowed_origins: Collection[str] | None = None,
    auth: AuthOption = None,
    legacy: Literal["stateless", "reject"] = "stateless",
    response_mode: ResponseMode = "auto",
    keepalive_s: float = DEFAULT_KEEPALIVE_S,
    state_key: str | bytes | None = None,
    on_error: Callable[[Exception], object] | None = None,
) -> McpHandler:
    """Serve MCP at a path of a worker, to clients of both eras, without keeping any session.

    Args:
        server: an `McpServer`; a function that makes one for each request; a server of the official SDK (extra
            `mcp-sdk`); or `{"agent": "support", "name": "default"}`: the `@tool` methods of that agent.
        route: the path. A request for another one is answered with 404.
        cors: which other pages may read answers; by default all, without cookies.
        allowed_hosts: the names that the server goes by, or "*". On your own machine only its local names and
            addresses are served otherwise.
        allowed_origins: host names of web pages that may send requests, or "*". Local pages always may.
        auth: who sends a request: a function of the request that returns an `AuthInfo`, a mapping of props, None, or a
            `Response` that refuses it; sync or async. Or the value itself.
        legacy: "reject" refuses clients of the older era.
        response_mode: "json" never streams, so progress and log messages are lost; "sse" always does.
        keepalive_s: how long a stream may be silent.
        state_key: a secret of at least 16 bytes that seals the state of calls which wait for input. By default the
            variable `MCP_STATE_KEY` of the environment, and without it a key that is lost with the process.
        on_error: called with an exception that was answered with an internal error.

    Raises:
        UsageError: an option cannot be used.
    """
    if not route.startswith("/"):
        raise UsageError(f"route is a path such as /mcp, not {route!r}")
    if legacy not in ("stateless", "reject") or response_mode not in ("auto", "json", "sse"):
        raise UsageError('legacy is "stateless" or "reject"; response_mode is "auto", "json" or "sse"')
    if not keepalive_s > 0:
        raise UsageError(f"keepalive_s must be above 0, not {keepalive_s!r}")
    options = HandlerOptions(
        route=route,
        cors=cors,
        allowed_hosts=_names(allowed_hosts),
        allowed_origins=_names(allowed_origins),
        auth=auth,
        serves_legacy=legacy == "stateless",
        mode=response_mode,
        keepalive_s=keepalive_s,
        state_key=state_key,
        on_error=on_error,
    )
    return McpHandler(server, options)
