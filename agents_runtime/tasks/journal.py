"""What a step does next, decided from its journal entry alone. Pure: no storage, no clock, no waiting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents_runtime.errors import NonRetryableError, NotJson
from agents_runtime.tasks.errors import RecoveryExhausted, StepFailed, ValueTooLarge

if TYPE_CHECKING:
    from agents_runtime.tasks.models import StepKind, StepPolicy, StepState


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of one run, as journaled.

    Attributes:
        result: JSON text, once it is completed.
        attempt: how often it was begun.
        next_at_ms: when it goes on, while it waits.
    """

    name: str
    kind: StepKind
    state: StepState
    attempt: int = 0
    next_at_ms: int | None = None
    result: str | None = None
    error_name: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """The step was done: give its result."""

    result: str | None


@dataclass(frozen=True, slots=True)
class Fail:
    """The step has failed for good, which may not be in the journal yet."""

    error: StepFailed


@dataclass(frozen=True, slots=True)
class Wait:
    """The step goes on at a time; None: when something happens."""

    until_ms: int | None


@dataclass(frozen=True, slots=True)
class Execute:
    """Begin an attempt. `was_interrupted`: the one before ended with the agent's memory."""

    attempt: int
    was_interrupted: bool = False


Decision = Replay | Fail | Wait | Execute


def decide(entry: Entry | None, policy: StepPolicy, now_ms: int) -> Decision:
    """What a `do` step does next."""
    if entry is None:
        return Execute(1)
    if entry.state == "completed":
        return Replay(entry.result)
    if entry.state == "failed":
        return Fail(StepFailed(entry.name, entry.error_name or "Error", entry.error_message or ""))
    if entry.state == "waiting":
        if entry.next_at_ms is not None and entry.next_at_ms > now_ms:
            return Wait(entry.next_at_ms)
        return Execute(entry.attempt + 1)
    if entry.attempt >= policy.max_attempts:
        error = RecoveryExhausted(f"the step {entry.name!r}", entry.attempt)
        return Fail(failure_of(entry.name, error))
    return Execute(entry.attempt + 1, was_interrupted=True)


def after_failure(error: Exception, attempt: int, policy: StepPolicy, now_ms: int) -> int | None:
    """When a step is tried again after a failed attempt; None: never."""
    if isinstance(error, NonRetryableError | NotJson | ValueTooLarge) or attempt >= policy.max_attempts:
        return None
    return now_ms + policy.delay_after_ms(attempt)


def failure_of(step: str, error: BaseException) -> StepFailed:
    """The error that a task sees, now and in every replay, when a step has failed for good."""
    return StepFailed(step, error_name(error), error_text(error))


def error_name(error: BaseException) -> str:
    """The class of an error, as it is stored."""
    return type(error).__name__


MAX_ERROR_CHARS = 4_000
"""Error texts are for people; longer ones are cut."""


def error_text(error: BaseException) -> str:
    """The text of an error, as it is stored."""
    return str(error)[:MAX_ERROR_CHARS]
