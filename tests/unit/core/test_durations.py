"""Durations as people write them."""

from datetime import timedelta

import pytest

from agents_runtime._core.durations import duration_ms
from agents_runtime.errors import UsageError


@pytest.mark.parametrize(
    ("value", "expected_ms"),
    [
        (0, 0),
        (5, 5_000),
        (0.25, 250),
        (0.0001, 1),
        (0.1 + 0.2, 300),
        (timedelta(minutes=5), 300_000),
        (timedelta(microseconds=1), 1),
        ("500 ms", 500),
        ("10 seconds", 10_000),
        ("1 second", 1_000),
        ("5 minutes", 300_000),
        ("90s", 90_000),
        ("1.5 hours", 5_400_000),
        ("1 hour 30 minutes", 5_400_000),
        ("1 day, 2 hours and 3 minutes", 93_780_000),
        (" 2 WEEKS ", 1_209_600_000),
        ("3 mins", 180_000),
    ],
)
def test_what_a_duration_may_be(value, expected_ms):
    assert duration_ms(value) == expected_ms


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (-1, "negative"),
        (float("nan"), "negative or infinite"),
        (float("inf"), "negative or infinite"),
        (timedelta(seconds=-1), "negative"),
        (4e9, "seconds, not milliseconds"),
        ("", "such as"),
        ("soon", "such as"),
        ("5", "such as"),
        ("-5 minutes", "such as"),
        ("5 minutes or so", "such as"),
        ("5 fortnights", "no unit 'fortnights'"),
        ("5 minuts", "did you mean 'minute'"),
        (True, "must be seconds"),
        (None, "must be seconds"),
        ([5], "must be seconds"),
    ],
)
def test_what_is_no_duration(value, said):
    with pytest.raises(UsageError, match=said):
        duration_ms(value, "the nap")
