"""What a step or a workflow returns, as the journal keeps it: JSON, and for what JSON lacks the platform's own form."""

from __future__ import annotations

import base64
import math
from typing import Any, cast

from agents_runtime.local.values import JsBigInt, JsDict, JsValue, clone, decode, encode

_MARK = "$clone"


def pack(value: object) -> Any:
    """A value under the platform's rules, as JSON.

    Raises:
        TypeError: a tuple or another type that cannot cross.
        JsException: as above.
    """
    copy = clone(value)
    if _is_json(copy):
        return copy
    return {_MARK: base64.b64encode(encode(copy)).decode()}


def unpack(stored: object) -> JsValue:
    """The value that was packed. Dicts allow access by attribute, as what crosses between objects does."""
    if isinstance(stored, dict):
        fields = cast("dict[str, Any]", stored)
        if fields.keys() == {_MARK}:
            return decode(base64.b64decode(fields[_MARK]))
        return JsDict((key, unpack(item)) for key, item in fields.items())
    if isinstance(stored, list):
        return [unpack(item) for item in cast("list[object]", stored)]
    return stored


def _is_json(value: object) -> bool:
    if value is None or isinstance(value, bool | str):
        return True
    if isinstance(value, int):
        return not isinstance(value, JsBigInt)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(map(_is_json, cast("list[object]", value)))
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return _MARK not in fields and all(map(_is_json, fields.values()))
    return False
