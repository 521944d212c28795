"""Runs a user's method for a job, attempt after attempt, tells what happens, and hands the last error to `on_error`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents_runtime._core.platform_failures import is_durable_object_code_update_reset, is_platform_failure
from agents_runtime._core.retry import delay_ms

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Job
    from agents_runtime._core.jsonx import Json
    from agents_runtime._core.retry import RetryPolicy
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime._platform.ports import Clock, Entropy

logger = logging.getLogger("agents_runtime")

Emit = Callable[[str, "Mapping[str, Json]"], None]
Invoke = Callable[..., Awaitable[Any]]
"""Calls a method, sync or async, as the agent: `await invoke(method, *args)`."""

Report = Callable[[Exception], Awaitable[None]]
"""Hands an error to the user's `on_error`, and does not raise."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The last error of a method, and how often it was called."""

    error: Exception
    attempts: int


@dataclass(frozen=True, slots=True)
class Attempts:
    """How the jobs of one kind are tried.

    Attributes:
        kind: the first part of its events, such as `schedule`.
        tells_execution: whether the first attempt of each run is told as well.
    """

    kind: str
    invoke: Invoke
    report: Report
    emit: Emit
    clock: Clock
    entropy: Entropy
    tells_execution: bool = False

    @classmethod
    def of(cls, around: Surroundings, kind: str, *, tells_execution: bool = False) -> Attempts:
        """How one agent tries its jobs of a kind."""
        platform = around.platform
        return cls(kind, around.call, around.report, around.emit, platform.clock, platform.entropy, tells_execution)

    async def run(
        self, job: Job, method: Callable[..., Any], payload: Json, item: object, policy: RetryPolicy
    ) -> Failure | None:
        """Call `method(payload, item)` until it succeeds, or has failed too often; that is told, and returned.

        Raises:
            Exception: the platform failed, not the method: the job is to be kept.
        """
        attempt = 1
        while True:
            if attempt > 1:
                self._tell("retry", job, attempt=attempt, maxAttempts=policy.max_attempts)
            elif self.tells_execution:
                self._tell("execute", job)
            try:
                await self.invoke(method, payload, item)
            except Exception as error:
                if attempt >= policy.max_attempts or is_durable_object_code_update_reset(error):
                    if is_platform_failure(error):
                        raise
                    await self._give_up(job, error, attempt)
                    return Failure(error, attempt)
            else:
                return None
            await self.clock.sleep(delay_ms(policy, attempt, self.entropy.random()) / 1000)
            attempt += 1

    def missing(self, job: Job) -> None:
        """Take note that the class has no method of that name any more."""
        logger.error("there is no method %r to call for the %s %s", job.fn, self.kind, job.id)

    async def _give_up(self, job: Job, error: Exception, attempts: int) -> None:
        logger.warning("the %s %s failed %d times in %r: %s", self.kind, job.id, attempts, job.fn, error)
        self._tell("error", job, error=str(error), attempts=attempts)
        await self.report(error)

    def _tell(self, what: str, job: Job, **details: Json) -> None:
        self.emit(f"{self.kind}:{what}", {"callback": job.fn, "id": job.id, **details})
