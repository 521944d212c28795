"""What there is to know about the workflows of an agent, and which of them are asked for. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, cast, get_args

from agents_runtime._core.bounds import checked_limit
from agents_runtime._core.durations import moment_ms
from agents_runtime._core.jsonx import dumps, loads
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json

WorkflowStatus = Literal[
    "queued", "running", "paused", "errored", "terminated", "complete", "waiting", "waitingForPause", "unknown"
]
STATUSES: tuple[WorkflowStatus, ...] = get_args(WorkflowStatus)
FINAL: tuple[WorkflowStatus, ...] = ("complete", "errored", "terminated")
"""Statuses that only a restart leaves."""

ERROR_NAME = "WorkflowError"
DEFAULT_LIMIT = 50
MAX_LIMIT = 100


@dataclass(frozen=True, slots=True)
class WorkflowInfo:
    """A workflow that the agent started, as it is tracked. Times are milliseconds since the epoch, of whole seconds.

    Attributes:
        id: the row's own id.
        workflow_id: the id of the platform's instance.
        workflow_name: the binding it was started with.
        status: as last heard of.
        metadata: what was given to `run_workflow`.
        error: `name` and `message`, once it failed.
        completed_at_ms: when it ended, as the agent heard of it.
    """

    id: str
    workflow_id: str
    workflow_name: str
    status: WorkflowStatus
    metadata: dict[str, Json] | None
    error: dict[str, str] | None
    created_at_ms: int
    updated_at_ms: int
    completed_at_ms: int | None

    @property
    def is_final(self) -> bool:
        """Whether it has come to its end, whichever."""
        return self.status in FINAL

    def as_json(self) -> dict[str, Json]:
        """The workflow as clients see it, with the JavaScript keys and dates as ISO text."""
        return {
            "id": self.id,
            "workflowId": self.workflow_id,
            "workflowName": self.workflow_name,
            "status": self.status,
            "metadata": self.metadata,
            "error": None if self.error is None else dict(self.error),
            "createdAt": _iso(self.created_at_ms),
            "updatedAt": _iso(self.updated_at_ms),
            "completedAt": None if self.completed_at_ms is None else _iso(self.completed_at_ms),
        }


@dataclass(frozen=True, slots=True)
class WorkflowPage:
    """Some of the workflows that were asked for.

    Attributes:
        total: how many there are in all.
        next_cursor: where to go on; None: this was the last page.
    """

    workflows: list[WorkflowInfo]
    total: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Criteria:
    """Which workflows are meant. None: any."""

    statuses: tuple[WorkflowStatus, ...] | None = None
    workflow_name: str | None = None
    metadata: Mapping[str, str | float | bool] | None = None
    created_before_s: float | None = None


def criteria_of(
    status: str | Iterable[str] | None,
    workflow_name: str | None,
    metadata: Mapping[str, object] | None,
    created_before: datetime | None = None,
) -> Criteria:
    """What a caller asks for.

    Raises:
        UsageError: there is no such status, or the metadata cannot be compared.
    """
    found: list[WorkflowStatus] = [] if status is None else [_checked_status(one) for one in _listed(status)]
    statuses = None if status is None else tuple(found)
    before_s = None if created_before is None else moment_ms(created_before) / 1000
    return Criteria(statuses, workflow_name, None if metadata is None else _checked_metadata(metadata), before_s)


def page_limit(limit: object) -> int:
    """How many workflows a page has."""
    return min(checked_limit(limit, 1_000_000), MAX_LIMIT)


def _listed(status: str | Iterable[str]) -> Iterable[str]:
    return (status,) if isinstance(status, str) else status


def _checked_status(status: str) -> WorkflowStatus:
    if status not in STATUSES:
        raise UsageError(f"there is no status {status!r}; there are {', '.join(STATUSES)}")
    return status


def _checked_metadata(metadata: Mapping[str, object]) -> Mapping[str, str | float | bool]:
    for key, value in metadata.items():
        if '"' in key or not key:
            raise UsageError(f"metadata cannot be looked for by the key {key!r}")
        if not isinstance(value, str | int | float | bool):
            raise UsageError(f"metadata[{key!r}] can be compared with a text, a number or a bool, not {value!r}"[:300])
    return cast("Mapping[str, str | float | bool]", metadata)


def write_cursor(created_s: int, workflow_id: str) -> str:
    """Where a page ended, as a text for the caller to give back."""
    return base64.b64encode(dumps({"c": created_s, "i": workflow_id}).encode()).decode()


def read_cursor(cursor: str) -> tuple[int, str]:
    """The place that a cursor means.

    Raises:
        UsageError: it is none of ours.
    """
    try:
        found = loads(base64.b64decode(cursor, validate=True).decode())
    except ValueError:
        found = None
    if isinstance(found, dict):
        created, workflow_id = found.get("c"), found.get("i")
        if isinstance(created, int) and not isinstance(created, bool) and isinstance(workflow_id, str):
            return created, workflow_id
    raise UsageError(f"{cursor[:80]!r} is no cursor: give back what `next_cursor` of the page before was")


def metadata_of(value: Mapping[str, object] | None) -> str | None:
    """Metadata as it is stored."""
    if value is None:
        return None
    if not isinstance(value, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] # callers without types
        raise UsageError(f"metadata must be a dict, not {type(value).__name__}")
    return dumps(value, "metadata")


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
