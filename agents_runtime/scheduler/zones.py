"""Time zones: when a cron expression or a date on the wall clock happens, also on the days when the clocks change.

- When clocks go forward, a time that does not exist happens at the moment of the change: 02:30 becomes 03:00.
- When clocks go back, a time that comes twice happens once, the first time.
- An expression that matches every hour follows real time: it goes on through the repeated hour, and skips nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

from agents_runtime._core.spelling import did_you_mean
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime.scheduler.cron import Cron

EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = EPOCH.replace(tzinfo=UTC)
_UTC_NAMES = ("utc", "etc/utc", "z", "gmt")
_LONGEST_CHANGE_S = 26 * 3600
_SHORTEST_SEASON_S = 7 * 86_400


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """The time zone of a name such as `Europe/Paris`.

    Raises:
        UsageError: there is no such zone, or the machine has no time zone data.
    """
    if name.lower() in _UTC_NAMES:
        return UTC
    from zoneinfo import ZoneInfo, available_timezones

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        names = available_timezones()
        if not names:
            raise UsageError(f"there is no time zone data for {name!r}: add the package tzdata") from error
        close = [each for each in names if each.lower().rpartition("/")[2] == name.lower().rpartition("/")[2]]
        raise UsageError(f"there is no time zone {name!r}{did_you_mean(name, close or names)[:80]}") from error


def next_run_s(cron: Cron, zone: tzinfo, after_s: int) -> int:
    """The first second after `after_s` at which the expression runs, seen from a zone.

    Raises:
        InvalidCron: no date ever matches.
    """
    if zone is UTC:
        return cron.next_s(after_s)
    return _next_in_real_time(cron, zone, after_s) if cron.has_every_hour else _next_on_the_wall(cron, zone, after_s)


def moment_s(wall_s: int, zone: tzinfo) -> int:
    """When the clocks of a zone show `wall_s`: the first time, or the moment of the change that leaves it out.

    Args:
        wall_s: a date and time of day without a zone, counted in seconds as if in UTC.
    """
    offset = (EPOCH + timedelta(seconds=wall_s)).replace(tzinfo=zone).utcoffset()
    first_s = wall_s - _seconds(offset)
    if first_s + _offset_s(zone, first_s) == wall_s:
        return first_s
    change_s = _first_change_s(zone, first_s - _LONGEST_CHANGE_S, first_s)
    return first_s if change_s is None else change_s


def wall_clock_s(moment: datetime) -> int:
    """A date and time of day without a zone, in seconds as if in UTC."""
    return (moment.replace(tzinfo=None) - EPOCH) // timedelta(seconds=1)


def _next_on_the_wall(cron: Cron, zone: tzinfo, after_s: int) -> int:
    wall_s = after_s + _offset_s(zone, after_s)
    while True:
        wall_s = cron.next_s(wall_s)
        run_s = moment_s(wall_s, zone)
        if run_s > after_s:  # otherwise it was the first time already
            return run_s


def _next_in_real_time(cron: Cron, zone: tzinfo, after_s: int) -> int:
    from_s = after_s + 1
    while True:
        offset_s = _offset_s(zone, from_s)
        run_s = cron.next_s(from_s - 1 + offset_s) - offset_s
        change_s = _first_change_s(zone, from_s, run_s)
        if change_s is None:
            return run_s
        from_s = change_s


def _first_change_s(zone: tzinfo, from_s: int, until_s: int) -> int | None:
    """The first moment after `from_s`, up to `until_s`, at which the zone is no longer as far from UTC as before."""
    offset_s = _offset_s(zone, from_s)
    same_s = from_s
    while same_s < until_s:
        other_s = min(same_s + _SHORTEST_SEASON_S, until_s)
        if _offset_s(zone, other_s) != offset_s:
            while other_s - same_s > 1:
                middle_s = (same_s + other_s) // 2
                if _offset_s(zone, middle_s) == offset_s:
                    same_s = middle_s
                else:
                    other_s = middle_s
            return other_s
        same_s = other_s
    return None


def _offset_s(zone: tzinfo, at_s: int) -> int:
    """How far a zone is ahead of UTC at a moment."""
    return _seconds((_EPOCH_UTC + timedelta(seconds=at_s)).astimezone(zone).utcoffset())


def _seconds(offset: timedelta | None) -> int:
    return 0 if offset is None else round(offset.total_seconds())
