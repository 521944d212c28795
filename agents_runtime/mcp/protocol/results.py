"""What the modern era adds to a result: its type, how long it may be cached, who made it, and what input it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.versions import SERVER_INFO_KEY

if TYPE_CHECKING:
    from agents_runtime.mcp.protocol.messages import Params

COMPLETE: Final = "complete"
INPUT_REQUIRED: Final = "input_required"
TASK: Final = "task"
TYPES: Final = (COMPLETE, INPUT_REQUIRED, TASK)

INPUT_METHODS: Final = ("elicitation/create", "sampling/createMessage", "roots/list")
"""What a server may ask a client for while it answers."""

MAY_LACK_INPUT: Final = frozenset(("tools/call", "prompts/get", "resources/read"))
"""Methods whose answer may be that input is required."""

CACHEABLE: Final = frozenset(
    ("server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read")
)
"""Methods whose complete results say how long they may be cached."""


@dataclass(frozen=True, slots=True)
class CacheHint:
    """How long a result may be kept, and for whom.

    Attributes:
        ttl_ms: milliseconds; 0: ask again each time.
        scope: `public` when it is the same for everybody, `private` when it is for one user only.

    Raises:
        UsageError: a negative time, or another scope.
    """

    ttl_ms: int = 0
    scope: Literal["public", "private"] = "private"

    def __post_init__(self) -> None:
        if type(self.ttl_ms) is not int or self.ttl_ms < 0:
            raise UsageError(f"ttl_ms is a number of milliseconds, 0 or more, not {self.ttl_ms!r}")
        if self.scope not in ("public", "private"):
            raise UsageError(f'scope is "public" or "private", not {self.scope!r}')


def stamped(result: Mapping[str, Any], server_info: Mapping[str, Any], cache: CacheHint | None = None) -> Params:
    """A result as the modern era sends it: with its type, its server, and its cache hint when one is given.

    What the result says for itself stays.
    """
    stamp: Params = {"resultType": COMPLETE, **result}
    meta = stamp.get("_meta")
    stamp["_meta"] = {SERVER_INFO_KEY: server_info, **(meta if isinstance(meta, Mapping) else {})}
    if cache is not None and stamp["resultType"] == COMPLETE:
        stamp.setdefault("ttlMs", cache.ttl_ms)
        stamp.setdefault("cacheScope", cache.scope)
    return stamp


def input_required(requests: Mapping[str, Mapping[str, Any]], state: str | None = None) -> Params:
    """The result that asks for input: requests by key, each `{"method": ..., "params": ...}`, and what to send back."""
    result: Params = {"resultType": INPUT_REQUIRED}
    if requests:
        result["inputRequests"] = dict(requests)
    if state is not None:
        result["requestState"] = state
    return result


def type_of(result: Mapping[str, Any]) -> str:
    """The type of a result. An older server gives none, which means complete."""
    kind = result.get("resultType", COMPLETE)
    return kind if isinstance(kind, str) else COMPLETE


def cache_hint_of(result: Mapping[str, Any]) -> CacheHint | None:
    """The cache hint of a result, None when it has none that makes sense."""
    ttl_ms, scope = result.get("ttlMs"), result.get("cacheScope", "private")
    if type(ttl_ms) is not int or ttl_ms < 0 or scope not in ("public", "private"):
        return None
    return CacheHint(ttl_ms, scope)
