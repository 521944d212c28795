"""What a part that runs the user's code on its own account needs of its agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Job, Jobs
    from agents_runtime._core.jsonx import Json
    from agents_runtime._platform.ports import Clock, Platform

Emit = Callable[[str, "Mapping[str, Json]"], None]
"""Tells an event: its type and its payload."""

Call = Callable[..., Coroutine[Any, Any, Any]]
"""Calls a function, sync or async, as the agent: `await call(function, *args)`."""

HandOver = Callable[["Job"], Awaitable[None]]
"""Takes over a job."""


async def _nobody(job: Job) -> None:
    raise UsageError(f"the job {job.id} belongs to a sub-agent, and there are none here")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One agent, as the parts see it that run work in its background.

    Attributes:
        agent: the agent itself, to be handed to its own methods.
        jobs: the job table.
        ready: returns once the agent has started.
        call: calls a function as the agent.
        report: tells the user's `on_error` of an error that nobody else learns of.
        emit: tells an event.
        wake: arms the alarm anew.
        interval_ms: how often work that is under way is looked after.
        hand_over: gives a job of a sub-agent, which the JavaScript SDK has stored here, to the sub-agent.
        is_starting: whether the agent is starting.
    """

    agent: object
    platform: Platform
    jobs: Jobs
    ready: Callable[[], Awaitable[None]]
    call: Call
    report: Callable[[Exception], Awaitable[None]]
    emit: Emit
    wake: Callable[[], None]
    interval_ms: int
    hand_over: HandOver = _nobody
    is_starting: Callable[[], bool] = bool

    @property
    def clock(self) -> Clock:
        """Time."""
        return self.platform.clock
