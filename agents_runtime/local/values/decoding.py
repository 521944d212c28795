"""Reads values from the structured-clone format of V8, written by `encode` or by a JavaScript object."""

from __future__ import annotations

import struct
from collections.abc import Callable

from agents_runtime.errors import StorageError
from agents_runtime.local.values.types import (
    JsBigInt,
    JsDict,
    JsValue,
    data_clone_error,
    datetime_of,
    number_of,
    view_of,
)

_DOUBLE = struct.Struct("<d")
_NEWEST_VERSION = 15
_VIEW_FORMATS = {
    b"B": "B", b"C": "B", b"b": "b", b"W": "H", b"w": "h", b"D": "I", b"d": "i", b"f": "f", b"F": "d",
    b"Q": "Q", b"q": "q", b"?": "B",
}  # fmt: skip
_ERROR_NAMES = {
    b"E": "EvalError", b"R": "RangeError", b"F": "ReferenceError", b"S": "SyntaxError", b"T": "TypeError",
    b"U": "URIError",
}  # fmt: skip


def decode(data: bytes) -> JsValue:
    """Decode a stored value: dict as `JsDict`, bytes as a memoryview, a date as a naive datetime in UTC.

    Raises:
        StorageError: the bytes are not such a value, or hold a kind of value that Python has no type for.
    """
    reader = _Reader(data)
    try:
        return reader.read_document()
    except (IndexError, struct.error, TypeError, ValueError, OverflowError) as error:
        raise StorageError(f"a stored value cannot be read, at byte {reader.position}: {error}") from error


class _Reader:
    """A position in the bytes, and the objects met so far, which later bytes may refer to."""

    def __init__(self, data: bytes) -> None:
        self.position = 0
        self._data = data
        self._version = 0
        self._objects: list[JsValue] = []

    def read_document(self) -> JsValue:
        if self._data[:1] != b"\xff":
            raise ValueError("it has no header")
        self.position = 1
        self._version = self.varint()
        if self._version > _NEWEST_VERSION:
            raise ValueError(f"its format {self._version} is newer than {_NEWEST_VERSION}")
        return self.read()

    def read(self) -> JsValue:
        tag = self.next_tag()
        reader = _READERS.get(tag)
        if reader is None:
            raise ValueError(f"a value of kind {tag!r} has no Python type")
        return reader(self)

    def next_tag(self) -> bytes:
        while True:
            tag = self.take(1)
            if tag == b"?":  # a count of objects, of interest to nobody
                self.varint()
            elif tag != b"\0":
                return tag

    def take(self, size: int) -> bytes:
        start = self.position
        end = start + size
        if end > len(self._data):
            raise IndexError("it ends too early")
        self.position = end
        return self._data[start:end]

    def peek(self) -> bytes:
        start = self.position
        tag = self.next_tag()
        self.position = start
        return tag

    def varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._data[self.position]
            self.position += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    def small_int(self) -> int:
        number = self.varint()
        return (number >> 1) ^ -(number & 1)

    def double(self) -> float:
        value: float = _DOUBLE.unpack(self.take(8))[0]
        return value

    def number(self) -> int | float:
        return number_of(self.double())

    def big_int(self) -> JsBigInt:
        field = self.varint()
        number = int.from_bytes(self.take(field >> 1), "little")
        return JsBigInt(-number if field & 1 else number)

    def latin(self) -> str:
        return self.take(self.varint()).decode("latin-1")

    def wide(self) -> str:
        return self.take(self.varint()).decode("utf-16-le", "surrogatepass")

    def utf8(self) -> str:
        return self.take(self.varint()).decode("utf-8", "surrogatepass")

    def reference(self) -> JsValue:
        return self._objects[self.varint()]

    def keep(self, value: JsValue) -> JsValue:
        self._objects.append(value)
        return value

    def date_object(self) -> JsValue:
        return self.keep(datetime_of(self.double()))

    def plain_object(self) -> JsDict:
        result: JsDict = self.keep(JsDict())
        self.properties(result, b"{")
        return result

    def properties(self, result: JsDict, end: bytes) -> None:
        while self.peek() != end:
            key = self.read()
            result[key if isinstance(key, str) else str(key)] = self.read()
        self.next_tag()
        self.varint()

    def dense_array(self) -> list[JsValue]:
        result: list[JsValue] = self.keep([])
        for _ in range(self.varint()):
            if self.peek() == b"-":
                self.next_tag()
                result.append(None)
            else:
                result.append(self.read())
        self.properties(JsDict(), b"$")
        self.varint()
        return result

    def sparse_array(self) -> list[JsValue]:
        result: list[JsValue] = self.keep([])
        length = self.varint()
        items = JsDict()
        self.properties(items, b"@")
        self.varint()
        if length > len(self._data):
            raise ValueError(f"a list of {length} mostly missing items is too sparse")
        result.extend(items.get(str(index)) for index in range(length))
        return result

    def map_entries(self) -> JsDict:
        result: JsDict = self.keep(JsDict())
        while self.peek() != b":":
            key = self.read()
            result[key] = self.read()
        self.next_tag()
        self.varint()
        return result

    def set_items(self) -> set[JsValue]:
        result: set[JsValue] = self.keep(set())
        while self.peek() != b",":
            item = self.read()
            try:
                result.add(item)
            except (TypeError, ValueError):  # a dict in a set, or binary data
                raise data_clone_error(result) from None
        self.next_tag()
        self.varint()
        return result

    def buffer(self) -> memoryview:
        data = view_of(self.take(self.varint()))
        slot = len(self._objects)
        self.keep(data)
        if self.position < len(self._data) and self._data[self.position : self.position + 1] == b"V":
            self.position += 1
            return self.view(slot)
        return data

    def view(self, slot: int) -> memoryview:
        kind = self.take(1)
        start, size = self.varint(), self.varint()
        if self._version >= 14:
            self.varint()
        data: memoryview = self._objects[slot][start : start + size]
        view: memoryview = self.keep(view_of(data, _VIEW_FORMATS.get(kind, "B")))
        return view

    def boxed(self, value: JsValue) -> JsValue:
        return self.keep(value)

    def error_object(self) -> Exception:
        name, message = "Error", ""
        slot = len(self._objects)
        self.keep(None)
        while (part := self.take(1)) != b".":
            if part in (b"m", b"s", b"c"):
                text = self.read()
                message = str(text) if part == b"m" else message
            else:
                name = _ERROR_NAMES.get(part, name)
        error = Exception(f"{name}: {message}" if message else name)
        self._objects[slot] = error
        return error


_READERS: dict[bytes, Callable[[_Reader], JsValue]] = {
    b"_": lambda reader: None,
    b"0": lambda reader: None,
    b"T": lambda reader: True,
    b"F": lambda reader: False,
    b"I": _Reader.small_int,
    b"U": _Reader.varint,
    b"N": _Reader.number,
    b"Z": _Reader.big_int,
    b'"': _Reader.latin,
    b"c": _Reader.wide,
    b"S": _Reader.utf8,
    b"^": _Reader.reference,
    b"D": _Reader.date_object,
    b"o": _Reader.plain_object,
    b"A": _Reader.dense_array,
    b"a": _Reader.sparse_array,
    b";": _Reader.map_entries,
    b"'": _Reader.set_items,
    b"B": _Reader.buffer,
    b"r": _Reader.error_object,
    b"y": lambda reader: reader.boxed(True),
    b"x": lambda reader: reader.boxed(False),
    b"n": lambda reader: reader.boxed(reader.number()),
    b"z": lambda reader: reader.boxed(reader.big_int()),
    b"s": lambda reader: reader.boxed(reader.read()),
}
