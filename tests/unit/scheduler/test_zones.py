"""Days on which the clocks change: what does not exist happens at the change, what comes twice happens once."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.errors import UsageError
from agents_runtime.scheduler.cron import parse_cron
from agents_runtime.scheduler.when import moment_ms
from agents_runtime.scheduler.zones import moment_s, next_run_s, wall_clock_s, zone_of


def runs(expression, zone, start, count):
    """The next runs as `day hour:minute offset`."""
    at = int(datetime.fromisoformat(start).timestamp())
    found = []
    for _ in range(count):
        at = next_run_s(parse_cron(expression), zone_of(zone), at)
        found.append(datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%d %H:%M %z"))
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", ["28 02:30 +0100", "29 03:00 +0200", "30 02:30 +0200"]),
        ("0,30 2 * * *", ["28 02:00 +0100", "28 02:30 +0100", "29 03:00 +0200", "30 02:00 +0200"]),
        ("30 2,3 * * *", ["28 02:30 +0100", "28 03:30 +0100", "29 03:00 +0200", "29 03:30 +0200", "30 02:30 +0200"]),
        ("0 3 * * *", ["28 03:00 +0100", "29 03:00 +0200", "30 03:00 +0200"]),
    ],
)
def test_paris_in_spring(expression, expected):
    assert runs(expression, "Europe/Paris", "2026-03-28T00:00:00+01:00", len(expected)) == expected


def test_every_hour_in_spring_skips_no_real_time():
    assert runs("*/30 * * * *", "Europe/Paris", "2026-03-29T01:00:00+01:00", 3) == [
        "29 01:30 +0100",
        "29 03:00 +0200",
        "29 03:30 +0200",
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", ["24 02:30 +0200", "25 02:30 +0200", "26 02:30 +0100"]),
        ("0 1-3 25 * *", ["25 01:00 +0200", "25 02:00 +0200", "25 03:00 +0100"]),
    ],
)
def test_paris_in_autumn(expression, expected):
    assert runs(expression, "Europe/Paris", "2026-10-24T00:00:00+02:00", len(expected)) == expected


def test_every_hour_in_autumn_runs_through_the_repeated_one():
    assert runs("*/30 * * * *", "Europe/Paris", "2026-10-25T01:30:00+02:00", 6) == [
        "25 02:00 +0200",
        "25 02:30 +0200",
        "25 02:00 +0100",
        "25 02:30 +0100",
        "25 03:00 +0100",
        "25 03:30 +0100",
    ]


def test_what_is_scheduled_within_the_second_pass_waits_for_the_next_day():
    assert runs("30 2 * * *", "Europe/Paris", "2026-10-25T02:10:00+01:00", 1) == ["26 02:30 +0100"]


def test_unusual_zones():
    assert runs("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00+10:30", 3)[1] == "04 02:30 +1100"
    assert runs("0 0 * * *", "Pacific/Apia", "2011-12-28T00:00:00-10:00", 3) == [
        "29 00:00 -1000",
        "31 00:00 +1400",
        "01 00:00 +1400",
    ]
    assert runs("0 9 * * *", "Asia/Kathmandu", "2026-01-01T00:00:00+00:00", 1) == ["01 09:00 +0545"]


EXPRESSIONS = ["* * * * *", "*/7 * * * *", "30 2 * * *", "0 */6 * * *", "15 1-3 * * 0", "0 * 25,29 3,10 *"]
ZONES = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca", "UTC"]


@given(
    st.sampled_from(EXPRESSIONS),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)).map(lambda at: int(at.replace(tzinfo=UTC).timestamp())),
)
def test_a_run_is_later_and_on_the_wall_what_the_expression_says(expression, zone_name, after_s):
    zone = zone_of(zone_name)
    cron = parse_cron(expression)
    run_s = next_run_s(cron, zone, after_s)
    assert run_s > after_s
    wall_s = wall_clock_s(datetime.fromtimestamp(run_s, zone))
    before_change = wall_clock_s(datetime.fromtimestamp(run_s - 1, zone)) + 1
    fits = cron.next_s(wall_s - 1) == wall_s
    assert fits or cron.next_s(before_change - 1) < wall_s, "or it stands for a time that does not exist"
    assert next_run_s(cron, zone, run_s - 1) == run_s


def test_dates_without_a_zone():
    assert moment_ms(datetime(2026, 7, 1, 12)) == moment_ms(datetime(2026, 7, 1, 14), "Europe/Paris")
    gap = moment_ms(datetime(2026, 3, 29, 2, 30), "Europe/Paris")
    assert gap == moment_ms(datetime(2026, 3, 29, 1, 0, tzinfo=UTC))
    twice = moment_ms(datetime(2026, 10, 25, 2, 30), "Europe/Paris")
    assert twice == moment_ms(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    assert moment_s(0, zone_of("UTC")) == 0
    assert moment_ms(datetime(2026, 1, 1, 0, 0, 0, 1)) == moment_ms(datetime(2026, 1, 1)) + 1


@pytest.mark.parametrize("name", ["Europe/Pari", "europe/nowhere", "../etc/passwd", "", "CEST"])
def test_a_zone_that_is_none_is_refused(name):
    with pytest.raises(UsageError, match="there is no time zone"):
        zone_of(name)
