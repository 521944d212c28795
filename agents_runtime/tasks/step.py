"""`step`: what a task does its durable work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, overload

from agents_runtime._core.durations import Duration, duration_ms, moment_ms
from agents_runtime.errors import UsageError
from agents_runtime.tasks.models import (
    DEFAULT_DELAY,
    DEFAULT_MAX_ATTEMPTS,
    DEFAULT_POLICY,
    DEFAULT_TIMEOUT,
    Backoff,
    step_policy,
)

if TYPE_CHECKING:
    from agents_runtime._core.capability import Done
    from agents_runtime.tasks.attempt import Attempt
    from agents_runtime.tasks.steps import Steps

T = TypeVar("T")

_DEFAULTS = (DEFAULT_MAX_ATTEMPTS, DEFAULT_DELAY, "exponential", DEFAULT_TIMEOUT)


@dataclass(frozen=True, slots=True)
class StepContext:
    """The attempt of a step that is running.

    Attributes:
        run_id: the run it belongs to.
        name: the step's name.
        attempt: which attempt it is, from 1. Interrupted ones count.
        idempotency_key: the same for every attempt of this step: hand it to services that take one.
    """

    run_id: str
    name: str
    attempt: int
    idempotency_key: str


CURRENT_STEP: ContextVar[StepContext | None] = ContextVar("agents_runtime_current_step", default=None)


def get_current_step() -> StepContext | None:
    """Say which step's function is running; None outside of `step.do`."""
    return CURRENT_STEP.get()


class Step:
    """What a task does its durable work with. Its methods may be awaited one by one or together (`asyncio.gather`).

    Step names are the journal's keys: each is used once in a run, and a replay finds its result under it.
    """

    def __init__(self, attempt: Attempt, steps: Steps) -> None:
        self._attempt = attempt
        self._steps = steps

    def __repr__(self) -> str:
        return f"<step of {self._attempt.run_id}>"

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self._attempt.run_id

    @property
    def interrupted(self) -> StepContext | None:
        """The step that was under way when the agent last lost its memory, and its attempt; None if there was none."""
        return self._attempt.interrupted

    def idempotency_key(self, name: str) -> str:
        """A key for the effects of a step, the same in every attempt of it: hand it to services that take one."""
        return self._attempt.idempotency_key(name)

    @overload
    async def do(
        self,
        name: str,
        function: Callable[..., Awaitable[T]],
        /,
        *args: object,
        max_attempts: int = ...,
        delay: Duration = ...,
        backoff: Backoff = ...,
        timeout: Duration = ...,
    ) -> T: ...
    @overload
    async def do(
        self,
        name: str,
        function: Callable[..., T],
        /,
        *args: object,
        max_attempts: int = ...,
        delay: Duration = ...,
        backoff: Backoff = ...,
        timeout: Duration = ...,
    ) -> T: ...
    async def do(
        self,
        name: str,
        function: Callable[..., Any],
        /,
        *args: Any,
        max_attempts: int = DEFAULT_MAX_ATTEMPTS,
        delay: Duration = DEFAULT_DELAY,
        backoff: Backoff = "exponential",
        timeout: Duration = DEFAULT_TIMEOUT,
    ) -> Any:
        """Call `function(*args)`, sync or async, journal what it returns, and return it; a replay only returns it.

        It runs at least once, and once per journal entry: again only if the agent dies before its result is committed.
        The result is JSON: what comes back is what was stored. What it raises is tried again after a durable wait.

        Args:
            name: its name in the journal, unique in the run.
            function: what to do; `functools.partial` for keyword arguments.
            args: its arguments.
            max_attempts: how often it is tried in all. Attempts that were interrupted count.
            delay: the wait after the first failure, in seconds, as timedelta or text ("10 seconds").
            backoff: whether the wait doubles ("exponential"), grows by itself ("linear") or stays ("constant").
            timeout: how long one attempt may take; then it is cancelled and counts as failed.

        Raises:
            StepFailed: no attempt succeeded, or one raised `NonRetryableError`. Replays raise it again.
        """
        is_default = (max_attempts, delay, backoff, timeout) == _DEFAULTS
        policy = DEFAULT_POLICY if is_default else step_policy(max_attempts, delay, backoff, timeout)
        return await self._steps.do(name, function, args, policy)

    async def sleep(self, name: str, duration: Duration) -> None:
        """Wait: seconds, a timedelta, or a text such as "10 seconds". The agent may leave memory meanwhile.

        The end of the wait is fixed when it begins and kept through crashes. Never shorter, to the millisecond.
        """
        await self._steps.sleep(name, duration_ms(duration, f"the duration of {name!r}"), is_relative=True)

    async def sleep_until(self, name: str, when: datetime) -> None:
        """Wait until a moment; a naive datetime is UTC. One that has passed is no wait."""
        if not isinstance(when, datetime):  # pyright: ignore[reportUnnecessaryIsInstance] # callers without types
            raise UsageError(f"sleep_until takes a datetime, not {when!r}"[:300])
        await self._steps.sleep(name, moment_ms(when), is_relative=False)

    def status(self, text: str) -> Done:
        """Say how far the task is: `TaskInfo.status` from now on. Acts at once; awaiting is optional."""
        return self._attempt.set_status(text)

    async def wait_for_approval(
        self,
        name: str,
        details: object = None,
        *,
        request_id: str | None = None,
        timeout: Duration | None = None,
    ) -> Any:  # noqa: ANN401 - the user's own JSON
        """Wait until a person approves; the agent may leave memory meanwhile. Returns what `approve` was given.

        Connected clients are told. Somebody calls `agent.approve(request_id)` or `agent.reject(request_id)`.

        Args:
            name: the step's name.
            details: JSON for whoever decides: what is to be approved.
            request_id: the request's id; by default `<run id>:<name>`.
            timeout: after so long it counts as refused; None: wait for ever.

        Raises:
            ApprovalRejected: somebody refused. Replays raise it again.
            ApprovalExpired: nobody decided in time.
        """
        timeout_ms = None if timeout is None else duration_ms(timeout, "timeout")
        return await self._steps.wait_for_approval(name, details, request_id, timeout_ms)
