"""Telling clients that lists or resources have changed: those who listen on this object or isolate, no others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from agents_runtime.mcp.protocol.messages import McpError
from agents_runtime.mcp.protocol.versions import INVALID_PARAMS, SUBSCRIPTION_ID_KEY

if TYPE_CHECKING:
    from agents_runtime.mcp.protocol.messages import Params, RequestId

Listener = Callable[[str, "Params"], None]
"""Takes the method and the parameters of a notification."""

TOOLS: Final = "notifications/tools/list_changed"
PROMPTS: Final = "notifications/prompts/list_changed"
RESOURCES: Final = "notifications/resources/list_changed"
UPDATED: Final = "notifications/resources/updated"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"

KINDS: Final[Mapping[str, str]] = {
    "toolsListChanged": TOOLS,
    "promptsListChanged": PROMPTS,
    "resourcesListChanged": RESOURCES,
}
"""What a client may listen for, and the notification it then gets."""

MAX_RESOURCES: Final = 1_000
"""The most resources that one subscription may name."""


class Changes:
    """What has changed, told to whoever listens now."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: dict[object, Listener] = {}

    @property
    def count(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def tools(self) -> None:
        """Tell clients to list the tools again."""
        self.tell(TOOLS, {})

    def prompts(self) -> None:
        """Tell clients to list the prompts again."""
        self.tell(PROMPTS, {})

    def resources(self) -> None:
        """Tell clients to list the resources again."""
        self.tell(RESOURCES, {})

    def resource(self, uri: str) -> None:
        """Tell the clients that subscribed to a resource to read it again."""
        self.tell(UPDATED, {"uri": uri})

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` for each change from now on, until the returned function is called."""
        key = object()
        self._listeners[key] = listener
        return lambda: self._listeners.pop(key, None) and None

    def tell(self, method: str, params: Params) -> None:
        """Pass on a notification of any of these kinds."""
        for listener in list(self._listeners.values()):
            listener(method, params)


class Subscription:
    """One `subscriptions/listen`: which changes it asked for, and those it has not been told yet.

    What happens twice before it is told is told once, so nothing piles up.

    Raises:
        McpError: what it asks for cannot be read.
    """

    def __init__(self, request_id: RequestId, params: Mapping[str, Any], wake: Callable[[], None]) -> None:
        asked = params.get("notifications", {})
        if not isinstance(asked, dict):
            raise McpError(INVALID_PARAMS, "notifications must be an object")
        wanted = cast("Params", asked)
        uris: object = wanted.get("resourceSubscriptions", [])
        if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in cast("list[object]", uris)):
            raise McpError(INVALID_PARAMS, "resourceSubscriptions must be a list of URIs")
        self._uris = frozenset(cast("list[str]", uris))
        if len(self._uris) > MAX_RESOURCES:
            raise McpError(INVALID_PARAMS, f"a subscription may name at most {MAX_RESOURCES:,} resources")
        self._methods = {method for kind, method in KINDS.items() if wanted.get(kind) is True}
        self._meta = {SUBSCRIPTION_ID_KEY: request_id}
        self._wake = wake
        self._waiting: dict[tuple[str, str], Params] = {}
        honored: Params = {kind: True for kind, method in KINDS.items() if method in self._methods}
        if self._uris:
            honored["resourceSubscriptions"] = sorted(self._uris)
        self._waiting[ACKNOWLEDGED, ""] = {"notifications": honored}

    def take(self, method: str, params: Params) -> None:
        """Take note of a change, if it was asked for."""
        uri = str(params.get("uri", ""))
        if method in self._methods or (method == UPDATED and uri in self._uris):
            self._waiting[method, uri] = params
            self._wake()

    def waiting(self) -> list[tuple[str, Params]]:
        """What is to be told now, the acknowledgement first. It is not given again."""
        told = [(method, {**params, "_meta": self._meta}) for (method, _), params in self._waiting.items()]
        self._waiting.clear()
        return told
