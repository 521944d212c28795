"""The platform's rules for workflows, as pure functions."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from agents_runtime.local.values import JsException
from agents_runtime.local.workflows import rules
from agents_runtime.local.workflows.failures import arriving, leaving
from agents_runtime.local.workflows.loading import uses_implicit_dependencies
from agents_runtime.local.workflows.values import pack, unpack
from agents_runtime.tasks.errors import StepFailed


@pytest.mark.parametrize(
    ("value", "ms"),
    [(5, 5), (1.5, 2), ("10 seconds", 10_000), ("1 second", 1_000), ("2 hours", 7_200_000), ("1.5 minutes", 90_000)],
)
def test_durations(value, ms):
    assert rules.duration_ms(value) == ms


@pytest.mark.parametrize("value", ["10s", "soon", "", None, True, "5 parsecs", "1 hour 30 minutes"])
def test_no_durations(value):
    assert math.isnan(rules.span_ms(value))
    with pytest.raises(JsException, match="Invalid duration"):
        rules.duration_ms(value)


def test_moments():
    assert rules.moment_ms(dt.datetime(1970, 1, 1, 0, 0, 1)) == 1_000
    assert rules.moment_ms(dt.datetime(1970, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))) == 0
    assert rules.moment_ms("1970-01-01T00:00:02Z") == 2_000
    assert rules.moment_ms(3_000) == 3_000
    with pytest.raises(JsException, match="Invalid time"):
        rules.moment_ms("tomorrow")


@pytest.mark.parametrize("value", ["a", "_", "A-1_b", "x" * 100])
def test_ids(value):
    assert rules.check_id(value) == value


@pytest.mark.parametrize("value", ["", "-a", "a b", "x" * 101, "ä", None, 5, "a/b", "a\n"])
def test_no_ids(value):
    with pytest.raises(JsException, match="invalid id"):
        rules.check_id(value)


def test_settings_of_a_step():
    default = rules.settings_of("s", None)
    assert (default.policy.max_attempts, default.policy.delay_ms, default.timeout_ms) == (6, 10_000, 600_000)
    given = rules.settings_of("s", {"retries": {"limit": 2, "delay": "5 seconds", "backoff": "linear"}, "timeout": 100})
    assert [given.policy.delay_after_ms(attempt) for attempt in (1, 2, 3)] == [5_000, 10_000, 15_000]
    assert given.policy.timeout_ms == 100
    assert rules.settings_of("s", {"retries": {"limit": 0, "delay": 1}}).shown["retries"]["backoff"] == "exponential"


@pytest.mark.parametrize(
    "config",
    [
        5, {"x": 1}, {"timeout": 0}, {"timeout": "soon"}, {"retries": {"limit": 1}}, {"retries": {"delay": 1}},
        {"retries": {"limit": -1, "delay": 1}}, {"retries": {"limit": True, "delay": 1}}, {"retries": 5},
        {"retries": {"limit": 1, "delay": 1, "backoff": "random"}}, {"retries": {"limit": 1, "delay": 1, "x": 1}},
        {"sensitive": "input"}, {"retries": {"limit": 1, "delay": lambda: 1}},
    ],
)  # fmt: skip
def test_no_settings(config):
    with pytest.raises(JsException, match="invalid format"):
        rules.settings_of("s", config)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        5,
        1.5,
        "text",
        [1, [2]],
        {"a": {"b": None}},
        {"$clone": "mine"},
        {1, 2},
        2**60,
        math.inf,
        [{"s": {1}}],
    ],
)
def test_values_come_back(value):
    assert unpack(pack(value)) == value


def test_bytes_and_dates_come_back_as_the_platform_gives_them():
    assert bytes(unpack(pack({"b": b"\x00\xff"}))["b"]) == b"\x00\xff"
    when = dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)
    assert unpack(pack(when)) == when.replace(tzinfo=None)
    assert unpack(pack({"a": 1})).a == 1


@pytest.mark.parametrize("value", [(1, 2), object(), [object()], bytearray(b"x")])
def test_what_cannot_cross_is_refused(value):
    with pytest.raises((TypeError, JsException)):
        pack(value)


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        (ValueError("bad"), ValueError, "ValueError: bad"),
        (TypeError("bad"), TypeError, "TypeError: bad"),
        (JsException("RangeError", "far"), ValueError, "far"),
        (JsException("DataCloneError", "no"), JsException, "DataCloneError: no"),
    ],
)
def test_errors_arrive_as_they_do_on_the_platform(raised, kind, text):
    left = leaving(raised)
    arrived = arriving("s-1", StepFailed("s", type(left).__name__, str(left)), 100)
    assert type(arrived) is kind
    assert str(arrived) == text


def test_dependencies_are_implicit_from_a_date_on():
    assert uses_implicit_dependencies("2026-02-25", ())
    assert not uses_implicit_dependencies("2026-02-24", ())
    assert uses_implicit_dependencies("2025-01-01", ("python_workflows_implicit_dependencies",))
    assert not uses_implicit_dependencies("2026-06-01", ("no_python_workflows_implicit_dependencies",))
