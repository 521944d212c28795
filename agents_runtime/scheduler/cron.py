"""Cron expressions: read strictly, and answered with the next time they match. croniter does the arithmetic.

Five fields (minute, hour, day of month, month, weekday), or six with seconds first. `*`, numbers, names of months and
weekdays, lists, ranges and steps. When day of month and weekday are both restricted, either is enough. 0 and 7 are
Sunday. What it accepts, it understands as the JavaScript SDK does, which the recorded vectors show; what that one
misreads silently (`5#3`, `5L`) is refused. Nothing here knows of time zones: see `zones`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from agents_runtime.errors import InvalidCron

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_CHARS = 256
_MONTHS = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "may": 5,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}
_WEEKDAYS = {"mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6, "sun": 7}
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
    "@minutely": "* * * * *",
}
_WORD = re.compile(r"\S+")
_RANGE = re.compile(r"(?:(?P<all>\*)|(?P<start>\w+)(?:-(?P<end>\w+))?)(?:/(?P<step>\d+))?", re.ASCII)


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: Mapping[str, int]


_FIELDS = (
    _Field("second", 0, 59, {}),
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("weekday", 0, 7, _WEEKDAYS),
)


class Cron:
    """One expression, read.

    Attributes:
        expression: as it was written.
        has_every_hour: whether it says nothing about hours, so that it follows real time and not the clock on the wall.
    """

    def __init__(self, expression: str, fields: tuple[frozenset[int], ...]) -> None:
        from croniter import croniter

        self.expression = expression
        self.has_every_hour = len(fields[2]) == 24
        canonical = " ".join(_canonical(values, field) for values, field in zip(fields, _FIELDS, strict=True))
        self._matcher: Any = croniter(canonical, 0.0, ret_type=float, second_at_beginning=True)

    def next_s(self, after_s: int) -> int:
        """The first second after `after_s` that matches, with days and hours as in UTC.

        Raises:
            InvalidCron: no date ever matches.
        """
        from croniter import CroniterBadDateError

        self._matcher.set_current(float(after_s), force=True)
        try:
            return int(self._matcher.get_next(float))
        except CroniterBadDateError:
            raise InvalidCron(self.expression, 0, "matches no date that exists") from None


@lru_cache(maxsize=512)
def parse_cron(expression: str) -> Cron:
    """Read an expression.

    Raises:
        InvalidCron: naming the position, the problem and, where it can be guessed, what was meant.
    """
    if len(expression) > MAX_CHARS:
        raise InvalidCron(expression[:MAX_CHARS], MAX_CHARS, f"has more than {MAX_CHARS} characters")
    if expression.startswith("@"):
        written = _NICKNAMES.get(expression.lower())
        if written is None:
            meant = "@daily" if expression.lower() == "@midnight" else None
            raise InvalidCron(expression, 0, f"is none of {', '.join(_NICKNAMES)}", meant)
    else:
        written = expression
    words = list(_WORD.finditer(written))
    if len(words) not in (5, 6):
        raise _wrong_number_of_fields(expression, words)
    given = _FIELDS[6 - len(words) :]
    fields = [_read_field(expression, word, field) for word, field in zip(words, given, strict=True)]
    if len(fields) == 5:
        fields.insert(0, frozenset({0}))
    cron = Cron(expression, tuple(fields))
    cron.next_s(0)
    return cron


def is_cron_like(text: str) -> bool:
    """Whether somebody who wrote this meant a cron expression."""
    return text.startswith("@") or "*" in text or len(text.split()) >= 4


def _wrong_number_of_fields(expression: str, words: list[re.Match[str]]) -> InvalidCron:
    position = words[6].start() if len(words) > 6 else len(expression)
    problem = (
        f"has {len(words)} fields, and needs 5 (minute, hour, day of month, month, weekday), or 6 with seconds first"
    )
    meant = None
    if len(words) == 7 and words[6][0] in ("*", "?"):
        meant = " ".join(word[0] for word in words[:6])
    elif len(words) == 4:
        meant = f"{' '.join(word[0] for word in words)} *"
    return InvalidCron(expression, position, problem, _checked(meant))


def _read_field(expression: str, word: re.Match[str], field: _Field) -> frozenset[int]:
    values: set[int] = set()
    position = word.start()
    for item in word[0].split(","):
        try:
            values.update(_read_item(item, field))
        except _Unreadable as error:
            fixed = _replaced(expression, position, item, error.meant)
            raise InvalidCron(expression, position, f"{field.name} {item!r}: {error}", fixed) from None
        position += len(item) + 1
    return frozenset(value % 7 for value in values) if field.high == 7 else frozenset(values)


class _Unreadable(Exception):
    def __init__(self, problem: str, meant: str | None = None) -> None:
        super().__init__(problem)
        self.meant = meant


def _read_item(item: str, field: _Field) -> Iterator[int]:
    match = _RANGE.fullmatch(item)
    if match is None:
        raise _Unreadable(*_explain(item, field))
    step = 1 if match["step"] is None else int(match["step"])
    if step == 0:
        raise _Unreadable("a step must be 1 or more", item.partition("/")[0])
    if match["all"]:
        start, end = field.low, field.high
    else:
        start = _number(match["start"], field)
        # The JavaScript library reads `5/15` as 5 alone.
        end = start if match["end"] is None else _number(match["end"], field)
        if field.high == 7 and start == 7 and end != 7:
            start = 0
    if start > end:
        size = 7 if field.high == 7 else field.high - field.low + 1
        wrapped = [str((value - field.low) % size + field.low) for value in range(start, end + size + 1, step)]
        raise _Unreadable("the range runs backwards", ",".join(wrapped))
    return iter(range(start, end + 1, step))


def _number(text: str, field: _Field) -> int:
    value = field.names.get(text.lower())
    if value is not None:
        return value
    if not text.isdecimal():
        raise _Unreadable(*_explain(text, field))
    value = int(text)
    if not field.low <= value <= field.high:
        meant = str(field.low) if value == field.high + 1 and field.low == 0 else None
        raise _Unreadable(f"{text} is not within {field.low} to {field.high}", meant)
    return value


def _explain(item: str, field: _Field) -> tuple[str, str | None]:
    """What is wrong with what is neither number, name, range nor step, and what was meant."""
    if item == "":
        return "an item of the list is missing", None
    if item == "?":
        return "'?' is not understood", "*"
    if item.upper() in ("L", "LW") or (re.search(r"[#LW]", item, re.IGNORECASE) and re.match(r"\d", item)):
        return "'L', 'W' and '#' are not understood: schedule a day that comes always, and check it in the method", None
    close = item[:3].lower()
    if field.names and close in field.names and item.isalpha():
        return "months and weekdays are written with three letters", close
    names = f", or {', '.join(field.names)}" if field.names else ""
    return f"is no number from {field.low} to {field.high}{names}", None


def _replaced(expression: str, position: int, item: str, meant: str | None) -> str | None:
    if meant is None or expression[position : position + len(item)] != item:
        return None
    return _checked(expression[:position] + meant + expression[position + len(item) :])


def _checked(expression: str | None) -> str | None:
    """The expression if it can be read; a suggestion must be good."""
    if expression is None:
        return None
    try:
        parse_cron(expression)
    except InvalidCron as error:
        return error.meant
    return expression


def _canonical(values: frozenset[int], field: _Field) -> str:
    """A field for croniter. One that covers everything restricts nothing, and is written so."""
    whole = 7 if field.high == 7 else field.high - field.low + 1
    return "*" if len(values) == whole else ",".join(map(str, sorted(values)))
