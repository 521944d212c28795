"""Queue items and dead letters, as users see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agents_runtime._core.records import Record

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._core.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class QueueItem(Record):
    """Something that waits in the queue.

    Attributes:
        id: for `get_queue` and `dequeue`.
        callback: the method that will be called with the payload and this item; None: it waits to be pulled.
        payload: JSON.
        created_at: when it was queued, in seconds since the epoch.
        retry: how often the method is tried.
        priority: items with a higher one go first.
    """

    id: str
    callback: str | None
    payload: Json
    created_at: int
    retry: RetryPolicy | None = None
    priority: int = 0

    javascript_names: ClassVar[dict[str, str]] = {
        "id": "id",
        "callback": "callback",
        "payload": "payload",
        "createdAt": "created_at",
        "retry": "retry",
    }


@dataclass(frozen=True, slots=True)
class DeadLetter(Record):
    """A queue item whose method failed at every attempt.

    Attributes:
        id: the item's.
        callback: the method that failed.
        payload: JSON.
        error: the text of the last error.
        attempts: how often the method was called.
        failed_at_ms: when it failed last, in milliseconds since the epoch.
        created_at: when it was queued, in seconds since the epoch.
        priority: the item's.
    """

    id: str
    callback: str
    payload: Json
    error: str
    attempts: int
    failed_at_ms: int
    created_at: int
    priority: int = 0

    javascript_names: ClassVar[dict[str, str]] = {
        "id": "id",
        "callback": "callback",
        "payload": "payload",
        "error": "error",
        "attempts": "attempts",
        "failedAt": "failed_at_ms",
        "createdAt": "created_at",
    }
