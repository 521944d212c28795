"""Policies, waits and attempts: pure arithmetic, and a loop over a clock that only records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime._core.retry import (
    DEFAULT_RETRY,
    RetryPolicy,
    attempt_function,
    delay_ms,
    resolve_retry,
    retry_from_json,
    retry_to_json,
    retrying,
)
from agents_runtime.errors import UsageError


class Clock:
    def __init__(self):
        self.slept = []

    def now_ms(self):
        return 0

    async def sleep(self, seconds):
        self.slept.append(seconds)


class Dice:
    def __init__(self, value):
        self.value = value

    def random(self):
        return self.value

    def random_bytes(self, size):
        return bytes(size)


def test_what_is_left_out_comes_from_the_defaults():
    defaults = RetryPolicy(7, 200, 4000)
    assert resolve_retry(None, defaults) is defaults
    assert resolve_retry({}, defaults) == defaults
    assert resolve_retry({"maxAttempts": 2, "base_delay_ms": None}, defaults) == RetryPolicy(2, 200, 4000)
    assert resolve_retry(RetryPolicy(1), defaults) == RetryPolicy(1, 100, 3000)


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": 2.5}, "max_attempts"),
        ({"max_attempts": True}, "max_attempts"),
        ({"max_attempts": "3"}, "max_attempts"),
        ({"base_delay_ms": 0}, "base_delay_ms"),
        ({"max_delay_ms": -1}, "max_delay_ms"),
        ({"base_delay_ms": float("inf")}, "base_delay_ms"),
        ({"base_delay_ms": 5000}, "base_delay_ms"),
        ({"tries": 3}, "tries"),
    ],
)
def test_every_refusal_names_its_field(given_, field):
    with pytest.raises(UsageError, match=f"^retry.{field} "):
        resolve_retry(given_)


def test_something_else_is_refused():
    with pytest.raises(UsageError, match="must be a dict"):
        resolve_retry(5)  # type: ignore[arg-type] # callers without types


def test_it_is_stored_as_javascript_stores_it():
    text = '{"maxAttempts":3,"baseDelayMs":100,"maxDelayMs":3000}'
    assert retry_to_json(DEFAULT_RETRY) == text
    assert retry_from_json(text) == DEFAULT_RETRY
    assert retry_from_json('{"maxAttempts":9}') == RetryPolicy(9)
    assert retry_from_json("null") == retry_from_json("{") == retry_from_json('{"maxAttempts":0}') == DEFAULT_RETRY


@given(st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_below_its_bound_and_the_bound_grows_to_the_limit(failures, chance):
    policy = RetryPolicy(9, 100, 3000)
    wait = delay_ms(policy, failures, chance)
    assert 0 <= wait < min(100 * 2**failures, 3000) + 1
    assert wait <= delay_ms(policy, failures + 1, chance)


async def test_the_waits_double():
    clock, made = Clock(), []

    async def work(attempt):
        made.append(attempt)
        raise ValueError(attempt)

    with pytest.raises(ValueError, match="5"):
        await retrying(work, RetryPolicy(5, 100, 1000), clock, Dice(0.5))
    assert made == [1, 2, 3, 4, 5]
    assert clock.slept == [0.1, 0.2, 0.4, 0.5]


async def test_what_is_no_exception_is_not_retried():
    class Stop(BaseException):
        pass

    async def work(attempt):
        raise Stop

    clock = Clock()
    with pytest.raises(Stop):
        await retrying(work, DEFAULT_RETRY, clock, Dice(0))
    assert clock.slept == []


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda: "none", "none"),
        (lambda attempt: attempt, 7),
        (lambda *args: args, (7,)),
        (lambda attempt=0, other=1: (attempt, other), (7, 1)),
        (lambda *, keyword=1: keyword, 1),
        (dict, {}),
    ],
)
async def test_the_attempt_is_given_to_what_takes_it(function, expected):
    assert await attempt_function(function)(7) == expected
