"""What an agent offers for waiting for a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents_runtime._core.capability import capability
    from agents_runtime._core.decisions import ApprovalStatus
    from agents_runtime._core.durations import Duration
    from agents_runtime.approvals.approvals import Approvals
    from agents_runtime.approvals.store import ApprovalInfo


class ApprovalVerbs:
    """The verbs of approvals."""

    __slots__ = ()

    if TYPE_CHECKING:
        _approvals: capability[Approvals]

    async def wait_for_approval(
        self, request: str | Mapping[str, object], /, *, details: object = None, timeout: Duration | None = None
    ) -> Any:  # noqa: ANN401 - the user's own JSON
        """Wait until a person approves: `await self.wait_for_approval({"request_id": "refund-7", "amount": 50})`.

        The request is stored and every connected client is told, as is whoever connects while it is pending. Returns
        what `approve` was given. Asking again with the same id, after a restart for example, goes on waiting or gives
        the recorded decision. The waiting itself ends with the agent's memory; a task's `step.wait_for_approval` stays.

        Args:
            request: the request's id, or a dict with `request_id`, perhaps `timeout`, and details.
            details: JSON for whoever decides.
            timeout: after so long it counts as refused; seconds, timedelta or text. None: wait for ever.

        Raises:
            ApprovalRejected: somebody refused.
            ApprovalExpired: nobody decided in time.
        """
        return await self._approvals.wait(request, details, timeout)

    async def approve(self, request_id: str, metadata: object = None) -> bool:
        """Approve a request. Stored before this returns; False when it was approved already.

        Nobody can do this from outside unless you write a `@callable` for it, which checks who asks.

        Raises:
            UsageError: there is no such request, or it was rejected or has expired.
        """
        return self._approvals.decide(request_id, "approved", metadata, None)

    async def reject(self, request_id: str, reason: str | None = None) -> bool:
        """Refuse a request. Stored before this returns; False when it was refused already.

        Raises:
            UsageError: there is no such request, or it was approved or has expired.
        """
        return self._approvals.decide(request_id, "rejected", None, reason)

    async def get_approval(self, request_id: str) -> ApprovalInfo | None:
        """Look up a request for approval; None when there is none."""
        return self._approvals.store.get(request_id)

    async def list_approvals(self, status: ApprovalStatus | None = None, *, limit: int = 100) -> list[ApprovalInfo]:
        """List the requests for approval, oldest first; only those with `status` when it is given. At most 1,000."""
        return self._approvals.find(status, limit)

    async def delete_approvals(self, *, decided_before: datetime | None = None, limit: int = 100) -> int:
        """Forget decided requests, oldest first; returns how many. A naive `decided_before` is UTC. At most 1,000."""
        return self._approvals.delete(decided_before, limit)
