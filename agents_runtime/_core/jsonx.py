"""JSON as the JavaScript side writes and reads it. Nothing else of the library touches the `json` module.

Compact, not escaped beyond need, whole numbers without a fraction, no NaN. Dates become ISO text with
milliseconds and `Z`; dataclasses and pydantic models become objects, enum members their values. What JSON cannot
carry is refused with the path to it: `state.players[2].avatar is bytes ...`.
"""

from __future__ import annotations

import json
import json.encoder
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import NoReturn, TypeAlias, cast

from agents_runtime.errors import NotJson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A value as `loads` returns it."""

JS_EXPONENT_FROM = 1e21
"""From here on JavaScript writes whole numbers with an exponent, as Python does for every float from 1e16."""

MAX_DEPTH = 500
"""How many arrays and objects of a text may be nested. On Workers a few thousand end the interpreter, not the call."""

_MAYBE_WHOLE = re.compile(r"(?:^|[\[:,])-?\d+(?:\.0(?=[,\]}]|$)|(?:\.\d+)?e\+)")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string of a JSON text; one that does not end goes to the end of the text, as it does for a parser."""
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE = re.compile("[\ud800-\udfff]")

quote: Callable[[str], str] = json.encoder.encode_basestring
"""A text as a JSON string. A lone surrogate stays as it is: see `well_formed`."""


def dumps(value: object, root: str = "value") -> str:
    """Write `value` as JSON.

    Args:
        value: JSON values, also tuples, mappings, dataclasses, pydantic models, enums, aware datetimes and dates.
        root: what an error calls the value.

    Raises:
        NotJson: naming the path of the part that JSON cannot carry.
    """
    try:
        text = "".join(_encode(value, 0))
        if (".0" in text or "e+" in text) and _MAYBE_WHOLE.search(text):
            text = "".join(_encode(_with_whole_numbers(value), 0))
    except (TypeError, ValueError, RecursionError) as error:
        raise _reason(value, root, error) from error
    return text if text.isascii() else well_formed(text)


def loads(text: str) -> Json:
    """Read one JSON text.

    Raises:
        ValueError: it is not JSON; NaN and Infinity are not, and neither is what nests too deep to be read.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH and _nests_too_deep(text):
        raise ValueError("JSON nests too deep")
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        stripped = text.lstrip(" \t\n\r")
        if not stripped or len(stripped) == len(text):
            raise ValueError("not a JSON text") from None
        return loads(stripped)
    except RecursionError:
        raise ValueError("JSON nests too deep") from None
    if end != len(text) and text[end:].strip(" \t\n\r"):
        raise ValueError(f"more text after the JSON value, at {end}")
    return value


def _nests_too_deep(text: str) -> bool:
    """Whether a parser would go deeper than `MAX_DEPTH`, found without going there."""
    brackets = _STRING.sub(b"", text.encode("utf-8", "surrogatepass")).translate(_AS_SQUARE, _NO_BRACKETS)
    for depth in range(MAX_DEPTH + 1):
        rest = brackets.replace(b"[]", b"")
        if len(rest) == len(brackets):
            return depth + rest.count(b"[") > MAX_DEPTH
        brackets = rest
    return True


def plain(value: object, root: str = "value") -> Json:
    """`value` as the JSON side will see it: only the types of `Json`. Raises NotJson like `dumps`."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return cast("Json", value)
    return loads(dumps(value, root))


def well_formed(text: str) -> str:
    """`text` with lone surrogates escaped, as `JSON.stringify` does, so that it can be stored and sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return text


def size_bytes(text: str) -> int:
    """How many bytes `text` has in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
_scan: Callable[[str, int], tuple[Json, int]] = _decoder.scan_once  # type: ignore[attr-defined] # typeshed leaves it out


def _substitute(value: object) -> object:
    """What stands for a value that JSON has no form for. Raises TypeError where nothing does."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("is a datetime without a time zone; make it aware, as datetime.now(UTC) is")
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    dump = getattr(type(value), "model_dump", None)
    if dump is not None:
        return dump(value, mode="json")
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    raise TypeError(_problem(value))


_REMEDIES: dict[type, str] = {
    set: "use a list",
    frozenset: "use a list",
    bytes: "encode it as text, with base64 for example, or keep it in a table",
    bytearray: "encode it as text, with base64 for example, or keep it in a table",
    memoryview: "encode it as text, with base64 for example, or keep it in a table",
    complex: "use two numbers",
}

_REMEDIES_BY_METHOD = {
    "__await__": "await it and use the result",
    "to_py": "convert it to Python first, with its to_py()",  # a JavaScript value on Workers
}


def _problem(value: object) -> str:
    remedy = next((text for kind, text in _REMEDIES.items() if isinstance(value, kind)), None)
    if remedy is None:
        remedy = next((text for name, text in _REMEDIES_BY_METHOD.items() if hasattr(type(value), name)), None)
    if remedy is None:
        remedy = "call it and use the result" if callable(value) else "use its fields, as a dict or a dataclass"
    return f"is a {type(value).__name__}, which JSON has no form for; {remedy}"


def _make_encode() -> Callable[[object, int], tuple[str, ...]]:
    """The encoder of the standard library, built once: `JSONEncoder.encode` builds one for each call.

    Without the markers that detect cycles: a cycle ends in a RecursionError, which is explained the same way. Only on
    Workers, where it would end the interpreter, each call has markers.
    """
    make = json.encoder.c_make_encoder  # type: ignore[attr-defined] # typeshed leaves it out
    if make is None:
        encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_substitute)
        return lambda value, _: (encoder.encode(value),)
    options = (_substitute, quote, None, ":", ",", False, False, False)
    if sys.platform == "emscripten":
        return lambda value, depth: cast("tuple[str, ...]", make({}, *options)(value, depth))
    return cast("Callable[[object, int], tuple[str, ...]]", make(None, *options))


_encode = _make_encode()


def _with_whole_numbers(value: object) -> object:
    """`value` with whole floats as ints, since JavaScript writes 1.0 as 1."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < JS_EXPONENT_FROM else value
    if isinstance(value, dict):
        return {key: _with_whole_numbers(item) for key, item in cast("dict[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_with_whole_numbers(item) for item in cast("list[object]", value)]
    if value is None or isinstance(value, str | int):
        return value
    return _with_whole_numbers(_substitute(value))


def _reason(value: object, root: str, error: Exception) -> NotJson:
    """What is wrong with a value that could not be written."""
    try:
        _explain(value, root, ())
    except NotJson as found:
        return found
    except RecursionError:
        return NotJson(root, "nests too deep")
    return NotJson(root, f"cannot be written as JSON ({error})")


def _explain(value: object, path: str, above: tuple[int, ...]) -> None:
    """Raise NotJson for the first part of `value` that cannot be written; return if there is none."""
    if value is None or isinstance(value, str | int):
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotJson(path, f"is {value}, which JSON has no form for; use None or a text")
        return
    if id(value) in above:
        raise NotJson(path, "contains itself")
    above = (*above, id(value))
    if isinstance(value, dict):
        _explain_items(cast("dict[object, object]", value), path, above)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(cast("list[object]", value)):
            _explain(item, f"{path}[{index}]", above)
    else:
        _explain_substitute(value, path, above)


def _explain_items(value: dict[object, object], path: str, above: tuple[int, ...]) -> None:
    for key, item in value.items():
        if not isinstance(key, str | int | float | None):
            raise NotJson(path, f"has the key {key!r}; the keys of an object are texts")
        inner = f"{path}.{key}" if isinstance(key, str) and key.isidentifier() else f"{path}[{key!r}]"
        _explain(item, inner, above)


def _explain_substitute(value: object, path: str, above: tuple[int, ...]) -> None:
    try:
        substitute = _substitute(value)
    except Exception as error:  # a model's own code may raise anything
        raise NotJson(path, str(error)) from error
    _explain(substitute, path, above)
