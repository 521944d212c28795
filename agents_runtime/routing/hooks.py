"""Hooks that see a request before its agent does, and how they turn it away."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from agents_runtime._platform.base import closed_upgrade, is_request, is_response, make_response
from agents_runtime.errors import UsageError
from agents_runtime.routing.messages import HttpRequest, Response, is_upgrade

UNAUTHORIZED = 4401
_POLICY_VIOLATION = 1008
_MAX_REASON_BYTES = 123


class AgentRoute(NamedTuple):
    """Where a request is about to go."""

    binding: str
    """The Durable Object binding."""
    name: str
    """The agent's name, as it stands in the URL."""

    @property
    def class_name(self) -> str:
        """The binding, under the name that JS hooks know it by."""
        return self.binding


@dataclass(frozen=True, slots=True)
class Rejection:
    """What `reject` returns. Outside the hooks: `return reject(4403).response(request)`."""

    code: int
    reason: str

    def response(self, request: HttpRequest) -> Response:
        """The answer to `request`: an upgrade is accepted and closed with the code, anything else gets a status."""
        if is_upgrade(request):
            return closed_upgrade(self.code, self.reason)
        status = self.code - 4000
        return make_response(self.reason or "Rejected", status if 400 <= status <= 599 else 403)


HookAnswer = HttpRequest | Response | Rejection | None
Hook = Callable[[HttpRequest, AgentRoute], HookAnswer | Awaitable[HookAnswer]]
"""Returns a Response or `reject()` to answer at once, a Request to send that one on, None to go on. May be async."""


def reject(code: int = UNAUTHORIZED, reason: str = "") -> Rejection:
    """Turn a request away for good: return this from `on_before_connect` or `on_before_request`.

    A browser cannot read the HTTP status of a refused WebSocket, so that clients would try again for ever. Instead the
    WebSocket is accepted and closed with `code`, which the clients take as final. An HTTP request is answered with the
    status `code - 4000` where that is one (4401 gives 401), else with 403.

    Args:
        code: 1008, or 4000 to 4999.
        reason: a text the client may read, 123 bytes at most.

    Raises:
        UsageError: clients would not take the code as final, or the reason is too long.
    """
    if code != _POLICY_VIOLATION and not 4000 <= code <= 4999:
        raise UsageError(f"reject({code}): clients stop only for 1008 and 4000 to 4999, any other code they try again")
    if len(reason.encode()) > _MAX_REASON_BYTES:
        raise UsageError(f"reject: the reason may have {_MAX_REASON_BYTES} bytes, this one has {len(reason.encode())}")
    return Rejection(code, reason)


async def ask(hook: Hook, request: HttpRequest, route: AgentRoute) -> tuple[Response | None, HttpRequest]:
    """Run a hook. Returns the answer it gave, or None and the request to send on."""
    answer: Any = hook(request, route)
    if inspect.isawaitable(answer):
        answer = await answer
    if answer is None:
        return None, request
    if isinstance(answer, Rejection):
        return answer.response(request), request
    if is_response(answer):
        return answer, request
    if is_request(answer):
        return None, answer
    name = getattr(hook, "__name__", "the hook")
    raise UsageError(f"{name} must return a Response, a Request, reject() or None, not {type(answer).__name__}")
