"""The few JavaScript-shaped types that user code meets on Workers, as plain Python classes."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeAlias, cast

JsValue: TypeAlias = Any
"""A value under the platform's rules: None, bool, int, float, str, bytes-like, datetime, list, dict or set of them."""

MAX_NUMBER = 2**53 - 2
"""The largest int that crosses as a JavaScript number; a larger one crosses as a BigInt."""

_EPOCH = datetime(1970, 1, 1)
_MILLISECOND = timedelta(milliseconds=1)
_MAX_INDEX = 2**32 - 2


class JsDict(dict[str, Any]):
    """A dict whose keys can also be read and written as attributes.

    A key that is also a method of dict (`items`, `get`) is reachable by `[]` only.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> JsValue:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: JsValue) -> None:
        self[name] = value


class JsBigInt(int):
    """An int too large for a JavaScript number; it comes back from a remote call or from storage as this."""

    __slots__ = ()


class ArrayBuffer(bytes):
    """Binary data as a Durable Object receives it: a binary WebSocket message, for instance."""

    __slots__ = ()

    def to_bytes(self) -> bytes:
        """Return the data as plain bytes."""
        return bytes(self)

    def to_py(self) -> memoryview:
        """Return the data as a memoryview."""
        return memoryview(bytes(self))


class JsException(Exception):
    """An error that the platform itself raised, not Python code.

    Attributes:
        name: the error class on the platform: "Error", "TypeError", "DataCloneError" or "PythonError".
        message: the text without the name.
    """

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        self.message = message
        super().__init__(name, message)

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"

    @property
    def stack(self) -> str:
        """The text a log would show; there is no remote stack locally."""
        return str(self)


def data_clone_error(value: object) -> JsException:
    """The platform's refusal of a value that has no copy."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    return JsException(
        "DataCloneError", f"Proxy could not be serialized: a {kind} cannot cross; send a dict, list or str instead"
    )


def refuse_by_type(value: object) -> TypeError:
    """The error for a type that is refused before anything is sent."""
    return TypeError(f"{type(value)} cannot be sent over RPC.")


def epoch_ms(value: datetime) -> int:
    """Whole milliseconds since the epoch, cut towards it. Without a zone it is read as UTC, the zone of Workers."""
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    since = value - _EPOCH
    return since // _MILLISECOND if value >= _EPOCH else -(-since // _MILLISECOND)


def datetime_of(ms: float) -> datetime:
    """The naive UTC datetime of a JavaScript Date."""
    return _EPOCH + timedelta(milliseconds=ms)


def number_of(value: float) -> int | float:
    """A JavaScript number as Python sees it: an int when it is a whole number in the exact range."""
    if value.is_integer() and -(2**53) < value < 2**53:
        return int(value)
    return value


def number_text(value: float) -> str:
    """The text JavaScript makes of a number."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    if 1e-6 <= abs(value) < 1e21:
        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    digits, _, exponent = format(Decimal(repr(value)).normalize(), "e").partition("e")
    return f"{digits}e{int(exponent):+d}"


def view_of(data: bytes | memoryview, kind: str = "B") -> memoryview:
    """A writable copy of binary data as a memoryview of items of a kind, in the letters of the struct module."""
    return memoryview(bytearray(data)).cast(cast("Literal['B']", kind))


def property_name(key: object) -> str:
    """The property name a dict key becomes on the way to JavaScript.

    Raises:
        JsException: a DataCloneError, for a key that is not text, a number or None.
    """
    if isinstance(key, str):
        return str(key)
    if key is None:
        return "undefined"
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return str(int(key))
    if isinstance(key, float):
        return number_text(key)
    raise data_clone_error(key)


def in_property_order(properties: JsDict) -> JsDict:
    """The same properties in JavaScript's order: keys that are array indexes first, by size."""
    indexes = sorted((int(key), key) for key in properties if _is_index(key))
    if not indexes:
        return properties
    ordered = JsDict((key, properties[key]) for _, key in indexes)
    ordered.update(properties)
    return ordered


def _is_index(key: str) -> bool:
    return key.isdecimal() and key.isascii() and (key == "0" or key[0] != "0") and int(key) <= _MAX_INDEX
