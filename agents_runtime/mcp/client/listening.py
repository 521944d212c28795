"""Hearing of changes: the stream on which a server tells that its lists are different now.

A stream keeps the agent in memory, so it is given up after some time without use; what changes after that is noticed
when the agent wakes next and reads the lists again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, cast

from agents_runtime.errors import AgentError, RemoteError
from agents_runtime.mcp.client.catalogue import KINDS, capabilities_of
from agents_runtime.mcp.client.errors import HttpRefusal
from agents_runtime.mcp.client.waiting import within
from agents_runtime.mcp.protocol.messages import McpError

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock
    from agents_runtime.mcp.client.session import Session
    from agents_runtime.mcp.protocol.messages import Notification, Params

logger = logging.getLogger("agents_runtime")

LISTEN_S = 300.0
"""How long a stream stays open after the server was used last, unless the server's options say otherwise."""

SPARE_S = 1.0
LONGEST_S = 86_400.0

OPENING_S = 3.0
PAUSE_S = 5.0
MAX_REOPENED = 5

CHANGED: dict[str, tuple[str, ...]] = {
    "notifications/tools/list_changed": ("tools",),
    "notifications/prompts/list_changed": ("prompts",),
    "notifications/resources/list_changed": ("resources", "templates"),
}
_ASKED_FOR = {"tools": "toolsListChanged", "prompts": "promptsListChanged", "resources": "resourcesListChanged"}


def wants_listening(server: Params) -> Params:
    """What a server says it will tell of: what a modern one is asked for."""
    capabilities = capabilities_of(server)
    wanted: Params = {}
    for name, asked in _ASKED_FOR.items():
        capability = capabilities.get(name)
        if isinstance(capability, dict) and cast("Params", capability).get("listChanged") is True:
            wanted[asked] = True
    return wanted


class Listening:
    """The listening to one server.

    Args:
        limit_s: how long a stream stays open after the server was used last; 0: none is opened.
        refresh: reads lists again, by kind.
        spawn: runs work in the background, which `stop` of its owner ends.
    """

    def __init__(
        self,
        clock: Clock,
        limit_s: float,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        refresh: Callable[[Iterable[str]], Coroutine[Any, Any, None]],
    ) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self._spawn = spawn
        self._refresh = refresh
        self._used_ms = 0
        self._task: asyncio.Task[Any] | None = None
        self._session: Session | None = None
        self._is_refused = False
        self._stale: set[str] = set()
        self._is_refreshing = False
        self._opened = asyncio.Event()

    def used(self) -> None:
        """Take note that the server is in use."""
        self._used_ms = self._clock.now_ms()

    async def start(self, session: Session, idle: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Listen to a session, if it has something to tell. `idle` is awaited when it is time to let it go.

        Returns when a server that may ask something can do so: some ask only on this stream.
        """
        self.used()
        wanted = wants_listening(session.server) if self._limit_s > 0 else {}
        asks = self._limit_s > 0 and bool(session.client.capabilities) and not session.is_modern
        is_useful = wanted or asks or session.transport.kind == "sse"
        if self._session is None and not self._is_refused and is_useful:
            self._session = session
            self._opened.clear()
            self._spawn(self._run(session, wanted, idle))
        if self._session is session and asks:
            try:
                await within(self._clock, OPENING_S, "the opening of a stream", _set(self._opened))
            except RemoteError as error:
                logger.debug("the MCP server %s opens no stream: %s", session.client.server_id, error)

    def stop(self) -> None:
        """Listen no more."""
        task, self._task = self._task, None
        self._session, self._is_refused = None, False
        self._opened.set()
        if task is not None:
            task.cancel()

    def told(self, notice: Notification) -> None:
        """Take a notification; what has changed is read again, once for many."""
        kinds = CHANGED.get(notice.method)
        if notice.method == "notifications/subscriptions/acknowledged":
            self._opened.set()
        elif kinds is not None:
            self._note_stale(kinds)

    def _note_stale(self, kinds: Iterable[str]) -> None:
        self._stale.update(kinds)
        if not self._is_refreshing:
            self._is_refreshing = True
            self._spawn(self._catch_up())

    async def _catch_up(self) -> None:
        try:
            while self._stale:
                kinds = [kind for kind in KINDS if kind in self._stale]
                self._stale.clear()
                await self._refresh(kinds)
        finally:
            self._is_refreshing = False

    async def _run(self, session: Session, wanted: Params, idle: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._session is not session:
            return
        self._task = asyncio.current_task()
        hearing = asyncio.get_running_loop().create_task(self._hear(session, wanted))
        timer = asyncio.get_running_loop().create_task(self._until_unused(session))
        is_unused = False
        try:
            await asyncio.wait((hearing, timer), return_when=asyncio.FIRST_COMPLETED)
            is_unused = timer.done()
            if is_unused:
                await idle()
        except asyncio.CancelledError:
            if self._task is not None:
                raise
        finally:
            hearing.cancel()
            timer.cancel()
            await asyncio.gather(hearing, timer, return_exceptions=True)
            if self._task is asyncio.current_task():
                self._task, self._session = None, None
                self._is_refused = not is_unused and not self._opened.is_set()
                self._opened.set()

    async def _until_unused(self, session: Session) -> None:
        is_needed = session.transport.kind == "sse"  # every answer comes on this one stream
        limit_s = max(self._limit_s, SPARE_S) if is_needed else self._limit_s
        while (left_s := limit_s - (self._clock.now_ms() - self._used_ms) / 1000) > 0 or (
            is_needed and session.is_busy
        ):
            await self._clock.sleep(max(left_s, SPARE_S))

    async def _hear(self, session: Session, wanted: Params) -> None:
        for attempt in range(MAX_REOPENED):
            try:
                if session.is_modern:
                    await session.request("subscriptions/listen", {"notifications": wanted}, timeout_s=LONGEST_S)
                else:
                    listening = session.listen(self._opened.set)
                    if listening is not None:
                        await listening
                    elif session.transport.kind == "sse":
                        await asyncio.get_running_loop().create_future()
                    return
            except (McpError, HttpRefusal) as error:
                logger.debug("the MCP server %s is not listened to: %s", session.client.server_id, error)
                return
            except AgentError as error:
                logger.debug("the stream of the MCP server %s ended: %s", session.client.server_id, error)
            await self._clock.sleep(PAUSE_S * (attempt + 1))
            self._note_stale(kind for kinds in CHANGED.values() for kind in kinds)


async def _set(event: asyncio.Event) -> None:
    await event.wait()
