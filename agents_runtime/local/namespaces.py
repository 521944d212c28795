"""Durable Object namespaces of the local host: ids, bindings and stubs, as the platform spells them."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from agents_runtime.local.values import JsException, clone

if TYPE_CHECKING:
    from agents_runtime.local.actor import Actor
    from agents_runtime.local.host import Host

MAX_NAME_BYTES = 1_024
"""Beyond this the platform does not tell an object its name."""

RESERVED_METHODS = frozenset({"alarm", "webSocketMessage", "webSocketClose", "webSocketError", "fetch", "constructor"})


class LocalId:
    """A Durable Object id: 64 hex digits, derived from class and name, or random.

    `class_name` is the key of the class: its name, or the first one of a class that was renamed.
    """

    __slots__ = ("class_name", "hex", "jurisdiction", "name")

    def __init__(self, class_name: str, hex_id: str, name: str | None, jurisdiction: str | None = None) -> None:
        self.class_name = class_name
        self.hex = hex_id
        self.name = name
        self.jurisdiction = jurisdiction

    def toString(self) -> str:
        return self.hex

    __str__ = toString

    def __repr__(self) -> str:
        return f"<{self.class_name} {self.name!r}>" if self.name is not None else f"<{self.class_name} id {self.hex}>"

    def equals(self, other: object) -> bool:
        return self == other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocalId) and other.hex == self.hex and other.class_name == self.class_name

    def __hash__(self) -> int:
        return hash(self.hex)


@lru_cache(maxsize=4_096)
def id_from_name(class_name: str, name: str, jurisdiction: str | None = None) -> LocalId:
    """The id of a name; always the same for the same class, name and jurisdiction."""
    scope = class_name if jurisdiction is None else f"{class_name}\0{jurisdiction}"
    body = hashlib.sha256(f"{scope}\0{name}".encode("utf-8", "surrogatepass")).digest()[:16]
    remembered = name if len(name.encode("utf-8", "surrogatepass")) <= MAX_NAME_BYTES else None
    return LocalId(class_name, _sign(class_name, body), remembered, jurisdiction)


def id_from_bytes(class_name: str, body: bytes, jurisdiction: str | None = None) -> LocalId:
    """The unnamed id with this random part (16 bytes)."""
    return LocalId(class_name, _sign(class_name, body), None, jurisdiction)


def id_from_string(class_name: str, text: str) -> LocalId:
    """The id that `text` spells; refused when it is no id, or one of another class."""
    text = text.lower()
    try:
        body = bytes.fromhex(text)[:16]
    except ValueError:
        body = b""
    if len(text) != 64 or not body:
        raise JsException("TypeError", f"Invalid Durable Object ID: {text[:80]!r} is not 64 hexadecimal digits.")
    if _sign(class_name, body) != text:
        raise JsException("TypeError", f"Durable Object ID {text} is not valid for this namespace ({class_name}).")
    return LocalId(class_name, text, None)


def _sign(class_name: str, body: bytes) -> str:
    return body.hex() + hashlib.sha256(class_name.encode() + b"\0" + body).digest()[:16].hex()


class LocalNamespace:
    """A Durable Object binding."""

    def __init__(self, host: Host, cls: type, key: str, jurisdiction: str | None = None) -> None:
        self._host = host
        self._cls = cls
        self._key = key
        self._jurisdiction = jurisdiction

    @property
    def agents_class(self) -> type:
        """The class whose objects this binding reaches."""
        return self._cls

    def idFromName(self, name: str) -> LocalId:
        return id_from_name(self._key, name, self._jurisdiction)

    def idFromString(self, text: str) -> LocalId:
        return id_from_string(self._key, text)

    def newUniqueId(self, options: Any = None) -> LocalId:
        return id_from_bytes(self._key, self._host.entropy.random_bytes(16), self._jurisdiction)

    def get(self, object_id: Any, options: Any = None) -> LocalStub:
        if not isinstance(object_id, LocalId) or object_id.class_name != self._key:
            raise JsException("TypeError", f"{object_id!r} is not the id of a {self._cls.__name__}.")
        return LocalStub(self._host, object_id)

    def getByName(self, name: str, options: Any = None) -> LocalStub:
        return self.get(self.idFromName(name))

    def jurisdiction(self, jurisdiction: str) -> LocalNamespace:
        """The same binding, with ids of their own for a jurisdiction."""
        return LocalNamespace(self._host, self._cls, self._key, jurisdiction)


class LocalStub:
    """A handle on an object. `await stub.method(*args)` calls it with copies and returns a copy."""

    def __init__(self, host: Host, object_id: LocalId) -> None:
        self._host = host
        self.id = object_id

    @property
    def name(self) -> str | None:
        return self.id.name

    async def fetch(self, request: Any, **init: Any) -> Any:
        """Send an HTTP request to the object."""
        from agents_runtime.local.shim.request import Request

        if init or not isinstance(request, Request):
            request = Request(request, **init)
        return await self._host.actor(self.id).fetch(request)

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        if name.startswith("__"):
            raise AttributeError(name)

        async def remote_method(*args: Any, **options: Any) -> Any:
            actor = self._host.actor(self.id)
            # JavaScript has no keyword arguments: they arrive as one more argument, a dict.
            sent = [clone(argument) for argument in ((*args, options) if options else args)]
            return await actor.call(name, sent)

        remote_method.__name__ = name
        return remote_method


def remote_method_of(actor: Actor, instance: Any, name: str) -> Callable[..., Any]:
    """The method a stub may call: a plain function of the class, public or not."""
    if name in RESERVED_METHODS:
        raise JsException("TypeError", f"'{name}' is a reserved method and cannot be called over RPC.")
    cls: type[Any] = instance.__class__
    function: object = getattr(cls, name, None)
    if function is None or not callable(function) or isinstance(function, type):
        raise JsException("TypeError", f'The RPC receiver does not implement the method "{name}".')
    method: Callable[..., Any] = getattr(instance, name)
    return method


def remote_failure(error: BaseException) -> JsException:
    """An exception as the caller in another object sees it: the traceback as text, no Python object."""
    if isinstance(error, JsException):
        return error
    return JsException("PythonError", "".join(traceback.format_exception(error)).rstrip())
