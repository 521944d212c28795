"""How long, as whole milliseconds: a number of seconds, a timedelta, or a text such as "5 minutes". And when."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from agents_runtime._core.spelling import did_you_mean
from agents_runtime.errors import UsageError

Duration = timedelta | float | str
"""Seconds as a number, a timedelta, or a text: "500 ms", "10 seconds", "1 hour 30 minutes", "2 weeks"."""

MAX_MS = 100 * 366 * 24 * 3_600_000
"""A hundred years: what is longer is a mistake."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS_MS = {
    "millisecond": 1,
    "second": 1_000,
    "minute": 60_000,
    "hour": 3_600_000,
    "day": 86_400_000,
    "week": 604_800_000,
}
_SHORT = {
    "ms": "millisecond",
    "msec": "millisecond",
    "s": "second",
    "sec": "second",
    "m": "minute",
    "min": "minute",
    "h": "hour",
    "hr": "hour",
    "d": "day",
    "w": "week",
}
_PART = re.compile(r"\s*(?:and\s+)?(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*,?")


def duration_ms(value: Duration, what: str = "the duration") -> int:
    """`value` in milliseconds, rounded up, so that nothing that waits for it is early.

    Args:
        value: see `Duration`.
        what: what an error calls it.

    Raises:
        UsageError: it is negative, longer than a hundred years, or no duration at all.
    """
    if isinstance(value, str):
        total_ms = _from_text(value, what)
    elif isinstance(value, timedelta):
        total_ms = value / timedelta(milliseconds=1)
    elif isinstance(value, bool) or not isinstance(value, int | float):  # pyright: ignore[reportUnnecessaryIsInstance] # callers without types
        raise UsageError(f"{what} must be seconds, a timedelta or a text such as '5 minutes', not {value!r}"[:300])
    else:
        total_ms = value * 1000
    if not math.isfinite(total_ms) or total_ms < 0:
        raise UsageError(f"{what} must not be negative or infinite: {value!r}")
    if total_ms > MAX_MS:
        raise UsageError(f"{what} is longer than a hundred years: {value!r}. Numbers are seconds, not milliseconds")
    return math.ceil(round(total_ms, 6))


def _from_text(text: str, what: str) -> float:
    total_ms, position = 0.0, 0
    for part in _PART.finditer(text):
        if part.start() != position:
            break
        position = part.end()
        total_ms += float(part[1]) * _unit_ms(part[2], text, what)
    if position == 0 or text[position:].strip():
        raise UsageError(
            f"{what} must be a text such as '10 seconds', '5 minutes' or '1 hour 30 minutes', not {text!r}"
        )
    return total_ms


def _unit_ms(word: str, text: str, what: str) -> int:
    lower = word.lower()
    unit = _SHORT.get(lower) or _SHORT.get(lower.removesuffix("s")) or lower.removesuffix("s")
    if unit not in _UNITS_MS:
        raise UsageError(f"{what} {text!r}: there is no unit {word!r}{did_you_mean(word, _UNITS_MS)}")
    return _UNITS_MS[unit]


def moment_ms(when: datetime) -> int:
    """A moment as milliseconds since the epoch, rounded up; a naive one is UTC."""
    aware = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return -((_EPOCH - aware) // timedelta(milliseconds=1))
