"""Waiting for a person: requests, the decisions on them, and who is told.

A request and its decision are rows: they outlive the agent's memory. The waiting itself belongs to the event that does
it, or to a task, which outlives memory too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, cast, get_args

from agents_runtime._core import wire
from agents_runtime._core.bounds import checked_limit
from agents_runtime._core.capability import Capability
from agents_runtime._core.decisions import ApprovalStatus, Decision
from agents_runtime._core.durations import Duration, duration_ms, moment_ms
from agents_runtime._core.jsonx import Json, dumps, plain
from agents_runtime.errors import ApprovalExpired, ApprovalRejected, UsageError

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock
    from agents_runtime.approvals.store import ApprovalInfo, ApprovalStore

MAX_ID_CHARS = 512
MAX_PENDING = 1_000
"""So many requests of one agent may wait for a decision."""

Emit = Callable[[str, "Mapping[str, Json]"], None]


class Approvals(Capability):
    """The requests for approval of one agent.

    Args:
        publish: sends a frame to every client that takes the agent's own frames.
        wake: arms the alarm anew.
        notify: gives what lets a run of a task look at what it waits for.
    """

    def __init__(
        self,
        store: ApprovalStore,
        clock: Clock,
        publish: Callable[[str], None],
        wake: Callable[[], None],
        notify: Callable[[], Callable[[str], None]],
        emit: Emit,
    ) -> None:
        self.store = store
        self._clock = clock
        self._publish = publish
        self._rearm = wake
        self._notify = notify
        self._emit = emit
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._next_ms: int | None = None
        self._is_next_known = False

    # Asking

    def ask(self, request_id: str, details: object, timeout_ms: int | None, waiter: str | None = None) -> Decision:
        """Record a request unless it is there already, and say where it stands.

        Raises:
            UsageError: the id is no id, or too many requests wait.
            NotJson: naming the part of the details that is no JSON.
        """
        now_ms = self._clock.now_ms()
        known = self.store.get(_checked_id(request_id))
        if known is None:
            self._open(request_id, details, timeout_ms, waiter, now_ms)
            return Decision("pending", expires_at_ms=None if timeout_ms is None else now_ms + timeout_ms)
        if known.status == "pending" and known.expires_at_ms is not None and known.expires_at_ms <= now_ms:
            known = self._decide(known, "expired", None, None)
        elif waiter is not None and waiter not in known.waiters and known.status == "pending":
            self.store.add_waiter(known, waiter)
        return Decision(known.status, known.metadata, known.reason, known.expires_at_ms)

    def _open(self, request_id: str, details: object, timeout_ms: int | None, waiter: str | None, now_ms: int) -> None:
        text = None if details is None else dumps(details, "details")
        if self.store.count_pending() >= MAX_PENDING:
            raise UsageError(f"{MAX_PENDING:,} requests wait for approval already: decide some, or give them a timeout")
        self.store.insert(request_id, text, waiter, now_ms, None if timeout_ms is None else now_ms + timeout_ms)
        self._changed()
        self._tell(request_id)
        self._emit("approval:request", {"requestId": request_id})

    async def wait(self, request: str | Mapping[str, object], details: object, timeout: Duration | None) -> Json:
        """Wait for a decision; gives what `approve` was given. See `Agent.wait_for_approval`."""
        if not isinstance(request, str):
            request, details, timeout = _unfolded(request, details, timeout)
        timeout_ms = None if timeout is None else duration_ms(timeout, "timeout")
        decision = self.ask(request, details, timeout_ms)
        while decision.status == "pending":
            decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            waiting = self._waiting.setdefault(request, [])
            waiting.append(decided)
            try:
                await decided
            finally:
                if decided in waiting:
                    waiting.remove(decided)
            decision = self.ask(request, details, timeout_ms)
        if decision.status == "approved":
            return decision.metadata
        if decision.status == "rejected":
            raise ApprovalRejected(request, decision.reason)
        raise ApprovalExpired(request)

    # Deciding

    def decide(self, request_id: str, status: ApprovalStatus, metadata: object, reason: str | None) -> bool:
        """Record a decision; False when there was the same one already.

        Raises:
            UsageError: there is no such request, or it was decided otherwise.
            NotJson: naming the part of the metadata that is no JSON.
        """
        known = self.store.get(_checked_id(request_id))
        if known is None:
            raise UsageError(f"there is no request {request_id!r} for approval")
        now_ms = self._clock.now_ms()
        if known.status == "pending" and known.expires_at_ms is not None and known.expires_at_ms <= now_ms:
            known = self._decide(known, "expired", None, None)
        if known.status != "pending":
            if known.status != status:
                raise UsageError(f"the request {request_id!r} is {known.status} already")
            self._wake_runs(known)
            return False
        self._decide(known, status, metadata, reason)
        return True

    def _decide(
        self, known: ApprovalInfo, status: ApprovalStatus, metadata: object, reason: str | None
    ) -> ApprovalInfo:
        text = None if metadata is None else dumps(metadata, "metadata")
        now_ms = self._clock.now_ms()
        # The runs first: one that looks and finds no decision waits on, one that never looks would wait for ever.
        self._wake_runs(known)
        self.store.decide(known.request_id, status, text, reason, now_ms)
        self._changed()
        decided = replace(
            known, status=status, metadata=plain(metadata, "metadata"), reason=reason, decided_at_ms=now_ms
        )
        self._emit(f"approval:{status}", {"requestId": known.request_id})
        self._announce(decided)
        self._publish(wire.approval(dumps(decided.as_json())))
        return decided

    def _announce(self, info: ApprovalInfo) -> None:
        """Let every event go on that waits for a decision."""
        for future in self._waiting.pop(info.request_id, ()):
            if not future.done():
                future.set_result(None)

    def _wake_runs(self, info: ApprovalInfo) -> None:
        for waiter in info.waiters:
            self._notify()(waiter)

    def _tell(self, request_id: str) -> None:
        info = self.store.get(request_id)
        if info is not None:
            self._publish(wire.approval(dumps(info.as_json())))

    def _changed(self) -> None:
        self._is_next_known = False
        self._rearm()

    # Looking after them

    def find(self, status: ApprovalStatus | None, limit: int) -> list[ApprovalInfo]:
        """Requests, oldest first."""
        if status is not None and status not in get_args(ApprovalStatus):
            raise UsageError(f"there is no status {status!r}; there are {', '.join(get_args(ApprovalStatus))}")
        return self.store.find(status, checked_limit(limit))

    def delete(self, decided_before: datetime | None, limit: int) -> int:
        """Forget decided requests; returns how many."""
        before_ms = None if decided_before is None else moment_ms(decided_before)
        return self.store.delete(before_ms, checked_limit(limit))

    # The phases

    def greeting(self) -> Iterable[str]:
        """The pending requests, for a new connection."""
        return [wire.approval(dumps(info.as_json())) for info in self.store.find("pending", MAX_PENDING)]

    def next_wake_ms(self) -> int | None:
        """When the first request expires."""
        if not self._is_next_known:
            self._next_ms = self.store.next_expiry_ms()
            self._is_next_known = True
        return self._next_ms

    async def on_alarm(self, now_ms: int) -> None:
        """Let requests expire whose time is over."""
        due_ms = self.next_wake_ms()
        if due_ms is not None and due_ms <= now_ms:
            for info in self.store.overdue(now_ms):
                self._decide(info, "expired", None, None)


def _checked_id(request_id: object) -> str:
    if not isinstance(request_id, str) or not request_id.strip() or len(request_id) > MAX_ID_CHARS:
        raise UsageError(f"a request id is a text of 1 to {MAX_ID_CHARS} characters, not {request_id!r}"[:300])
    return request_id


def _unfolded(
    request: Mapping[str, object], details: object, timeout: Duration | None
) -> tuple[str, object, Duration | None]:
    """The dict form: `request_id`, `timeout`, `details`; other keys are details."""
    if not isinstance(request, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] # callers without types
        raise UsageError(f'wait_for_approval takes a request id or {{"request_id": ...}}, not {request!r}'[:300])
    left = dict(request)
    request_id = left.pop("request_id", left.pop("requestId", None))
    timeout = cast("Duration | None", left.pop("timeout", timeout))
    details = left.pop("details", details)
    if left:
        details = left if details is None else {"details": details, **left}
    return _checked_id(request_id), details, timeout
