"""The port, implemented on one life of a hosted object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from agents_runtime.errors import Evicted
from agents_runtime.local.sockets import AutoResponse, WebSocket, WebSocketPair, handle
from agents_runtime.local.storage.port import LocalKeyValue, LocalSqlStore
from agents_runtime.local.values import JsException

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Fetch, Namespace
    from agents_runtime.local.alarms import AlarmSlot
    from agents_runtime.local.clock import HostClock
    from agents_runtime.local.entropy import Entropy
    from agents_runtime.local.facets import InnerObjects
    from agents_runtime.local.life import Life
    from agents_runtime.local.namespaces import LocalId

T = TypeVar("T")


class LocalPlatform:
    """`agents_runtime._platform.ports.Platform` on the local host."""

    def __init__(self, life: Life) -> None:
        self._life = life

    @property
    def id(self) -> LocalId:
        object_id: LocalId = self._life.actor.id
        return object_id

    @cached_property
    def sql(self) -> LocalSqlStore:
        return LocalSqlStore(self._life.database)

    @cached_property
    def kv(self) -> LocalKeyValue:
        return LocalKeyValue(self._life.database)

    @property
    def alarm(self) -> AlarmSlot:
        return self._life.alarm

    @property
    def clock(self) -> HostClock:
        return self._life.actor.host.clock

    @property
    def entropy(self) -> Entropy:
        return self._life.actor.host.entropy

    @cached_property
    def sockets(self) -> LocalSockets:
        return LocalSockets(self._life)

    @property
    def fetch(self) -> Fetch:
        return self._life.actor.host.outgoing

    @property
    def facets(self) -> InnerObjects:
        from agents_runtime.local.facets import InnerObjects

        return InnerObjects(self._life)

    @property
    def inner_identity(self) -> str | None:
        object_id: LocalId | str = self._life.actor.id
        return object_id if isinstance(object_id, str) else None

    @property
    def is_debug(self) -> bool:
        return self._life.actor.host.options.debug

    def namespaces(self) -> Mapping[str, Namespace]:
        return self._life.actor.host.env.agents_namespaces

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        self._life.spawn(work)

    async def block_concurrency(self, work: Callable[[], Awaitable[T]]) -> T:
        return await self._life.block_concurrency(work)

    async def committed(self) -> None:
        await self._life.output.committed()

    async def delete_all(self) -> None:
        self._life.check_alive()
        self._life.database.destroy_contents()
        self._life.alarm.set_ms(None)
        self._life.actor.remove_facets()

    def abort(self, reason: str, *, retry_alarm: bool = True) -> NoReturn:
        life = self._life
        life.check_alive()
        if not retry_alarm:
            life.actor.abandon_alarm()
        life.actor.reset(JsException("Error", reason))
        raise Evicted(reason)


class LocalSockets:
    """The port's `Sockets`."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._table = life.actor.sockets

    def accept(self, tags: Sequence[str], attachment: str) -> tuple[WebSocket, Any]:
        from agents_runtime.local.shim.response import Response

        self._life.check_alive()
        pair = WebSocketPair()
        self._table.add(pair.server, self._life.actor, tags)
        socket = handle(pair.server, self._life)
        socket.write_attachment(attachment)
        return socket, Response(None, status=101, web_socket=pair.client)

    def refuse(self, code: int, reason: str) -> Any:
        from agents_runtime.local.shim.response import Response

        pair = WebSocketPair()
        pair.client.deliver_close((code, reason))
        return Response(None, status=101, web_socket=pair.client)

    def all(self, tag: str | None = None) -> list[WebSocket]:
        return self._table.open_handles(self._life, tag)

    def wrap(self, raw: Any) -> WebSocket:
        socket: WebSocket = raw
        return socket

    def set_auto_response(self, request: str, response: str) -> None:
        self._table.auto_response = AutoResponse(request, response)
