"""What there is to know about a run of a task, and how its steps are tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from agents_runtime._core.durations import Duration, duration_ms
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json

TaskState = Literal["pending", "running", "waiting", "completed", "failed", "cancelled"]
STATES: tuple[TaskState, ...] = get_args(TaskState)
SETTLED: tuple[TaskState, ...] = ("completed", "failed", "cancelled")
"""States that are final."""

WaitReason = Literal["sleep", "retry", "approval"]
StepKind = Literal["do", "sleep", "approval"]
StepState = Literal["running", "waiting", "completed", "failed"]
Backoff = Literal["constant", "linear", "exponential"]

DEFAULT_MAX_ATTEMPTS = 5
DEFAULT_DELAY = 1.0
DEFAULT_TIMEOUT = 300.0
MAX_DELAY_MS = 24 * 3_600_000
"""The longest time between two attempts of a step."""

MAX_STEPS = 10_000
"""The most steps of one run."""


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """A run of a task, as it is stored. All times are milliseconds since the epoch.

    Attributes:
        run_id: which run.
        task: the task's name.
        state: `pending`, `running`, `waiting`, `completed`, `failed` or `cancelled`.
        result: what it returned, once it is completed.
        error_name: the class of the exception that ended it, once it failed.
        error_message: its text.
        status: what it said last with `step.status`.
        metadata: what was given to `run`.
        idempotency_key: what was given to `run`.
        wait_reason: `sleep`, `retry` or `approval` while it waits.
        wake_at_ms: when it goes on while it waits; None: when something happens.
        cancel_reason: what was given to `cancel`.
    """

    run_id: str
    task: str
    state: TaskState
    result: Json
    error_name: str | None
    error_message: str | None
    status: str | None
    metadata: Json
    idempotency_key: str | None
    wait_reason: WaitReason | None
    wake_at_ms: int | None
    cancel_reason: str | None
    created_at_ms: int
    started_at_ms: int | None
    settled_at_ms: int | None

    @property
    def is_settled(self) -> bool:
        """Whether it has come to its end, whichever."""
        return self.state in SETTLED


@dataclass(frozen=True, slots=True)
class StepPolicy:
    """How often and how long one step is tried.

    Attributes:
        max_attempts: how often it is tried at most, interrupted attempts included.
        delay_ms: the wait after the first failure.
        backoff: how the wait grows: not at all, by `delay` each time, or to its double.
        timeout_ms: how long one attempt may take.
    """

    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    delay_ms: int = int(DEFAULT_DELAY * 1000)
    backoff: Backoff = "exponential"
    timeout_ms: int = int(DEFAULT_TIMEOUT * 1000)

    def delay_after_ms(self, attempt: int) -> int:
        """How long to wait after the failure of an attempt, counted from 1; at most a day."""
        if self.backoff == "constant":
            delay_ms = self.delay_ms
        elif self.backoff == "linear":
            delay_ms = self.delay_ms * attempt
        else:
            delay_ms = self.delay_ms << min(attempt - 1, 40)
        return min(delay_ms, MAX_DELAY_MS)


DEFAULT_POLICY = StepPolicy()


def step_policy(max_attempts: int, delay: Duration, backoff: Backoff, timeout: Duration) -> StepPolicy:
    """What a step's options mean.

    Raises:
        UsageError: naming the option that makes no sense.
    """
    if type(max_attempts) is not int or max_attempts < 1:
        raise UsageError(f"max_attempts must be a whole number above 0, not {max_attempts!r}")
    if backoff not in get_args(Backoff):
        raise UsageError(f"backoff must be one of {', '.join(get_args(Backoff))}, not {backoff!r}")
    timeout_ms = duration_ms(timeout, "timeout")
    if not timeout_ms:
        raise UsageError("timeout must be above 0")
    return StepPolicy(max_attempts, duration_ms(delay, "delay"), backoff, timeout_ms)


def metadata_of(value: Mapping[str, object] | None) -> Mapping[str, object] | None:
    """`value` if it can be metadata: an object or nothing."""
    if value is not None and not isinstance(value, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] # callers without types
        raise UsageError(f"metadata must be a dict, not {type(value).__name__}")
    return value
