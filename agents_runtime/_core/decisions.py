"""What a person decided, and how other parts of an agent ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json

ApprovalStatus = Literal["pending", "approved", "rejected", "expired"]


class Decision(NamedTuple):
    """Where a request for approval stands.

    Attributes:
        status: `pending` until somebody decided or its time is over.
        metadata: what `approve` was given.
        reason: what `reject` was given.
        expires_at_ms: when it expires; None: never.
    """

    status: ApprovalStatus
    metadata: Json = None
    reason: str | None = None
    expires_at_ms: int | None = None


class Desk(Protocol):
    """Where requests for approval are kept."""

    def ask(self, request_id: str, details: object, timeout_ms: int | None, waiter: str) -> Decision:
        """Record a request unless it is there already, and say where it stands. `waiter` is told of the decision."""
        ...
