"""What a step does next, from its journal entry alone."""

import pytest

from agents_runtime.errors import NonRetryableError, NotJson, UsageError
from agents_runtime.tasks.errors import StepTimedOut, ValueTooLarge
from agents_runtime.tasks.journal import Entry, Execute, Fail, Replay, Wait, after_failure, decide, failure_of
from agents_runtime.tasks.models import MAX_DELAY_MS, StepPolicy, step_policy

POLICY = StepPolicy(max_attempts=3, delay_ms=100)


@pytest.mark.parametrize(
    ("entry", "decision"),
    [
        (None, Execute(1)),
        (Entry("a", "do", "completed", 1, result='{"x":1}'), Replay('{"x":1}')),
        (Entry("a", "do", "waiting", 1, next_at_ms=1_001), Wait(1_001)),
        (Entry("a", "do", "waiting", 1, next_at_ms=1_000), Execute(2)),
        (Entry("a", "do", "waiting", 2), Execute(3)),
        (Entry("a", "do", "running", 1), Execute(2, was_interrupted=True)),
        (Entry("a", "do", "running", 2), Execute(3, was_interrupted=True)),
    ],
)
def test_what_a_step_does_next(entry, decision):
    assert decide(entry, POLICY, now_ms=1_000) == decision


def test_a_failed_step_fails_again_the_same_way():
    decision = decide(Entry("a", "do", "failed", 3, error_name="ValueError", error_message="no"), POLICY, 0)
    assert isinstance(decision, Fail)
    assert str(decision.error) == "the step 'a' failed: ValueError: no"
    assert (decision.error.step, decision.error.error_name, decision.error.error_message) == ("a", "ValueError", "no")


def test_interruptions_count_as_attempts():
    decision = decide(Entry("a", "do", "running", 3), POLICY, 0)
    assert isinstance(decision, Fail)
    assert decision.error.error_name == "RecoveryExhausted"


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [("constant", [100, 100, 100]), ("linear", [100, 200, 300]), ("exponential", [100, 200, 400])],
)
def test_waits_grow_as_asked(backoff, delays):
    policy = StepPolicy(max_attempts=9, delay_ms=100, backoff=backoff)
    waits = [after_failure(ValueError(), attempt, policy, now_ms=5_000) for attempt in (1, 2, 3)]
    assert waits == [5_000 + delay for delay in delays]


def test_no_wait_is_longer_than_a_day():
    assert StepPolicy(max_attempts=99, delay_ms=1_000).delay_after_ms(90) == MAX_DELAY_MS


@pytest.mark.parametrize(
    ("error", "attempt", "is_retried"),
    [
        (ValueError("x"), 1, True),
        (ValueError("x"), 2, True),
        (ValueError("x"), 3, False),
        (StepTimedOut("a", 5), 1, True),
        (NonRetryableError("x"), 1, False),
        (NotJson("result", "is a set"), 1, False),
        (ValueTooLarge("result", 2, 1), 1, False),
    ],
)
def test_what_is_tried_again(error, attempt, is_retried):
    assert (after_failure(error, attempt, POLICY, 0) is not None) is is_retried


def test_long_errors_are_cut():
    assert len(failure_of("a", ValueError("x" * 10_000)).error_message) == 4_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((0, 1, "constant", 1), "max_attempts"),
        ((True, 1, "constant", 1), "max_attempts"),
        ((1.5, 1, "constant", 1), "max_attempts"),
        ((1, -1, "constant", 1), "delay"),
        ((1, 1, "quadratic", 1), "backoff"),
        ((1, 1, "constant", 0), "timeout"),
        ((1, 1, "constant", "soon"), "timeout"),
    ],
)
def test_options_that_make_no_sense(options, said):
    with pytest.raises(UsageError, match=said):
        step_policy(*options)


def test_options_take_durations():
    assert step_policy(2, "1 minute", "linear", "1 hour") == StepPolicy(2, 60_000, "linear", 3_600_000)
