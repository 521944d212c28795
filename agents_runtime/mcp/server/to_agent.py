"""From the handler in a worker to the agent whose tools a client wants, with an internal header.

The header says who sends the request, so nobody else may make it. Routing strips it from what clients send, and it is
signed with a key that the agent gives only over RPC: a worker that passes requests on by hand opens nothing.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core.jsonx import dumps, loads
from agents_runtime._platform.base import header_of, headers_starting, namespaces_of, read_body
from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.messages import is_object
from agents_runtime.mcp.server.auth import AuthInfo
from agents_runtime.mcp.server.exposure import KEY_METHOD
from agents_runtime.mcp.server.http import DEFAULT_KEEPALIVE_S, MAX_BODY_BYTES, ResponseMode, too_large
from agents_runtime.routing.bindings import binding_of
from agents_runtime.routing.urls import name_problem

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Namespace

HEADER = "x-cf-agents-mcp-tools"
"""Routing strips every header that begins like this from requests of clients."""

STALE = 421
"""The status with which an agent answers a header that it did not expect; its key may be another one now."""

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

    def signed(self, key: str) -> str:
        """The header's value, in ASCII."""
        payload = base64.b64encode(dumps(asdict(self)).encode()).decode()
        return f"{payload}.{_signature(payload, key)}"


def read_errand(value: str, key: str) -> Errand | None:
    """What a header's value says; None when it was not signed with this key."""
    payload, _, signature = value.partition(".")
    if not hmac.compare_digest(_signature(payload, key).encode(), signature.encode()):
        return None
    fields: dict[str, Any] = dict(cast("Mapping[str, Any]", loads(base64.b64decode(payload).decode())))
    auth: object = fields.pop("auth")
    if is_object(auth):
        known: dict[str, Any] = {**auth, "scopes": tuple(auth["scopes"])}
        fields["auth"] = AuthInfo(**known)
    return Errand(**fields)


def _signature(payload: str, key: str) -> str:
    return hmac.digest(bytes.fromhex(key), payload.encode(), "sha256").hex()


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


class Messenger:
    """Passes requests on to one agent.

    Args:
        target: which one.
    """

    def __init__(self, target: Mapping[str, object]) -> None:
        check_target(target)
        self._target = target
        self._key: str | None = None

    async def forward(self, request: Any, env: Any, errand: Errand) -> Any:  # noqa: ANN401 - the platform's
        """The agent's response to a request."""
        namespaces = namespaces_of(env)
        wanted: Any = self._target["agent"]
        namespace: Namespace = namespaces[binding_of(namespaces, wanted)]
        object_id = namespace.idFromName(str(self._target.get("name", DEFAULT_NAME)))
        names = {*_KEPT, *(name.lower() for name in headers_starting(request, ("mcp-",)))}
        headers = {name: value for name in names if (value := header_of(request, name)) is not None}
        options: dict[str, Any] = {"method": str(request.method)}
        if request.method == "POST":
            body = await read_body(request, MAX_BODY_BYTES)
            if body is None:
                return too_large()
            options["body"] = body.decode("utf-8", "replace")
        is_fresh = self._key is None
        while True:
            stub: Any = namespace.get(object_id)
            key = self._key = self._key or str(await getattr(stub, KEY_METHOD)())
            signed = {**headers, HEADER: errand.signed(key)}
            response = await stub.fetch(str(request.url), headers=signed, **options)
            if is_fresh or response.status != STALE:
                return response
            self._key, is_fresh = None, True
