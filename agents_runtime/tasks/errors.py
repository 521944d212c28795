"""What can go wrong with tasks: errors of their callers, and reasons why a task or a step failed."""

from __future__ import annotations

from agents_runtime.errors import DurabilityError, NonRetryableError, UsageError

__all__ = [
    "DuplicateStep",
    "NonRetryableError",
    "RecoveryExhausted",
    "ReplayDiverged",
    "StepFailed",
    "StepTimedOut",
    "TaskCancelled",
    "TaskFailed",
    "UnknownTask",
    "ValueTooLarge",
]


class UnknownTask(UsageError):
    """Raised when an agent class has no task of a name, or had one when a run of it was accepted.

    Attributes:
        task: the name.
    """

    code = "unknown_task"

    def __init__(self, agent: str, task: str, remark: str) -> None:
        self.task = task
        super().__init__(f"{agent} has no @task {task!r}{remark}")


class ValueTooLarge(UsageError):
    """Raised when an input, a result or the result of a step has more JSON than is kept.

    Attributes:
        size_bytes: how large it is.
        limit_bytes: the most that is kept.
    """

    code = "value_too_large"

    def __init__(self, what: str, size_bytes: int, limit_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes
        super().__init__(
            f"{what} has {size_bytes:,} bytes of JSON and at most {limit_bytes:,} are kept: store it elsewhere, in a "
            "table of your own for example, and pass on where it is"
        )


class DuplicateStep(UsageError):
    """Raised when a task uses one name for two steps: the journal could not tell them apart.

    Attributes:
        step: the name.
    """

    code = "duplicate_step"

    def __init__(self, step: str) -> None:
        self.step = step
        super().__init__(f"the step name {step!r} is used twice in one task: number it, as in f'{step[:40]}-{{i}}'")


class TaskFailed(DurabilityError):
    """Raised to whoever awaits a task that failed.

    Attributes:
        run_id: which run.
        task: the task's name.
        error_name: the class of the exception that ended it.
        error_message: its text.
    """

    code = "task_failed"

    def __init__(self, run_id: str, task: str, error_name: str, error_message: str) -> None:
        self.run_id = run_id
        self.task = task
        self.error_name = error_name
        self.error_message = error_message
        super().__init__(f"the task {task!r} failed: {error_name}: {error_message}")


class TaskCancelled(DurabilityError):
    """Raised to whoever awaits a task that was cancelled.

    Attributes:
        run_id: which run.
        reason: what `cancel` was given, or None.
    """

    code = "task_cancelled"

    def __init__(self, run_id: str, task: str, reason: str | None) -> None:
        self.run_id = run_id
        self.reason = reason
        super().__init__(f"the task {task!r} was cancelled" + (f": {reason}" if reason else ""))


class StepFailed(DurabilityError):
    """Raised inside a task when one of its steps has failed for good. Replays raise it again.

    Attributes:
        step: the step's name.
        error_name: the class of the last exception.
        error_message: its text.
    """

    code = "step_failed"

    def __init__(self, step: str, error_name: str, error_message: str) -> None:
        self.step = step
        self.error_name = error_name
        self.error_message = error_message
        super().__init__(f"the step {step!r} failed: {error_name}: {error_message}")


class StepTimedOut(DurabilityError):
    """Raised in place of a step's attempt that took too long. The step is tried again, as after any failure.

    Attributes:
        step: the step's name.
        timeout_s: how long it had.
    """

    code = "step_timed_out"

    def __init__(self, step: str, timeout_s: float) -> None:
        self.step = step
        self.timeout_s = timeout_s
        super().__init__(f"the step {step!r} was not done after {timeout_s:g} s")


class ReplayDiverged(DurabilityError):
    """Raised when a task, run again, does not do what its journal says it did.

    Its code changed while the run was under way, or depends on something else than its input and its steps' results.

    Attributes:
        step: the step at which it shows.
    """

    code = "replay_diverged"

    def __init__(self, step: str, problem: str) -> None:
        self.step = step
        super().__init__(
            f"the task does not repeat what its journal says: the step {step!r} {problem}. Change a task under a new "
            "name while runs of the old one are under way; let only the input and the steps' results decide its course"
        )


class RecoveryExhausted(DurabilityError):
    """Raised, as the reason a task failed, when it was interrupted too often in a row without any progress."""

    code = "recovery_exhausted"

    def __init__(self, what: str, times: int) -> None:
        super().__init__(f"{what} was interrupted {times} times in a row without any progress, and is given up")
