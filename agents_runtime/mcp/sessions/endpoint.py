"""What `McpAgent.serve` returns: the endpoint's door, with its checks of path, host and origin, and its errors."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from agents_runtime._platform.base import (
    current_env,
    header_finder,
    is_response,
    make_response,
    namespaces_of,
    timing_of,
    with_headers,
)
from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR, SERVER_ERROR
from agents_runtime.mcp.server.gate import plain_props
from agents_runtime.mcp.server.keys import KEY_SIZE, secret_of
from agents_runtime.mcp.sessions.front import HEADERS, Front, Route, Visit
from agents_runtime.mcp.sessions.ladder import Refused
from agents_runtime.mcp.sessions.surface import respond
from agents_runtime.routing.bindings import binding_of
from agents_runtime.routing.cors import merged_vary

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Namespace
    from agents_runtime.mcp.server.auth import AuthInfo
    from agents_runtime.mcp.server.envelope import HeaderOf
    from agents_runtime.mcp.server.gate import Gate

logger = logging.getLogger("agents_runtime")

DEFAULT_BINDING = "MCP_OBJECT"
"""The binding that is used when none is named as the class is."""

INTERNAL = Refused(500, INTERNAL_ERROR, "Internal server error")


class McpEndpoint:
    """The endpoint of an `McpAgent`; call its `fetch` in the Worker's."""

    def __init__(self, cls: type, route: Route, binding: str | None, jurisdiction: str | None, gate: Gate) -> None:
        self._cls = cls
        self._route = route
        self._binding = binding
        self._jurisdiction = jurisdiction
        self._gate = gate
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
        namespace, hub = self._namespace(env)
        find = header_finder(request)
        problem = self._gate.problem(find, str(request.url))
        if problem is not None:
            return respond(Refused(403, SERVER_ERROR, f"Forbidden: {problem}"))
        method = str(getattr(request.method, "value", request.method))
        if method == "OPTIONS":
            return make_response(None, 204, self._gate.preflight(find))
        allowed = dict(self._gate.readable(find) or {})
        try:
            auth = await self._gate.authorized(request)
            if is_response(auth):
                response = auth
            else:
                visit = _visit(request, parts, find, method, auth, _plain(ctx) if props is None else props)
                secret = secret_of(env)
                key = self._state_key(secret, env)
                response = await Front(self._route, namespace, hub, env, key, secret).answer(visit)
        except Exception:  # whatever happens behind it: no details for the client
            logger.exception("the MCP endpoint of %s failed", self._cls.__name__)
            response = respond(INTERNAL)
        if "Vary" in allowed:
            allowed["Vary"] = merged_vary(response.headers.get("Vary"), allowed["Vary"])
        return with_headers(response, allowed) if allowed else response

    def _state_key(self, secret: str | None, env: Any) -> str:  # noqa: ANN401 - the platform's
        """What seals the state of modern calls: the environment's secret, or one that ends with this process."""
        if secret is not None:
            return secret.encode().hex()
        if self._made_key is None:
            _, entropy = timing_of(env)
            self._made_key = entropy.random_bytes(KEY_SIZE).hex()
        return self._made_key

    def _namespace(self, env: Any) -> tuple[Namespace, list[str]]:  # noqa: ANN401 - the platform's
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
        if self._jurisdiction is None:
            return namespace, [name]
        return namespace.jurisdiction(self._jurisdiction), [name, self._jurisdiction]


def _visit(
    request: Any,  # noqa: ANN401 - the platform's
    parts: SplitResult,
    find: HeaderOf,
    method: str,
    auth: AuthInfo | None,
    props: Any,  # noqa: ANN401 - JSON
) -> Visit:
    headers = {name: value for name in HEADERS if (value := find(name)) is not None}
    known = None if auth is None else {name: value for name, value in asdict(auth).items() if value}
    if props is None and auth is not None and auth.props:
        props = dict(auth.props)
    return Visit(request, method, parts.path, parse_qs(parts.query), headers, known, props)


def _plain(ctx: Any) -> Any:  # noqa: ANN401 - the platform's context, and JSON
    """The props of the Worker's context as plain JSON, from whichever host."""
    props = plain_props(ctx)
    return json.loads(json.dumps(props)) if props else None
