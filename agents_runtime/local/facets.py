"""`ctx.facets`: objects inside an object, each with a database of its own, as the platform has them.

A facet is reached only through its parent. It sleeps and wakes by itself; it ends with its parent when that is reset,
and its data goes with the parent's. Its address is its parent's address and its key, so nothing else can lead to it.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, cast

from agents_runtime.local.actor import Actor
from agents_runtime.local.alarms import AlarmSlot
from agents_runtime.local.exports import ExportedClass
from agents_runtime.local.namespaces import LocalId, LocalNamespace
from agents_runtime.local.values import JsException, clone

if TYPE_CHECKING:
    from agents_runtime.local.life import Life
    from agents_runtime.local.store import Address

MAX_KEY_BYTES = 256
MAX_DEPTH = 4
"""Limits of the platform: the length of a facet's name, and of the chain from the root to the deepest facet."""

NO_ALARM = "Facets currently cannot set alarms."
DELETED = "Facet was deleted."


class FacetAlarm(AlarmSlot):
    """A facet has no alarm."""

    def set_ms(self, when_ms: int | None) -> None:
        """Refuse to set one; clearing what is not there is harmless."""
        if when_ms is not None:
            raise JsException("Error", NO_ALARM)

    @property
    def stored_ms(self) -> int | None:
        return None


class Facet(Actor):
    """One facet: an actor that only its parent knows."""

    def __init__(self, parent: Actor, key: str, cls: type, facet_id: LocalId | str) -> None:
        super().__init__(parent.host, cls, facet_id, facet_address(parent.address, key))
        self.parent = parent
        self.key = key
        self.ended_by: Exception | None = None

    def __repr__(self) -> str:
        return f"<facet {self.key!r} of {self.parent!r}>"

    @property
    def stored_name(self) -> str:
        """What the database is marked with, for people who look at the files."""
        return self.key

    def alarm_slot(self, life: Life) -> AlarmSlot:
        return FacetAlarm(life.database, self.host.alarms, cast("LocalId", self.id))

    def occupy(self) -> None:
        if self.ended_by is not None:
            raise self.ended_by
        self.parent.facets[self.key] = self
        self.parent.occupy()

    def vacate(self) -> None:
        if not self.is_needed:
            self.parent.vacate()

    def reset(self, error: Exception, *, code: int = 0) -> None:
        """End this facet and those in it: whoever still holds it sees `error`, the next `get` starts another."""
        self.ended_by = error
        super().reset(error)
        if self.parent.facets.get(self.key) is self:
            del self.parent.facets[self.key]
            self.parent.vacate()


class LocalFacets:
    """`ctx.facets` of one life of an object."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def get(self, name: str, get_options: Callable[[], Any]) -> FacetStub:
        """The facet of this name, to be called like any other object.

        Args:
            name: at most 256 bytes.
            get_options: returns `{"class": ctx.exports.Cls, "id": ...}`, or an awaitable of it. Called when the facet
                is not running and something is sent to it.
        """
        self._check(name)
        if _depth(self._life.actor) + 1 >= MAX_DEPTH:
            raise JsException(
                "Error",
                "Facet nesting depth limit exceeded. The maximum depth including the root Durable Object is "
                f"{MAX_DEPTH}.",
            )
        return FacetStub(self._life, name, get_options)

    def abort(self, name: str, reason: object) -> None:
        """Drop a facet's memory; what runs in it, and every stub of it, fails with `reason`. Its data stays."""
        self._check(name)
        facet = self._life.actor.facets.get(name)
        if facet is not None:
            facet.reset(reason if isinstance(reason, Exception) else JsException("Error", str(reason)))

    def delete(self, name: str) -> None:
        """Drop a facet and delete its data, and that of its own facets, at once. One that is not there is fine."""
        self.abort(name, JsException("Error", DELETED))
        actor = self._life.actor
        actor.host.store.remove(facet_address(actor.address, name))

    def _check(self, name: str) -> None:
        self._life.check_alive()
        if len(name.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
            raise JsException("TypeError", f"Facet name is too long (max {MAX_KEY_BYTES} characters).")


class InnerObjects:
    """The port's `Facets`."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._facets = LocalFacets(life)

    def classes(self) -> Collection[str]:
        return self._life.actor.host.exported_classes()

    def get(self, key: str, class_name: str, identity: str) -> FacetStub:
        host = self._life.actor.host
        return self._facets.get(key, lambda: {"class": host.exported_classes()[class_name], "id": identity})

    def abort(self, key: str, reason: str) -> None:
        self._facets.abort(key, reason)

    def delete(self, key: str) -> None:
        self._facets.delete(key)


class FacetStub:
    """A handle on a facet, for the life of its parent that asked for it."""

    def __init__(self, life: Life, name: str, get_options: Callable[[], Any]) -> None:
        self._life = life
        self._key = name
        self._get_options = get_options
        self._facet: Facet | None = None

    async def fetch(self, request: Any, **init: Any) -> Any:
        """Send an HTTP request to the facet."""
        from agents_runtime.local.shim.request import Request

        if init or not isinstance(request, Request):
            request = Request(request, **init)
        return await (await self._actor()).fetch(request)

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        if name.startswith("__"):
            raise AttributeError(name)

        async def remote_method(*args: Any) -> Any:
            actor = await self._actor()
            return await actor.call(name, [clone(argument) for argument in args])

        remote_method.__name__ = name
        return remote_method

    async def _actor(self) -> Facet:
        life = self._life
        life.check_alive()
        if self._facet is not None:
            if self._facet.ended_by is not None:
                raise self._facet.ended_by
            return self._facet
        parent = life.actor
        facet = parent.facets.get(self._key)
        if facet is None:
            options = self._get_options()
            cls, facet_id = _start_options(await options if inspect.isawaitable(options) else options, parent)
            facet = parent.facets.get(self._key)  # another call may have been quicker
            if facet is None:
                facet = parent.facets[self._key] = Facet(parent, self._key, cls, facet_id)
        self._facet = facet
        return facet


def facet_address(parent: Address, key: str) -> Address:
    """Where a facet's data is kept: beside its parent's."""
    class_name, path = parent
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return class_name, f"{path}.facets/{digest}"


def _depth(actor: Actor) -> int:
    return 1 + _depth(actor.parent) if isinstance(actor, Facet) else 0


def _start_options(given: object, parent: Actor) -> tuple[type, LocalId | str]:
    options: Mapping[str, object] = cast("Mapping[str, object]", given) if isinstance(given, Mapping) else {}
    chosen, facet_id = options.get("class"), options.get("id", parent.id)
    cls = chosen.agents_class if isinstance(chosen, LocalNamespace | ExportedClass) else chosen
    if isinstance(cls, type) and isinstance(facet_id, str | LocalId):
        return cls, facet_id
    raise JsException("TypeError", f'a facet starts with {{"class": ctx.exports.YourClass}}, not {options!r}'[:300])
