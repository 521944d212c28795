"""Requests of the modern era at the endpoint of a legacy server: each is answered by an object of its own.

Such an object stores nothing by itself, not even its name, and so it leaves nothing. What a tool stores in it is
deleted soon after the answer. Only a call that became a durable task keeps its object, until the task is forgotten.

Clients that listen for changes all do so at one object, the hub. The others tell it what they change.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from agents_runtime._core.identity import Identity, StartProps
from agents_runtime.mcp.server.endpoint import Endpoint
from agents_runtime.mcp.server.http import Manner
from agents_runtime.mcp.server.requests_state import Sealer
from agents_runtime.mcp.server.subscriptions import Changes
from agents_runtime.mcp.sessions.readiness import KEY
from agents_runtime.mcp.sessions.store import OWNER

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._platform.ports import Platform
    from agents_runtime.mcp.protocol.messages import Params, Request
    from agents_runtime.mcp.server.caller import Caller, Outbound
    from agents_runtime.mcp.server.server import McpServer
    from agents_runtime.mcp.sessions.head import Head
    from agents_runtime.mcp.sessions.store import SessionStore

MODERN = "modern:"
"""How the names of these objects begin; their id follows."""

HUB = MODERN + "listening"
"""The name of the object at which clients listen."""

TELL_METHOD = "cf_agents_mcp_changed"
EXPIRES = "expires_ms"
HUB_SETTING = "hub"
RUNS_USER_CODE = ("tools/call", "prompts/get", "resources/read")

ASKED: ContextVar[object] = ContextVar("agents_runtime_mcp_asked", default=None)
"""Who answers now. A server may be shared, and so may the changes that all who use it hear."""

logger = logging.getLogger("agents_runtime")


class HeldIdentity(Identity):
    """A name that is stored only when there is something else to store."""

    def remember(self) -> None:
        """Leave it at that for now."""

    def store(self) -> None:
        """Store it after all."""
        super().remember()


class HeldProps(StartProps):
    """Props that are stored only when there is something else to store."""

    _held: Json = None

    def keep(self, props: Json) -> None:
        """Make `props` those of this life."""
        self._held = props if props is not None else self._held

    def last(self) -> Json:
        """The props of this life, or those stored."""
        return super().last() if self._held is None else self._held

    def store(self) -> None:
        """Store them after all."""
        super().keep(self._held)


class ModernAnswers:
    """Answers the requests that come to one such object."""

    def __init__(
        self,
        platform: Platform,
        store: SessionStore,
        call: Callable[..., Awaitable[Any]],
        end: Callable[[], None],
        keep: Callable[[], None],
        ttl_ms: int,
    ) -> None:
        self._platform = platform
        self._store = store
        self._call = call
        self._end = end
        self._keep_rest = keep
        self._ttl_ms = ttl_ms
        self._key: str | None = None
        self._hub: list[str] | None = None
        self.heard = Changes()

    async def answer(self, server: McpServer, request: Any, head: Head) -> Any:  # noqa: ANN401 - the platform's request and response
        """The response to a request."""
        self._key, self._hub = head.key, head.hub
        ASKED.set(self)
        kept: Any = self._platform.kv.get(KEY)
        key = kept if isinstance(kept, str) else head.key
        if key is not None:
            server.sealer = Sealer(bytes.fromhex(key), self._platform.clock)

        async def give() -> McpServer:
            return server

        endpoint = Endpoint(give, self.heard, Manner(self._platform.clock))
        return await self._call(endpoint.answer, request, head.auth_info())

    def watch(self, server: McpServer) -> None:
        """Let nothing that a tool, prompt or resource stores outlive its request for long."""
        for method in RUNS_USER_CODE:
            answer = server.methods.get(method) or server.answers[method]
            server.methods[method] = self._tidied(answer)

    def _tidied(self, answer: Any) -> Any:  # noqa: ANN401 - an answer to a method
        async def tidied(request: Request, caller: Caller, outbound: Outbound) -> Params:
            try:
                result: Params = await answer(request, caller, outbound)
                return result
            finally:
                if self.expires_ms is None and self._has_stored():
                    self._end()

        return tidied

    def changed(self, method: str, params: Params) -> None:
        """Tell those who listen here; and the hub, if it was changed here."""
        self.heard.tell(method, params)
        if ASKED.get() is not self:
            return
        hub = self._hub or self._store.setting(HUB_SETTING)
        if hub is not None:
            self._platform.spawn(self._tell_hub(hub, method, params))

    def resume(self) -> None:
        """Let what the running task changes be told."""
        ASKED.set(self)

    async def _tell_hub(self, hub: list[str], method: str, params: Params) -> None:
        try:
            namespace = self._platform.namespaces()[hub[0]]
            for jurisdiction in hub[1:]:
                namespace = namespace.jurisdiction(jurisdiction)
            stub = namespace.get(namespace.idFromName(HUB))
            await getattr(stub, TELL_METHOD)(method, str(params.get("uri", "")))
        except Exception:  # they read the lists again sooner or later
            logger.exception("the clients that listen could not be told of %s", method)

    def keep(self, caller: Caller) -> None:
        """Store what a task needs to outlive the memory of its object."""
        self._keep_rest()
        if self._key is not None:
            self._platform.kv.put(KEY, self._key)
        self._store.set(OWNER, caller.principal or None)
        self._store.set(HUB_SETTING, self._hub)
        self._store.set(EXPIRES, self._platform.clock.now_ms() + self._ttl_ms)

    @property
    def owner(self) -> str | None:
        """Whose the task of this object is; None: whoever knows its id."""
        owner: str | None = self._store.setting(OWNER)
        return owner

    @property
    def expires_ms(self) -> int | None:
        """When the task of this object is forgotten; None when it has none."""
        expires_ms: int | None = self._store.setting(EXPIRES)
        return expires_ms

    def _has_stored(self) -> bool:
        platform = self._platform
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' LIMIT 1"
        return bool(platform.sql.execute(query)) or bool(platform.kv.keys(""))
