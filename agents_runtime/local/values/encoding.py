"""Writes values as bytes in the structured-clone format of V8, the one the platform keeps in `_cf_KV`.

Only the part of the format that Python values need. A key written here can be read by a JavaScript object.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import datetime

from agents_runtime.local.values.types import (
    MAX_NUMBER,
    JsBigInt,
    JsDict,
    data_clone_error,
    epoch_ms,
    in_property_order,
    property_name,
    refuse_by_type,
)

HEADER = b"\xff\x0f"
"""The format's mark and version 15."""

_SMALL = 2**30
_DOUBLE = struct.Struct("<d")
_VIEW_KINDS = {"B": "B", "b": "b", "H": "W", "h": "w", "I": "D", "i": "d", "f": "f", "d": "F", "Q": "Q", "q": "q"}
_SIMPLE = {None: b"0", True: b"T", False: b"F"}


def encode(value: object) -> bytes:
    """Encode a value for storage.

    Raises:
        TypeError: a tuple or bytearray, at any depth.
        JsException: a DataCloneError, for a function or any other type without a stored form.
    """
    out = bytearray(HEADER)
    _write(out, value)
    return bytes(out)


def varint(number: int) -> bytes:
    """A non-negative int, seven bits a byte, lowest first."""
    if number < 0x80:
        return bytes((number,))
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _write(out: bytearray, value: object) -> None:
    kind = type(value)
    writer = _WRITERS.get(kind) or _writer_for(value)
    writer(out, value)


def _write_simple(out: bytearray, value: bool | None) -> None:
    out += _SIMPLE[value]


def _write_int(out: bytearray, value: int) -> None:
    if -_SMALL <= value < _SMALL:
        out += b"I" + varint((value << 1) ^ (value >> 31))
    elif -MAX_NUMBER <= value <= MAX_NUMBER:
        out += b"N" + _DOUBLE.pack(value)
    else:
        _write_big_int(out, value)


def _write_big_int(out: bytearray, value: int) -> None:
    size = (abs(value).bit_length() + 63) // 64 * 8
    out += b"Z" + varint(size << 1 | (value < 0)) + abs(value).to_bytes(size, "little")


def _write_float(out: bytearray, value: float) -> None:
    if value.is_integer() and -_SMALL <= value < _SMALL:
        _write_int(out, int(value))
    else:
        out += b"N" + _DOUBLE.pack(value)


def _write_str(out: bytearray, value: str) -> None:
    try:
        data = value.encode("latin-1")
    except UnicodeEncodeError:
        data = value.encode("utf-16-le", "surrogatepass")
        size = varint(len(data))
        if (len(out) + 1 + len(size)) % 2:
            out += b"\0"  # two-byte text starts at an even place
        out += b"c" + size + data
    else:
        out += b'"' + varint(len(data)) + data


def _write_list(out: bytearray, value: list[object]) -> None:
    size = varint(len(value))
    out += b"A" + size
    for item in value:
        _write(out, item)
    out += b"$\0" + size


def _write_dict(out: bytearray, value: dict[object, object]) -> None:
    properties = in_property_order(JsDict((property_name(key), item) for key, item in value.items()))
    out += b"o"
    for key, item in properties.items():
        _write_key(out, key)
        _write(out, item)
    out += b"{" + varint(len(properties))


def _write_key(out: bytearray, key: str) -> None:
    if key.isdecimal() and key.isascii() and (key == "0" or key[0] != "0") and int(key) < _SMALL:
        _write_int(out, int(key))
    else:
        _write_str(out, key)


def _write_set(out: bytearray, value: set[object]) -> None:
    out += b"'"
    for item in value:
        _write(out, item)
    out += b"," + varint(len(value))


def _write_bytes(out: bytearray, value: bytes | memoryview) -> None:
    kind = _VIEW_KINDS.get(value.format if isinstance(value, memoryview) else "B")
    if kind is None:
        raise data_clone_error(value)
    data = bytes(value)
    size = varint(len(data))
    out += b"B" + size + data + b"V" + kind.encode() + b"\0" + size + b"\0"


def _write_datetime(out: bytearray, value: datetime) -> None:
    out += b"D" + _DOUBLE.pack(epoch_ms(value))


def _write_exception(out: bytearray, value: Exception) -> None:
    out += b"rm"
    _write_str(out, str(value))
    out += b"."


def _refuse(_out: bytearray, value: object) -> None:
    raise refuse_by_type(value)


_WRITERS: dict[type, Callable[..., None]] = {
    type(None): _write_simple,
    bool: _write_simple,
    JsBigInt: _write_big_int,
    int: _write_int,
    float: _write_float,
    str: _write_str,
    list: _write_list,
    dict: _write_dict,
    set: _write_set,
    bytes: _write_bytes,
    memoryview: _write_bytes,
    datetime: _write_datetime,
    tuple: _refuse,
    bytearray: _refuse,
}

_BY_BASE: tuple[tuple[type, Callable[..., None]], ...] = (
    *((base, writer) for base, writer in _WRITERS.items() if base not in (type(None), bool, memoryview)),
    (Exception, _write_exception),
)


def _writer_for(value: object) -> Callable[..., None]:
    for base, writer in _BY_BASE:
        if isinstance(value, base):
            return writer
    raise data_clone_error(value)
