"""Finding the schedule that says the same as a new one, without reading all of them each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents_runtime._core.jobs.port import SCHEDULER
from agents_runtime.errors import StorageError
from agents_runtime.scheduler.models import Stored, read_stored
from agents_runtime.scheduler.when import After, At, ByCron

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Job, Jobs

Signature = tuple[object, ...]


class Index:
    """The schedules of each method by what they say. Built when first asked for; the rows stay the truth."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._ids: dict[str, dict[Signature, str]] = {}

    def find(self, callback: str, stored: Stored) -> Job | None:
        """The first schedule of a method with the same type, payload, and expression or interval; not its time."""
        signature = _signature(stored)
        was_built = callback in self._ids
        job = self._look_up(callback, signature)
        if job is None and was_built and signature in self._ids[callback]:
            del self._ids[callback]  # that one is over; another may say the same
            job = self._look_up(callback, signature)
        return job

    def _look_up(self, callback: str, signature: Signature) -> Job | None:
        if callback not in self._ids:
            self._ids[callback] = self._build(callback)
        job_id = self._ids[callback].get(signature)
        job = None if job_id is None else self._jobs.get(SCHEDULER, job_id)
        return job if job is not None and job.fn == callback and _signature_of(job) == signature else None

    def _build(self, callback: str) -> dict[Signature, str]:
        found: dict[Signature, str] = {}
        for job in self._jobs.list(SCHEDULER, fn=callback):
            signature = _signature_of(job)
            if signature is not None:
                found.setdefault(signature, job.id)
        return found

    def added(self, job: Job, stored: Stored) -> None:
        """Take note of a new schedule."""
        known = self._ids.get(job.fn)
        if known is not None:
            known.setdefault(_signature(stored), job.id)

    def is_same(self, job: Job, callback: str, stored: Stored) -> bool:
        """Whether a schedule says what a new one would."""
        return job.fn == callback and _signature_of(job) == _signature(stored)


def _signature_of(job: Job) -> Signature | None:
    try:
        stored = read_stored(job)
    except StorageError:
        return None
    return None if stored.is_foreign else _signature(stored)


def _signature(stored: Stored) -> Signature:
    timing = stored.timing
    payload = None if stored.payload_text == "null" else stored.payload_text
    if isinstance(timing, At):
        return "scheduled", payload
    if isinstance(timing, After):
        return "delayed", payload
    if isinstance(timing, ByCron):
        return "cron", payload, timing.expression, timing.tz
    return "interval", payload, timing.interval_ms, timing.anchor_ms is not None
