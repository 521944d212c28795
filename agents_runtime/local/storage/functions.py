"""SQL functions of the platform's SQLite that older builds lack, written in Python."""

from __future__ import annotations

from collections.abc import Callable

SqlScalar = str | int | float | bytes | None


def concat(*values: SqlScalar) -> str:
    """Join the texts of all values that are not NULL."""
    return "".join(_text(value) for value in values if value is not None)


def concat_ws(separator: SqlScalar, *values: SqlScalar) -> str | None:
    """Join the texts of all values that are not NULL, with a separator between them."""
    if separator is None:
        return None
    return _text(separator).join(_text(value) for value in values if value is not None)


def octet_length(value: SqlScalar) -> int | None:
    """Count the bytes of a text in UTF-8 or of a blob."""
    if value is None:
        return None
    return len(value) if isinstance(value, bytes) else len(_text(value).encode())


def unhex(text: SqlScalar, ignored: SqlScalar = "") -> bytes | None:
    """Decode pairs of hexadecimal digits; NULL when the text is anything else. `ignored` may stand between pairs."""
    if text is None or ignored is None:
        return None
    skipped = set(_text(ignored)) - set("0123456789abcdefABCDEF")
    digits: list[str] = []
    for character in _text(text):
        if character in skipped:
            if len(digits) % 2:
                return None
        else:
            digits.append(character)
    joined = "".join(digits)
    try:
        return bytes.fromhex(joined) if joined.isalnum() or not joined else None
    except ValueError:
        return None


class StringAgg:
    """`string_agg(text, separator)`: the texts that are not NULL, each but the first after its separator."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def step(self, value: SqlScalar, separator: SqlScalar) -> None:
        if value is not None:
            if self._parts:
                self._parts.append("" if separator is None else _text(separator))
            self._parts.append(_text(value))

    def finalize(self) -> str | None:
        return "".join(self._parts) if self._parts else None


def _text(value: SqlScalar) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        text = format(value, ".15g")
        return text if any(mark in text for mark in ".en") else text + ".0"
    return str(value)


STRING_AGG_SINCE = (3, 44, 0)
"""The SQLite that has `string_agg` itself."""

ADDED_FUNCTIONS: tuple[tuple[str, int, Callable[..., SqlScalar]], ...] = (
    ("concat", -1, concat),
    ("concat_ws", -1, concat_ws),
    ("octet_length", 1, octet_length),
    ("unhex", -1, unhex),
)
"""Name, number of arguments (-1: any), function."""
