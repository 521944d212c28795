"""`ctx` of a hosted object: the platform's DurableObjectState, in the platform's spelling."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from agents_runtime.local.platform import LocalPlatform
from agents_runtime.local.storage.storage import DurableObjectStorage

if TYPE_CHECKING:
    from agents_runtime.local.facets import LocalFacets
    from agents_runtime.local.life import Life
    from agents_runtime.local.namespaces import LocalId
    from agents_runtime.local.sockets import AutoResponse, ServerEnd, WebSocket

T = TypeVar("T")


class DurableObjectContext:
    """What a Durable Object's constructor is given. Valid for one life of the object."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self.id: LocalId | str = life.actor.id
        self.agents_platform = LocalPlatform(life)
        self._storage: DurableObjectStorage | None = None

    @property
    def storage(self) -> DurableObjectStorage:
        """SQL, key-value storage and the alarm of this object."""
        if self._storage is None:
            life = self._life
            self._storage = DurableObjectStorage(
                life.database, life.alarm, life.block_concurrency, life.output.committed, life.actor.remove_facets
            )
        return self._storage

    @property
    def exports(self) -> Any:
        """The classes of the worker, by name."""
        return self._life.actor.host.exports

    @property
    def facets(self) -> LocalFacets:
        """Objects inside this object, each with storage of its own."""
        from agents_runtime.local.facets import LocalFacets

        return LocalFacets(self._life)

    def acceptWebSocket(self, socket: ServerEnd, tags: Sequence[str] = ()) -> None:
        """Accept the server end of a pair; its frames come to `webSocketMessage`, also after hibernation."""
        self._life.check_alive()
        self._life.actor.sockets.add(socket, self._life.actor, list(tags))

    def getWebSockets(self, tag: str | None = None) -> list[WebSocket]:
        """Open WebSockets, newest first."""
        return self._life.actor.sockets.open_handles(self._life, tag)

    def getTags(self, socket: WebSocket) -> list[str]:
        return list(socket.tags)

    def setWebSocketAutoResponse(self, pair: AutoResponse | None = None) -> None:
        """Answer one text without waking the object; None stops that."""
        self._life.actor.sockets.auto_response = pair

    def getWebSocketAutoResponse(self) -> AutoResponse | None:
        return self._life.actor.sockets.auto_response

    def getWebSocketAutoResponseTimestamp(self, socket: WebSocket) -> int | None:
        """When `socket` was last answered automatically, in milliseconds since the epoch."""
        return socket.end.auto_response_ms

    def blockConcurrencyWhile(self, work: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        """Run `work` while no other event enters. It starts whether or not the result is awaited."""
        life = self._life
        life.check_alive()
        life.input.close()
        task = asyncio.get_running_loop().create_task(life.finish_blocking(work))
        life.adopt(task)
        task.add_done_callback(_retrieve)
        return task

    def waitUntil(self, work: Awaitable[Any]) -> None:
        """Keep the object in memory until `work` is done."""
        if inspect.iscoroutine(work):
            self._life.spawn(work)
        elif isinstance(work, asyncio.Task):
            self._life.adopt(work)
        else:
            self._life.spawn(_wait_for(work))

    def abort(self, reason: str | None = None) -> NoReturn:
        """Drop this object's memory; callers in progress fail with `reason`."""
        self.agents_platform.abort(reason or "Durable Object abort requested")


async def _wait_for(work: Awaitable[Any]) -> None:
    await work


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
