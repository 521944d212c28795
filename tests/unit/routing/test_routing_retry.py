"""Routing retries: validation, which errors count, how long is waited, what on_retry hears."""

import math

import pytest

from agents_runtime.errors import RetryableError, UsageError
from agents_runtime.routing.retry import RoutingRetry, RoutingRetryEvent, is_error_retryable, repeat, retry_policy


class Flagged(Exception):
    """An error with the platform's flags."""

    def __init__(self, text="lost", *, retryable=True, overloaded=False):
        super().__init__(text)
        self.retryable = retryable
        self.overloaded = overloaded


class Chance:
    def __init__(self, *values):
        self.values = list(values)

    def random_bytes(self, size):
        return bytes(size)

    def random(self):
        return self.values.pop(0)


class Clock:
    def __init__(self):
        self.slept_s = []

    def now_ms(self):
        return 0

    async def sleep(self, seconds):
        self.slept_s.append(seconds)


async def run(outcomes, policy, *, chance=(0.5, 0.5, 0.5, 0.5), may_repeat=lambda: True):
    """Go on after a first failure; `outcomes` are those of the attempts, errors being raised."""
    clock = Clock()
    first, *rest = outcomes

    async def attempt():
        outcome = rest.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    try:
        result = await repeat(
            attempt,
            first,
            policy,
            clock=clock,
            entropy=Chance(*chance),
            may_repeat=may_repeat,
            name="a",
            class_name="Chat",
        )
    except Exception as exc:
        result = exc
    return result, clock.slept_s


def test_the_defaults_are_those_of_the_js_router():
    assert retry_policy(None) == retry_policy(True) == RoutingRetry(3, 100, 800, None)
    assert retry_policy(False).max_attempts == 1
    assert retry_policy({"max_attempts": 5}) == RoutingRetry(max_attempts=5)
    assert retry_policy(RoutingRetry(2)) == RoutingRetry(2)
    assert retry_policy({"base_delay_ms": 0.5, "max_delay_ms": 0.5}).delay_ms(1, 0.9) == 0


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": 1.5}, "max_attempts"),
        ({"max_attempts": True}, "max_attempts"),
        ({"max_attempts": "3"}, "max_attempts"),
        ({"max_attempts": math.inf}, "max_attempts"),
        ({"base_delay_ms": 0}, "base_delay_ms"),
        ({"base_delay_ms": -1}, "base_delay_ms"),
        ({"base_delay_ms": math.nan}, "base_delay_ms"),
        ({"max_delay_ms": None}, "max_delay_ms"),
        ({"base_delay_ms": 900}, "must not be above"),
        ({"on_retry": "log"}, "on_retry"),
        ({"maxAttempts": 3}, "'maxAttempts'; it has"),
        (3, "routing_retry takes"),
    ],
)
def test_wrong_options_fail_at_the_call(option, problem):
    with pytest.raises(UsageError, match=problem):
        retry_policy(option)


def test_the_delay_is_full_jitter_below_a_doubling_limit():
    policy = RoutingRetry(base_delay_ms=100, max_delay_ms=800)
    assert [policy.delay_ms(attempt, 0.999) for attempt in (1, 2, 3, 4, 5)] == [99, 199, 399, 799, 799]
    assert policy.delay_ms(3, 0.0) == 0
    assert policy.delay_ms(5000, 0.999) == 799


async def test_a_lost_connection_is_tried_until_it_works():
    result, slept_s = await run([Flagged(), Flagged(), "there"], RoutingRetry())
    assert result == "there"
    assert slept_s == [0.05, 0.1]


async def test_the_last_error_is_raised_unchanged():
    last = Flagged("third")
    result, slept_s = await run([Flagged(), Flagged(), last], RoutingRetry())
    assert result is last
    assert len(slept_s) == 2


@pytest.mark.parametrize("error", [ValueError("bug"), Flagged(overloaded=True), Flagged(retryable=False)])
async def test_other_errors_are_not_tried_again(error):
    result, slept_s = await run([error, "there"], RoutingRetry())
    assert result is error
    assert slept_s == []


async def test_an_error_of_another_kind_ends_the_retry():
    bug = ValueError("bug")
    result, slept_s = await run([Flagged(), bug, "there"], RoutingRetry())
    assert result is bug
    assert len(slept_s) == 1


async def test_what_may_not_be_repeated_is_not():
    result, slept_s = await run([Flagged(), "there"], RoutingRetry(), may_repeat=lambda: False)
    assert isinstance(result, Flagged)
    assert slept_s == []


@pytest.mark.parametrize("is_async", [False, True])
async def test_on_retry_hears_of_each_wait(is_async):
    heard: list[RoutingRetryEvent] = []

    async def hear_later(event):
        heard.append(event)

    error = Flagged()
    await run([error, "there"], RoutingRetry(on_retry=hear_later if is_async else heard.append))
    assert heard == [RoutingRetryEvent(error, attempt=1, max_attempts=3, delay_ms=50, name="a", class_name="Chat")]


async def test_a_failing_on_retry_is_only_logged(caplog):
    def fail(event):
        raise RuntimeError("listener broke")

    result, _ = await run([Flagged(), "there"], RoutingRetry(on_retry=fail))
    assert result == "there"
    assert "on_retry failed" in caplog.text


def test_flags_are_found_through_causes_but_never_behind_overload():
    wrapped = RuntimeError("outer")
    wrapped.__cause__ = Flagged()
    assert is_error_retryable(wrapped)
    assert is_error_retryable(RetryableError("try again"))
    assert not is_error_retryable(RuntimeError("I am retryable"))
    assert not is_error_retryable(Flagged("Durable Object is overloaded. Too many requests queued."))
    wrapped.__cause__ = Flagged(overloaded=True)
    assert not is_error_retryable(wrapped)
    assert not is_error_retryable(None)


def test_cycles_and_deep_chains_of_causes_end():
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert not is_error_retryable(first)
    deep: Exception = Flagged()
    for _ in range(8):
        outer = RuntimeError("layer")
        outer.__cause__ = deep
        deep = outer
    assert not is_error_retryable(deep)
