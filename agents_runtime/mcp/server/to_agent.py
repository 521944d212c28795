"""From the handler in a worker to the agent whose tools a client wants, with an internal header."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from agents_runtime._core.jsonx import dumps, loads
from agents_runtime._platform.base import header_of, headers_starting, namespaces_of, read_body
from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.messages import is_object
from agents_runtime.mcp.server.auth import AuthInfo
from agents_runtime.mcp.server.http import DEFAULT_KEEPALIVE_S, MAX_BODY_BYTES, ResponseMode, too_large
from agents_runtime.routing.bindings import binding_of
from agents_runtime.routing.urls import name_problem

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Namespace

HEADER = "x-cf-agents-mcp-tools"
"""Routing strips every header that begins like this from requests of clients."""

DEFAULT_NAME = "default"
_KEPT = ("accept", "content-type")


@dataclass(frozen=True, slots=True)
class Errand:
    """What the worker says about a request that it passes on.

    Attributes:
        auth: who sends it.
        serves_legacy: whether clients of the older era are served.
        mode: how answers are sent.
        keepalive_s: how long a stream may be silent.
    """

    auth: AuthInfo | None = None
    serves_legacy: bool = True
    mode: ResponseMode = "auto"
    keepalive_s: float = field(default=DEFAULT_KEEPALIVE_S)

    def text(self) -> str:
        """The header's value, in ASCII."""
        return base64.b64encode(dumps(asdict(self)).encode()).decode()


def read_errand(value: str) -> Errand:
    """What a header's value says."""
    said = loads(base64.b64decode(value).decode())
    if not is_object(said):
        raise UsageError("the internal header of an MCP request cannot be read")
    fields: dict[str, Any] = dict(said)
    auth: object = fields.pop("auth")
    if is_object(auth):
        known: dict[str, Any] = {**auth, "scopes": tuple(auth["scopes"])}
        fields["auth"] = AuthInfo(**known)
    return Errand(**fields)


def check_target(target: Mapping[str, object]) -> None:
    """Raise UsageError if `target` names no agent."""
    name = target.get("name", DEFAULT_NAME)
    if (
        not isinstance(target.get("agent"), str | type)
        or not isinstance(name, str)
        or target.keys() - {"agent", "name"}
    ):
        raise UsageError(f'an agent is meant by {{"agent": "support", "name": "default"}}, not by {dict(target)!r}')
    if problem := name_problem(name):
        raise UsageError(problem)


async def forward(request: Any, target: Mapping[str, object], env: Any, errand: Errand) -> Any:  # noqa: ANN401 - the platform's
    """The agent's response to a request."""
    namespaces = namespaces_of(env)
    wanted: Any = target["agent"]
    namespace: Namespace = namespaces[binding_of(namespaces, wanted)]
    stub: Any = namespace.get(namespace.idFromName(str(target.get("name", DEFAULT_NAME))))
    names = {*_KEPT, *(name.lower() for name in headers_starting(request, ("mcp-",)))}
    headers = {name: value for name in names if (value := header_of(request, name)) is not None}
    options: dict[str, Any] = {"method": str(request.method), "headers": {**headers, HEADER: errand.text()}}
    if request.method == "POST":
        body = await read_body(request, MAX_BODY_BYTES)
        if body is None:
            return too_large()
        options["body"] = body.decode("utf-8", "replace")
    return await stub.fetch(str(request.url), **options)
