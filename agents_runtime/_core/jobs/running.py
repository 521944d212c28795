"""What is known about the runs of jobs in this life of the object: who runs what, since when."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Hung, Job, Run

DEFAULT_HUNG_TIMEOUT_S = 30
"""How long the run of one job may hold up the others, unless the job says otherwise."""


@dataclass(slots=True)
class Lane:
    """Who runs the jobs of a capability, or of one `fn` of it."""

    run: Run
    hung: Hung | None
    concurrency: int
    busy: int = 0
    freed: asyncio.Event = field(default_factory=asyncio.Event)

    def leave(self) -> None:
        """Give a place back."""
        self.busy -= 1
        self.freed.set()


class Running:
    """One run of one job."""

    __slots__ = ("deadline_ms", "is_detached", "is_superseded", "job", "lane", "started_ms")

    def __init__(self, job: Job, lane: Lane, now_ms: int) -> None:
        self.job = job
        self.lane = lane
        self.started_ms = now_ms
        timeout_s = DEFAULT_HUNG_TIMEOUT_S if job.hung_timeout_s is None else job.hung_timeout_s
        self.deadline_ms = now_ms + timeout_s * 1000
        self.is_superseded = False
        """Whether the job was pushed, moved or cancelled since: the outcome of this run does not count."""
        self.is_detached = False
        """Whether the run took too long, so that nobody waits for it any more."""


class Registry:
    """The runners, and the runs going on."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, str | None], Lane] = {}
        self.capabilities: tuple[str, ...] = ()
        self.runs: dict[str, Running] = {}

    def register(self, capability: str, fn: str | None, lane: Lane) -> None:
        """Name who runs the jobs of a capability, or of one of its functions."""
        self._lanes[capability, fn] = lane
        self.capabilities = tuple(dict.fromkeys(name for name, _ in self._lanes))

    def lane_of(self, job: Job) -> Lane | None:
        """Who runs a job; None when nobody does."""
        return self._lanes.get((job.capability, job.fn)) or self._lanes.get((job.capability, None))

    def supersede(self, job_id: str) -> None:
        """Ignore the outcome of a run of this job that is going on."""
        run = self.runs.get(job_id)
        if run is not None:
            run.is_superseded = True

    def first_deadline(self) -> Running | None:
        """The run that will exceed its time first, of those that somebody waits for."""
        return min(
            (run for run in self.runs.values() if not run.is_detached), key=lambda run: run.deadline_ms, default=None
        )
