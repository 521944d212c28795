"""What capabilities see of the job table: `Jobs`, the jobs in it, and what running one may come to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from agents_runtime._core.jsonx import Json, loads

if TYPE_CHECKING:
    from agents_runtime._core.retry import RetryPolicy

SCHEDULER = "scheduler"
QUEUE = "queue"
TASKS = "tasks"
HOST = "host"
"""The capability ids that the JavaScript SDK writes into the table."""

SUB_AGENTS = "sub_agents"
"""The wakes and deletions of sub-agents. The JavaScript SDK leaves such jobs alone."""


class Job(NamedTuple):
    """One row of the job table, as it was read.

    Attributes:
        id: unique in the whole table.
        capability: whose job it is.
        fn: what it does, in the words of its capability: a method name, for example.
        time_ms: when it is due.
        payload_text: JSON, or None.
        retry: how often it is tried; None is the capability's default.
        singleflight: whether a run must not begin while another goes on.
        hung_timeout_s: how long a run may hold up other jobs; None is the driver's default.
        exclusive: whether other jobs wait until it is done.
        recovery_loop: whether it belongs to a loop that the memory-limit breaker may stop.
        created_s: when it was pushed, in seconds since the epoch.
        priority: jobs with a higher one go first among those that are due.
    """

    id: str
    capability: str
    fn: str
    time_ms: int
    payload_text: str | None = None
    retry: RetryPolicy | None = None
    singleflight: bool = False
    hung_timeout_s: int | None = None
    exclusive: bool = False
    recovery_loop: bool = False
    created_s: int = 0
    priority: int = 0

    @property
    def payload(self) -> Json:
        """What was pushed with it; a new copy each time. Raises ValueError if the row holds no JSON."""
        return None if self.payload_text is None else loads(self.payload_text)


@dataclass(frozen=True, slots=True)
class RescheduleAt:
    """Keep the job and run it again at `time_ms`."""

    time_ms: int


class Yield:
    """Keep the job as it is: still due, it runs again right away, after the others that are due."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "YIELD"


YIELD = Yield()

Outcome: TypeAlias = RescheduleAt | Yield | None
"""What becomes of a job that has run. None: it is done and deleted. What was pushed, cancelled or re-timed under its id
during the run wins over its outcome."""

Run: TypeAlias = Callable[[Job], Awaitable[Outcome]]
"""Runs one job. What it raises keeps the job: it is tried again later, with growing delays."""

Hung: TypeAlias = Callable[[Job], Outcome]
"""Says what becomes of a job whose run exceeds its time and goes on in the background. None leaves it to that run."""


class Jobs(Protocol):
    """The job table, for a capability. Every change is committed with the turn and arms the alarm."""

    def register(
        self,
        capability: str,
        run: Run,
        *,
        fn: str | None = None,
        hung: Hung | None = None,
        concurrency: int = 1,
    ) -> None:
        """Name who runs the jobs of a capability id, or only those of one `fn` of it. Call it in the constructor.

        Args:
            hung: asked when a run takes longer than the job's `hung_timeout_s`; the other jobs go on then.
            concurrency: how many of these jobs may run at once. With 1 they run one after the other, in order.
        """
        ...

    def push(
        self,
        capability: str,
        fn: str,
        time_ms: int,
        *,
        job_id: str | None = None,
        payload: Json = None,
        payload_text: str | None = None,
        retry: RetryPolicy | None = None,
        singleflight: bool = False,
        hung_timeout_s: int | None = None,
        exclusive: bool = False,
        recovery_loop: bool = False,
        priority: int = 0,
    ) -> Job:
        """Store a job and arm the alarm. One with the same id is replaced in place, also while it runs.

        Args:
            payload_text: the payload as finished JSON text, in place of `payload`.

        Raises:
            UsageError: the id belongs to another capability, or the time is no time.
            NotJson: the payload is no JSON.
        """
        ...

    def cancel(self, capability: str, job_id: str) -> bool:
        """Delete a job; False when there is none. A run that goes on is not stopped, and its outcome is ignored."""
        ...

    def reschedule(self, capability: str, job_id: str, time_ms: int) -> bool:
        """Move a job to another time; False when there is none."""
        ...

    def get(self, capability: str, job_id: str) -> Job | None:
        """The job with this id; None when there is none or it belongs to another capability."""
        ...

    def list(self, capability: str, *, fn: str | None = None, prefix: str = "", limit: int | None = None) -> list[Job]:
        """The jobs of a capability whose ids begin with `prefix`, in the order in which they will run."""
        ...

    def count(self, capability: str, *, fn: str | None = None) -> int:
        """How many jobs of a capability wait or run."""
        ...

    def is_running(self, job_id: str) -> bool:
        """Whether a run of this job is going on in this life of the object."""
        ...
