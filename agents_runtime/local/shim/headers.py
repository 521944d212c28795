"""Header fields: checking what a worker sets, joining repeated names, and the map users read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from agents_runtime.local.shim.header_map import HTTPMessageMapping
    from agents_runtime.local.shim.types import Headers

Fields = list[tuple[str, str]]
"""Name and value pairs as they go over the wire. Never changed in place: several objects may share one list."""

_is_name = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_has_control = re.compile(r"[\0\r\n]").search
_WHITESPACE = " \t\r\n"

COMMON_SIZE = 200
"""Values up to this size are remembered once they were checked: most answers have the same fields."""


def checked_field(name: object, value: object) -> tuple[str, str]:
    """The field in lower case and trimmed, or a TypeError that names what is wrong with it."""
    if type(name) is str and type(value) is str and len(value) <= COMMON_SIZE:
        return _common_field(name, value)
    return _checked_field(name, value)


def _checked_field(name: object, value: object) -> tuple[str, str]:
    if not isinstance(name, str) or not _is_name(name):
        raise TypeError(f"invalid header name {name!r}: only letters, digits and !#$%&'*+-.^_`|~ are allowed")
    if not isinstance(value, str):
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"invalid value of header {name!r}: expected str, got {type(value).__name__}")
        value = str(value)
    value = value.strip(_WHITESPACE)
    if _has_control(value):
        raise TypeError(f"invalid value of header {name!r}: it contains a line break or a NUL character")
    return name.lower(), value


_common_field = lru_cache(maxsize=1_024)(_checked_field)


def checked_fields(headers: Headers | None) -> Fields:
    """Fields from what a caller passed as `headers=`: a dict or a list of pairs, as on the platform."""
    return required_fields(headers) if headers else []


def required_fields(headers: Headers) -> Fields:
    """The same, where an empty tuple or None is refused too."""
    if isinstance(headers, dict):
        return [checked_field(name, value) for name, value in headers.items()]
    if not isinstance(cast("object", headers), list):
        raise TypeError(
            f"headers must be a dict or a list of (name, value) pairs, got {type(headers).__name__}; "
            "to send the headers of a request or response on, pass list(it.headers.items()); for none, leave them out"
        )
    return [checked_field(*_checked_pair(pair)) for pair in headers]


def _checked_pair(pair: object) -> Sequence[object]:
    if isinstance(pair, list | tuple) and len(cast("Sequence[object]", pair)) == 2:
        return cast("Sequence[object]", pair)
    raise TypeError(f"headers must be a list of (name, value) pairs, found {pair!r}")


def find(fields: Fields, name: str) -> str | None:
    """The value of a field, by its lower-case name; the first one when it is repeated."""
    for key, value in fields:
        if key == name or key.lower() == name:
            return value
    return None


def with_content_type(fields: Fields, content_type: str | None) -> Fields:
    """The fields with this content type, unless there is none or they have one."""
    if content_type is None or find(fields, "content-type") is not None:
        return fields
    return [*fields, ("content-type", content_type)]


def without(fields: Fields, names: AbstractSet[str]) -> Fields:
    """The fields whose lower-case name is not in `names`."""
    return [field for field in fields if field[0].lower() not in names]


def joined(fields: Fields) -> Fields:
    """One field per name, in lower case and sorted, values joined with a comma. Only Set-Cookie stays repeated."""
    cookies: Fields = []
    values: dict[str, str] = {}
    for name, value in fields:
        key = name.lower()
        value = value.strip(_WHITESPACE)
        if key == "set-cookie":
            cookies.append((key, value))
        elif key in values:
            values[key] = f"{values[key]}, {value}"
        else:
            values[key] = value
    return cookies + sorted(values.items())


def message(fields: Fields) -> HTTPMessageMapping:
    """A fresh header map. Changing it changes nothing else, as on the platform."""
    from agents_runtime.local.shim.header_map import HTTPMessageMapping

    return HTTPMessageMapping.of(joined(fields))
