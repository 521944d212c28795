"""The port for an object inside an object: the host's own platform, but for alarm, sockets and identity."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from agents_runtime._platform.child.identity import ChildId
from agents_runtime._platform.child.sockets import ChildSockets
from agents_runtime._platform.child.uplink import Uplink

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, Entropy, Facets, Fetch, KeyValue, Namespace, Platform, SqlStore

T = TypeVar("T")


class ChildAlarm:
    """The port's `Alarm`: the root keeps it, and wakes the child by it.

    What was armed before this life is not known here; whoever needs a wake says so again, which is harmless.
    """

    def __init__(self, uplink: Uplink) -> None:
        self._uplink = uplink
        self._when_ms: int | None = None

    def get_ms(self) -> int | None:
        """When it goes off, as far as this life knows."""
        return self._when_ms

    def set_ms(self, when_ms: int | None) -> None:
        """Arm it, or clear it with None."""
        self._when_ms = when_ms
        self._uplink.post("wake", when_ms)

    def fired(self) -> None:
        """Take note that it went off."""
        self._when_ms = None


class ChildPlatform:
    """`Platform` for a child: what it stores is its own; its alarm and its sockets are its root's."""

    def __init__(self, base: Platform, identity: str) -> None:
        self._base = base
        self.id = ChildId(identity)
        self.uplink = Uplink(base)
        self.alarm = ChildAlarm(self.uplink)
        self.sockets = ChildSockets(base.sql, self.uplink)

    @property
    def inner_identity(self) -> str:
        """The text that its parent gave it."""
        return self.id.text

    @property
    def sql(self) -> SqlStore:
        """Its own database."""
        return self._base.sql

    @property
    def kv(self) -> KeyValue:
        """Its own values."""
        return self._base.kv

    @property
    def clock(self) -> Clock:
        """Time."""
        return self._base.clock

    @property
    def entropy(self) -> Entropy:
        """Chance."""
        return self._base.entropy

    @property
    def fetch(self) -> Fetch:
        """Requests to other machines."""
        return self._base.fetch

    @property
    def facets(self) -> Facets:
        """Objects inside it."""
        return self._base.facets

    @property
    def is_debug(self) -> bool:
        """Whether answers may carry details."""
        return self._base.is_debug

    def namespaces(self) -> Mapping[str, Namespace]:
        """Durable Object bindings."""
        return self._base.namespaces()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run in the background. The platform keeps the root in memory while something inside it works."""
        self._base.spawn(work)

    async def block_concurrency(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run while no other event enters this object."""
        return await self._base.block_concurrency(work)

    async def committed(self) -> None:
        """Return once its own writes are durable."""
        await self._base.committed()

    async def delete_all(self) -> None:
        """Delete everything it stored; the root then deletes the object itself."""
        home = self.uplink.home  # read before it is gone
        await self._base.delete_all()
        self.sockets.forget()
        if home:
            self.uplink.post("gone")

    def abort(self, reason: str, *, retry_alarm: bool = True) -> NoReturn:
        """Drop its memory. It has no alarm that could be repeated."""
        self._base.abort(reason)
