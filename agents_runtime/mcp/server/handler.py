"""create_mcp_handler: an MCP server at a path of a worker, without sessions."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from agents_runtime._platform.base import (
    current_env,
    header_finder,
    make_response,
    timing_of,
    with_headers,
)
from agents_runtime.context import is_awaitable
from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.messages import is_object
from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR, SERVER_ERROR
from agents_runtime.mcp.server.auth import AuthInfo
from agents_runtime.mcp.server.endpoint import Endpoint
from agents_runtime.mcp.server.gate import AuthOption, Gate, plain_props
from agents_runtime.mcp.server.http import DEFAULT_KEEPALIVE_S, Manner, ResponseMode, refused
from agents_runtime.mcp.server.keys import sealer_for
from agents_runtime.mcp.server.server import McpServer
from agents_runtime.mcp.server.subscriptions import Changes

if TYPE_CHECKING:
    from agents_runtime.mcp.server.checks import Names
    from agents_runtime.mcp.server.dispatch import Answering
    from agents_runtime.mcp.server.envelope import HeaderOf
    from agents_runtime.mcp.server.requests_state import Sealer
    from agents_runtime.mcp.server.to_agent import Messenger
    from agents_runtime.routing.cors import CorsOption

logger = logging.getLogger("agents_runtime")

MakeServer: TypeAlias = "Callable[[], McpServer | Awaitable[McpServer]]"


@dataclass(frozen=True, slots=True)
class HandlerOptions:
    """The options of `create_mcp_handler`, checked."""

    route: str
    gate: Gate
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
        problem = options.gate.problem(find, str(request.url))
        if problem is not None:
            return refused(403, SERVER_ERROR, f"Forbidden: {problem}")
        if request.method == "OPTIONS":
            return make_response(None, 204, options.gate.preflight(find))
        allowed = options.gate.readable(find)
        try:
            response = await self._answer(request, current_env() if env is None else env, ctx, find)
        except Exception as error:
            logger.exception("an MCP request failed")
            if options.on_error is not None:
                options.on_error(error)
            response = refused(500, INTERNAL_ERROR, "Internal server error")
        return response if allowed is None else with_headers(response, allowed)

    async def _answer(self, request: Any, env: Any, ctx: Any, find: HeaderOf) -> Any:  # noqa: ANN401 - the platform's
        auth = await self._options.gate.authorized(request)
        if auth is None and is_object(props := plain_props(ctx)):
            auth = AuthInfo(props=dict(props))
        if auth is not None and not isinstance(auth, AuthInfo):
            return auth
        if self._target.agent is not None:
            from agents_runtime.mcp.server.to_agent import Errand

            options = self._options
            errand = Errand(auth, options.serves_legacy, options.mode, options.keepalive_s)
            return await self._target.agent.forward(request, env, errand)
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


class _Target:
    """Where the requests go: to a server, to one that is made for each request, or to an agent."""

    def __init__(self, target: object) -> None:
        self.agent: Messenger | None = None
        self.changes = Changes()
        self._make: MakeServer | None = None
        self._server: Answering | None = None
        if isinstance(target, McpServer):
            self._server = target
            self.changes = target.changes
        elif is_object(target):
            from agents_runtime.mcp.server.to_agent import Messenger

            self.agent = Messenger(target)
        elif (adapted := _adapted(target)) is not None:
            self._server = adapted
        elif callable(target):
            self._make = cast("MakeServer", target)
        else:
            raise UsageError(
                "create_mcp_handler takes an McpServer, a function that makes one, an official server, "
                f'or {{"agent": "name"}}, not {target!r}'[:300]
            )

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


def _names(given: Collection[str] | None) -> Names:
    return given if given is None or isinstance(given, str) else frozenset(given)


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
        gate=Gate(cors, _names(allowed_hosts), _names(allowed_origins), auth),
        serves_legacy=legacy == "stateless",
        mode=response_mode,
        keepalive_s=keepalive_s,
        state_key=state_key,
        on_error=on_error,
    )
    return McpHandler(server, options)
