"""Values across the border: Python to JavaScript and back, in plain types.

What the platform really does with each type was measured; see docs/explanation/platform-differences.md.
"""

from __future__ import annotations

from typing import Any, cast

import js
from pyodide.ffi import JsException, JsProxy, to_js

try:
    from pyodide.ffi import jsnull
except ImportError:  # older Pyodide turns null into None itself
    jsnull = None

MAX_SAFE_INTEGER = 2**53 - 2
"""Beyond this an int becomes a BigInt, which SQLite bindings refuse."""


def to_bound(value: object) -> Any:
    """A SQL parameter. A bool is stored as 0 or 1, bytes as a BLOB, an int as REAL (the platform's numbers are)."""
    kind = type(value)
    if kind is str or value is None or kind is float:
        return value
    if kind is bool:
        return 1 if value else 0
    if isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise ValueError(
                f"the int {value} is beyond 2**53 - 2 and would be rounded on Workers; store it as str(value)"
            )
        return int(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return to_js(bytes(cast("bytes", value)))
    if isinstance(value, str | float):
        return value
    raise ValueError(
        f"a {type(value).__name__} cannot be stored in a column; store str, int, float, bytes, bool or None, "
        "and json.dumps(...) of anything else"
    )


def from_column(value: Any) -> Any:
    """A result column."""
    if value is jsnull:
        return None
    if isinstance(value, memoryview):
        return bytes(cast("bytes", value))
    if isinstance(value, JsProxy):
        return value.to_bytes()
    return value


def to_json_value(value: Any) -> Any:
    """A JSON-like Python value as JavaScript has it: plain objects, null instead of undefined."""
    return to_js(_with_null(value), dict_converter=js.Object.fromEntries)


def from_json_value(value: Any) -> Any:
    """A JSON-like JavaScript value in Python types."""
    if value is jsnull or value is None:
        return None
    return _with_none(value.to_py()) if isinstance(value, JsProxy) else value


def _with_null(value: object) -> Any:
    if value is None:
        return jsnull
    if isinstance(value, dict):
        return {key: _with_null(item) for key, item in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_with_null(item) for item in cast("list[object]", value)]
    return value


def _with_none(value: object) -> Any:
    if value is jsnull:
        return None
    if isinstance(value, dict):
        return {key: _with_none(item) for key, item in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_with_none(item) for item in cast("list[object]", value)]
    return bytes(cast("bytes", value)) if isinstance(value, memoryview) else value


def to_frame(data: str | bytes) -> Any:
    """A WebSocket frame to send."""
    return data if isinstance(data, str) else to_js(data)


def from_frame(message: Any) -> str | bytes:
    """A WebSocket frame received."""
    return message if isinstance(message, str) else bytes(message.to_bytes())


__all__ = [
    "MAX_SAFE_INTEGER",
    "JsException",
    "from_column",
    "from_frame",
    "from_json_value",
    "jsnull",
    "to_bound",
    "to_frame",
    "to_json_value",
]
