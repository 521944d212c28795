"""What there is to know about a fiber, and what its own code sees."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypedDict, cast, get_args

from agents_runtime._core.records import Record
from agents_runtime._core.spelling import did_you_mean
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json

FiberStatus = Literal["pending", "running", "completed", "error", "aborted", "interrupted"]
STATUSES: tuple[FiberStatus, ...] = get_args(FiberStatus)
TERMINAL: tuple[FiberStatus, ...] = ("completed", "error", "aborted")
"""Statuses that are final. An interrupted fiber waits for somebody to say what became of it."""

RESOLUTIONS: tuple[FiberStatus, ...] = (*TERMINAL, "interrupted")


class FiberConflict(UsageError):
    """Raised when a fiber's id and its idempotency key name two different fibers."""

    code = "fiber_conflict"

    def __init__(self, fiber_id: str, key: str) -> None:
        super().__init__(f"the fiber id {fiber_id!r} and the idempotency key {key!r} name two different fibers")


@dataclass(frozen=True, slots=True)
class FiberInfo(Record):
    """A managed fiber, as it is stored. All times are milliseconds since the epoch.

    Attributes:
        fiber_id: which fiber.
        status: `pending`, `running`, `completed`, `error`, `aborted` or `interrupted`.
        snapshot: what it stashed last.
        error: why it failed or was aborted.
        accepted: whether the call of `start_fiber` that gave this started it.
    """

    fiber_id: str
    name: str
    status: FiberStatus
    idempotency_key: str | None = None
    snapshot: Json = None
    error: str | None = None
    metadata: Json = None
    created_at_ms: int = 0
    started_at_ms: int | None = None
    settled_at_ms: int | None = None
    accepted: bool = False

    javascript_names: ClassVar[dict[str, str]] = {
        "fiberId": "fiber_id",
        "name": "name",
        "idempotencyKey": "idempotency_key",
        "status": "status",
        "snapshot": "snapshot",
        "error": "error",
        "metadata": "metadata",
        "createdAt": "created_at_ms",
        "startedAt": "started_at_ms",
        "settledAt": "settled_at_ms",
        "accepted": "accepted",
    }


@dataclass(frozen=True, slots=True)
class FiberRecovery(Record):
    """A fiber that was interrupted, for `on_fiber_recovered`.

    Attributes:
        id: the fiber's id.
        name: the name it was run under; it tells what work to begin again.
        snapshot: what it stashed last; None when it stashed nothing, or what is stored is damaged.
        created_at_ms: when it was begun.
        recovery_reason: always `interrupted`.
        status: of a managed fiber; None: it was run by `run_fiber`.
        idempotency_key: of a managed fiber that has one.
        metadata: of a managed fiber.
    """

    id: str
    name: str
    snapshot: Json
    created_at_ms: int
    recovery_reason: Literal["interrupted"] = "interrupted"
    status: FiberStatus | None = None
    idempotency_key: str | None = None
    metadata: Json = None

    javascript_names: ClassVar[dict[str, str]] = {
        "id": "id",
        "name": "name",
        "snapshot": "snapshot",
        "createdAt": "created_at_ms",
        "recoveryReason": "recovery_reason",
        "status": "status",
        "idempotencyKey": "idempotency_key",
        "metadata": "metadata",
    }


class _Resolved(TypedDict):
    status: FiberStatus


class FiberResolution(_Resolved, total=False):
    """What became of a managed fiber, returned by `on_fiber_recovered` or given to `resolve_fiber`.

    Attributes:
        status: `completed`, `error`, `aborted`, or `interrupted` to leave it open.
        snapshot: replaces the last stash.
        metadata: replaces the metadata.
        error: why, when it is `error` or `aborted`.
        reason: the same.
    """

    snapshot: object
    metadata: object
    error: str
    reason: str


class Fiber:
    """A fiber that is running; its function gets this if it takes an argument.

    Attributes:
        id: its id.
        name: its name.
        signal: set when the fiber is cancelled; its code also gets `asyncio.CancelledError` where it awaits.
        snapshot: always None: what a recovery finds is what was stashed.
    """

    __slots__ = ("_write", "id", "is_over", "name", "owner", "signal", "snapshot", "task")

    def __init__(self, owner: object, fiber_id: str, name: str, write: Callable[[str, object], None]) -> None:
        self.owner = owner
        self.id = fiber_id
        self.name = name
        self.signal = asyncio.Event()
        self.snapshot: Json = None
        self.task: asyncio.Task[object] | None = None
        self.is_over = False
        self._write = write

    def stash(self, data: object) -> None:
        """Keep how far the work is, in place of what was stashed before. Stored at once; a recovery gets it.

        Raises:
            NotJson: naming the part of the data that is no JSON.
            UsageError: the fiber has ended.
        """
        if self.is_over:
            raise UsageError(f"the fiber {self.name!r} has ended: nothing would read what it stashes")
        self._write(self.id, data)


CURRENT_FIBER: ContextVar[Fiber | None] = ContextVar("agents_runtime_current_fiber", default=None)


def checked_resolution(given: object) -> FiberResolution:
    """`given` if it says what became of a fiber. Raises UsageError if it does not."""
    if not isinstance(given, Mapping):
        raise UsageError(f'say what became of the fiber as {{"status": "completed"}}, not {given!r}'[:300])
    values = dict(cast("Mapping[str, object]", given))
    known = ("status", "snapshot", "metadata", "error", "reason")
    for key in values:
        if key not in known:
            raise UsageError(f"a fiber has no {key!r}{did_you_mean(str(key), known)}")
    if values.get("status") not in RESOLUTIONS:
        raise UsageError(f"the status of a fiber must be one of {', '.join(RESOLUTIONS)}, not {values.get('status')!r}")
    return cast("FiberResolution", values)


def checked_statuses(given: object) -> tuple[FiberStatus, ...]:
    """One status or several as a tuple. Raises UsageError for one that does not exist."""
    statuses: tuple[object, ...] = (given,) if isinstance(given, str) else tuple(cast("Iterable[object]", given))
    for status in statuses:
        if status not in STATUSES:
            raise UsageError(f"there is no status {status!r}; there are {', '.join(STATUSES)}")
    return cast("tuple[FiberStatus, ...]", statuses)
