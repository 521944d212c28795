"""The platform's failures are told by its own texts, through causes, and nothing else is mistaken for one."""

from __future__ import annotations

import pytest

from agents_runtime._core.platform_failures import (
    is_durable_object_code_update_reset,
    is_durable_object_memory_limit_reset,
    is_durable_object_storage_reset,
    is_error_retryable,
    is_platform_failure,
    is_platform_transient_error,
)
from agents_runtime.errors import SqlError

SUPERSEDED = "Durable Object reset because its code was updated."
UPGRADED = "This script has been upgraded. Please send a new request to connect to the new version."
STORAGE = "Internal error in Durable Object storage caused object to be reset"
MEMORY = "Durable Object's isolate exceeded its memory limit and was reset."
LOST = "Network connection lost."


class Flagged(Exception):
    retryable = True
    overloaded = False


def caused_by(text, depth=1):
    error: Exception = RuntimeError(text)
    for level in range(depth):
        outer = ValueError(f"level {level}")
        outer.__cause__ = error
        error = outer
    return error


@pytest.mark.parametrize("wrap", [str, RuntimeError, caused_by, lambda text: SqlError("SELECT 1", RuntimeError(text))])
def test_texts_are_found_in_every_form(wrap):
    assert is_durable_object_code_update_reset(wrap(SUPERSEDED))
    assert is_durable_object_code_update_reset(wrap(UPGRADED))
    assert is_durable_object_storage_reset(wrap(STORAGE))
    assert is_durable_object_memory_limit_reset(wrap(MEMORY))
    for text in (SUPERSEDED, UPGRADED, STORAGE, LOST):
        assert is_platform_transient_error(wrap(text))
        assert is_platform_failure(wrap(text))
    assert not is_platform_transient_error(wrap(MEMORY))
    assert is_platform_failure(wrap(MEMORY))


def test_the_flag_counts_unless_the_object_is_overloaded():
    assert is_error_retryable(Flagged("x"))
    assert is_platform_transient_error(Flagged("x"))
    assert not is_error_retryable(Flagged("Durable Object is overloaded. Requests queued for too long."))
    overloaded = Flagged("x")
    overloaded.overloaded = True
    assert not is_error_retryable(overloaded)
    assert not is_error_retryable(ValueError("retryable"))


@pytest.mark.parametrize(
    "text",
    [
        "the customer upgraded the script",
        "we reset the code",
        "connection refused",
        "out of memory",
        "storage error",
        "",
    ],
)
def test_errors_that_only_look_alike_are_the_applications_own(text):
    assert not is_platform_failure(ValueError(text))
    assert not is_platform_failure(caused_by(text))


def test_what_was_raised_while_handling_counts_and_from_none_does_not():
    def raised(suppressed):
        try:
            try:
                raise RuntimeError(LOST)
            except RuntimeError:
                if suppressed:
                    raise ValueError("mine") from None
                "mine".index("not there")
        except ValueError as error:
            return error

    assert is_platform_transient_error(raised(suppressed=False))
    assert not is_platform_transient_error(raised(suppressed=True))


def test_long_and_circular_chains_end():
    assert is_platform_transient_error(caused_by(LOST, depth=7))
    assert not is_platform_transient_error(caused_by(LOST, depth=8))
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert not is_platform_failure(one)
    assert not is_platform_failure(None)
