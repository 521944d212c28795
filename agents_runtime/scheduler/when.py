"""Reading when something is to happen: from what users write to one of four timings, and from a timing to its next run.

Pure, but for the moment it is given as now. Every time is rounded up to whole milliseconds, so that nothing is early.
What reads cron expressions and time zones is imported when one is used.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from agents_runtime._core.durations import duration_ms
from agents_runtime._core.jobs.board import LATEST_MS
from agents_runtime.errors import InvalidCron, UsageError

if TYPE_CHECKING:
    from agents_runtime._core.durations import Duration

When = datetime | timedelta | float | str
"""A date, a delay (a timedelta, or seconds), or a text: an ISO date, a delay like "5 minutes", a cron expression."""

LONGEST_INTERVAL_MS = 2_592_000_000
"""Thirty days, as in the JavaScript SDK: use a cron expression for what is rarer."""

SHORTEST_INTERVAL_MS = 10
_DATE = re.compile(r"[+-]?\d{4,6}-\d\d-\d\d")
_DELAY = re.compile(r"\s*\d+(?:\.\d+)?\s*[a-zA-Z]")
_COMMON_S = 86_400 * 366
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class At:
    """Once, at a moment."""

    time_ms: int


@dataclass(frozen=True, slots=True)
class After:
    """Once, after a delay; one below zero is over already."""

    delay_ms: int


@dataclass(frozen=True, slots=True)
class ByCron:
    """Whenever the clocks of a zone match an expression; of UTC when `tz` is None."""

    expression: str
    tz: str | None = None


@dataclass(frozen=True, slots=True)
class Every:
    """Again and again: so long after the end of each run, or at whole intervals from `anchor_ms` on."""

    interval_ms: int
    anchor_ms: int | None = None


Timing = At | After | ByCron | Every
RECURRING = (ByCron, Every)
"""The timings of what runs again and again."""


def parse_when(when: When, tz: str | None, now_ms: int) -> At | After | ByCron:
    """Read what a user wrote.

    Args:
        tz: the zone of a cron expression and of a date without one; None is UTC.

    Raises:
        InvalidCron: with what was probably meant, and when that would run.
        UsageError: it is no time.
    """
    if type(when) is int and 0 <= when <= _COMMON_S and tz is None:
        return After(when * 1000)
    if isinstance(when, datetime):
        return _at(when, tz)
    if isinstance(when, str):
        return _from_text(when, tz, now_ms)
    if tz is not None:
        raise UsageError("tz= is for dates and cron expressions; a delay is the same in every time zone")
    return After(_delay_ms(when))


def _from_text(text: str, tz: str | None, now_ms: int) -> At | After | ByCron:
    if _DATE.match(text):
        try:
            return _at(datetime.fromisoformat(text), tz)
        except ValueError as error:
            if isinstance(error, UsageError):
                raise
            raise UsageError(f"{text!r} is no date: {error}") from error
    if _DELAY.match(text):
        if tz is not None:
            raise UsageError("tz= is for dates and cron expressions; a delay is the same in every time zone")
        return After(duration_ms(text, "the delay"))
    from agents_runtime.scheduler.cron import is_cron_like

    if not is_cron_like(text):
        raise UsageError(
            f"{text!r} is no time: give a date ('2026-01-31T09:00:00Z'), a delay ('5 minutes', or seconds as a number) "
            "or a cron expression ('0 9 * * 1-5')"
        )
    if tz is not None:
        from agents_runtime.scheduler.zones import zone_of

        zone_of(tz)
    check_cron(text, tz, now_ms)
    return ByCron(text, tz)


def check_cron(expression: str, tz: str | None, now_ms: int) -> None:
    """Raise InvalidCron if an expression cannot be read, with the next runs of what was probably meant."""
    from agents_runtime.scheduler.cron import parse_cron

    try:
        parse_cron(expression)
    except InvalidCron as error:
        if error.meant is None:
            raise
        runs = [show(run_ms) for run_ms in next_runs_ms(ByCron(error.meant, tz), now_ms)]
        raise InvalidCron(expression, error.position, error.problem, error.meant, runs) from None


def next_runs_ms(timing: ByCron, now_ms: int, count: int = 3) -> list[int]:
    """The next runs of an expression."""
    runs: list[int] = []
    for _ in range(count):
        now_ms = next_ms(timing, now_ms)
        runs.append(now_ms)
    return runs


def show(time_ms: int) -> str:
    """A moment for people."""
    return (_EPOCH + timedelta(milliseconds=time_ms)).strftime("%a %Y-%m-%d %H:%M:%S UTC")


def parse_interval(interval: Duration, *, align: bool, now_ms: int) -> Every:
    """Read the interval of a repetition.

    Raises:
        UsageError: it is no duration, not positive, or longer than 30 days.
    """
    interval_ms = duration_ms(interval, "the interval")
    if interval_ms < SHORTEST_INTERVAL_MS:
        raise UsageError(f"the interval must be at least {SHORTEST_INTERVAL_MS} milliseconds, not {interval!r}")
    if interval_ms > LONGEST_INTERVAL_MS:
        raise UsageError(f"the interval must be at most 30 days, not {interval!r}: use a cron expression")
    return Every(interval_ms, now_ms if align else None)


def first_ms(timing: Timing, now_ms: int) -> int:
    """When something that is scheduled now runs first."""
    if isinstance(timing, At):
        return timing.time_ms
    if isinstance(timing, After):
        return max(now_ms + timing.delay_ms, 0)
    return next_ms(timing, now_ms)


def next_ms(timing: ByCron | Every, now_ms: int) -> int:
    """The next run after `now_ms`."""
    if isinstance(timing, ByCron):
        from agents_runtime.scheduler.cron import parse_cron
        from agents_runtime.scheduler.zones import next_run_s, zone_of

        zone = UTC if timing.tz is None else zone_of(timing.tz)
        return next_run_s(parse_cron(timing.expression), zone, now_ms // 1000) * 1000
    if timing.anchor_ms is None:
        return now_ms + timing.interval_ms
    return now_ms + timing.interval_ms - (now_ms - timing.anchor_ms) % timing.interval_ms


def shortest_gap_ms(timing: Timing, now_ms: int) -> int | None:
    """The time between the next two runs; None for what runs once."""
    if isinstance(timing, Every):
        return timing.interval_ms
    if isinstance(timing, ByCron):
        first, second = next_runs_ms(timing, now_ms, 2)
        return second - first
    return None


def moment_ms(moment: datetime, tz: str | None = None) -> int:
    """A date as milliseconds since the epoch. Without a zone of its own it is one of `tz`, or of UTC."""
    if moment.tzinfo is None and tz is not None:
        from agents_runtime.scheduler.zones import moment_s, wall_clock_s, zone_of

        micros = moment.microsecond
        return moment_s(wall_clock_s(moment.replace(microsecond=0)), zone_of(tz)) * 1000 + math.ceil(micros / 1000)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return -((_EPOCH - aware) // _MS)


def _at(moment: datetime, tz: str | None) -> At:
    time_ms = moment_ms(moment, tz)
    if time_ms > LATEST_MS:
        raise UsageError(f"{moment} is later than anything can be scheduled")
    return At(max(time_ms, 0))


def _delay_ms(delay: object) -> int:
    if isinstance(delay, int | float) and not isinstance(delay, bool) and -math.inf < delay < 0:
        return 0
    if isinstance(delay, timedelta) and delay < timedelta():
        return 0
    if not isinstance(delay, int | float | timedelta) or isinstance(delay, bool):
        raise UsageError(
            f"{delay!r} is no time: give a datetime, a timedelta, seconds, "
            "or a text (a date, a delay or a cron expression)"
        )
    return duration_ms(delay, "the delay")
