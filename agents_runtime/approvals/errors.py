"""How waiting for an approval can end badly."""

from __future__ import annotations

from agents_runtime.errors import DurabilityError


class ApprovalRejected(DurabilityError):
    """Raised where an approval was waited for and refused.

    Attributes:
        request_id: which request.
        reason: what `reject` was given, or None.
    """

    code = "approval_rejected"

    def __init__(self, request_id: str, reason: str | None) -> None:
        self.request_id = request_id
        self.reason = reason
        super().__init__(f"the request {request_id!r} was rejected" + (f": {reason}" if reason else ""))


class ApprovalExpired(DurabilityError):
    """Raised where an approval was waited for and nobody decided in time.

    Attributes:
        request_id: which request.
    """

    code = "approval_expired"

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        super().__init__(f"nobody decided on the request {request_id!r} in time")
