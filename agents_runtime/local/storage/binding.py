"""How Python values become SQL parameters, and columns Python values: as on the platform, and in the friendly way.

On the platform every number passes through a JavaScript number: an int binds as REAL, and a whole REAL reads as int.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import cast

from agents_runtime.local.storage.database import SqlParameter, SqlRow
from agents_runtime.local.storage.functions import SqlScalar
from agents_runtime.local.values import JsBigInt, JsException, JsValue
from agents_runtime.local.values.types import MAX_NUMBER, datetime_of, epoch_ms, number_text, refuse_by_type, view_of

_EXACT = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")
_LOST_SURROGATE = "\ufffd" * 3


def bind_strict(values: Sequence[object]) -> list[SqlParameter]:
    """Turn the arguments of `sql.exec` into parameters as the platform does.

    None is NULL, a bool the text `true` or `false`, a number REAL, NaN NULL, bytes and memoryview a blob; a list, dict,
    set or datetime becomes the text JavaScript makes of it, anything else its `str`.

    Raises:
        JsException: a TypeError, for an int beyond 2**53 - 2 in size.
        TypeError: a tuple or bytearray.
    """
    return [_STRICT.get(type(value), _bind_other)(value) for value in values]


def bind_friendly(values: Sequence[object]) -> list[SqlParameter]:
    """Turn values into parameters: a bool is 0 or 1, bytes stay bytes, numbers are REAL as on the platform.

    Raises:
        ValueError: an int beyond 2**53 - 2 in size, or a value of any other type.
    """
    return [_FRIENDLY.get(type(value), _refuse_or_convert)(value) for value in values]


def read_strict(value: SqlScalar) -> JsValue:
    """A column as the platform's `sql.exec` gives it: numbers as JavaScript has them, a blob as memoryview."""
    return view_of(value) if isinstance(value, bytes) else read_friendly(value)


def read_friendly(value: SqlScalar) -> SqlScalar:
    """A column with numbers as JavaScript has them: a whole REAL is an int, an int beyond 2**53 - 1 a float."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and -_EXACT < value < _EXACT else value
    if isinstance(value, int):
        return value if -_EXACT < value < _EXACT else float(value)
    return value


def read_row_strict(row: SqlRow) -> list[JsValue]:
    """All columns of a row by `read_strict`."""
    return [value if value is None or type(value) is str else read_strict(value) for value in row]


def read_row_friendly(row: SqlRow) -> list[JsValue]:
    """All columns of a row by `read_friendly`."""
    return [value if value is None or type(value) is str else read_friendly(value) for value in row]


def clean_text(text: str) -> str:
    """Text that can be written as UTF-8: pairs of surrogates joined, each lone one replaced by three U+FFFD."""
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return _SURROGATE.sub(_LOST_SURROGATE, joined)


def js_text(value: object) -> str:
    """The text JavaScript makes of a value: `[object Object]` for a dict, items joined by commas for a list."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value) if isinstance(value, float) or abs(value) <= MAX_NUMBER else str(int(value))
    if isinstance(value, list):
        items = cast("list[object]", value)
        return ",".join("" if item is None else js_text(item) for item in items)
    for base, text in ((dict, "[object Object]"), (set, "[object Set]"), (type(None), "null")):
        if isinstance(value, base):
            return text
    if isinstance(value, bytes | memoryview):
        return ",".join(str(byte) for byte in bytes(cast("bytes", value)))
    if isinstance(value, datetime):
        return datetime_of(epoch_ms(value)).strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)")
    return f"Error: {value}" if isinstance(value, Exception) else str(value)


def _same(value: SqlParameter) -> SqlParameter:
    return value


def _real(value: int) -> float:
    if not isinstance(value, JsBigInt) and -MAX_NUMBER <= value <= MAX_NUMBER:
        return float(value)
    raise JsException("TypeError", "Cannot convert a BigInt value to a number")


def _float(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _refuse(value: object) -> SqlParameter:
    raise refuse_by_type(value)


_STRICT: dict[type[object], Callable[..., SqlParameter]] = {
    type(None): _same,
    str: _same,
    bytes: _same,
    memoryview: bytes,
    int: _real,
    float: _float,
    bool: js_text,
    tuple: _refuse,
    bytearray: _refuse,
}


def _bind_other(value: object) -> SqlParameter:
    for base, bind in _STRICT.items():
        if isinstance(value, base):
            return bind(value)
    return js_text(value)


def _real_friendly(value: int) -> float:
    if -MAX_NUMBER <= value <= MAX_NUMBER:
        return float(value)
    raise ValueError(f"the int {value} is beyond 2**53 - 2 and would be rounded on Workers; store it as str(value)")


_FRIENDLY: dict[type[object], Callable[..., SqlParameter]] = {
    type(None): _same,
    str: _same,
    bytes: _same,
    memoryview: bytes,
    bytearray: bytes,
    bool: float,
    int: _real_friendly,
    float: _float,
}


def _refuse_or_convert(value: object) -> SqlParameter:
    for base, bind in _FRIENDLY.items():
        if isinstance(value, base):
            return bind(value)
    raise ValueError(
        f"a {type(value).__name__} cannot be stored in a column; store str, int, float, bytes, bool or None, "
        "and json.dumps(...) of anything else"
    )
