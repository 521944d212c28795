"""What an agent offers for workflows: the verbs, and the hooks that hear of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from agents_runtime._core.capability import DONE
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from agents_runtime._core.capability import capability
    from agents_runtime._core.jsonx import Json
    from agents_runtime.workflows.models import WorkflowInfo, WorkflowPage
    from agents_runtime.workflows.workflows import Workflows

logger = logging.getLogger("agents_runtime")

_ORDER_KEYS = ("name", "input", "params", "id", "metadata", "agent_binding", "agentBinding", "retention")


class WorkflowVerbs:
    """The verbs and hooks of workflows."""

    __slots__ = ()

    if TYPE_CHECKING:
        _workflows: capability[Workflows]

    async def run_workflow(
        self,
        workflow: str | type[object] | Mapping[str, object],
        params: object = None,
        /,
        *,
        id: str | None = None,  # noqa: A002 - the platform's word
        metadata: Mapping[str, object] | None = None,
        agent_binding: str | None = None,
        retention: Mapping[str, object] | None = None,
    ) -> str:
        """Start a workflow and return its id: `await self.run_workflow("ORDERS", {"item": "tea"})`.

        Or `await self.run_workflow({"name": "orders", "input": {...}})`. Once this has returned, the workflow runs: the
        start is stored with the agent before the platform is asked, and repeated if a crash leaves it open. It is
        tracked until `delete_workflow`, and the `on_workflow_*` hooks hear of its progress and its end.

        Args:
            workflow: its binding, in any spelling, or its class; or a dict with `name`, `input` and the options.
            params: JSON of at most 1 MiB: `event["payload"]` of the workflow.
            id: by default a random one. Letters, digits, `-` and `_`, at most 100.
            metadata: JSON that is kept with the tracked workflow, to find it by.
            agent_binding: the agent's own binding, where its class does not tell.
            retention: how long the platform keeps an ended instance: `successRetention`, `errorRetention`.

        Raises:
            UsageError: there is no such binding, or a workflow with this id.
        """
        from agents_runtime.workflows.workflows import Order

        if isinstance(workflow, Mapping):
            return await self._workflows.start(_order_of(cast("Mapping[str, Any]", workflow)))
        return await self._workflows.start(Order(workflow, params, id, metadata, agent_binding, retention))

    async def send_workflow_event(
        self, workflow: str, workflow_id: str, event: Mapping[str, object] | str, payload: object = None, /
    ) -> None:
        """Send an event to a workflow: `{"type": "paid", "payload": {...}}`, or the type and the payload.

        It goes to the first `step.wait_for_event` that asks for its type, now or later.
        """
        if isinstance(event, str):
            event = {"type": event, "payload": payload}
        event_type = event.get("type")
        if not isinstance(event_type, str) or not event_type:
            raise UsageError(f"an event needs a type, as in {{'type': 'paid', 'payload': ...}}, not {event!r}"[:300])
        await self._workflows.send(workflow, workflow_id, event_type, event.get("payload"))

    async def approve_workflow(
        self, workflow_id: str, data: Mapping[str, object] | None = None, /, *, reason: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        """Approve what a workflow waits for in `wait_for_approval`, which returns `metadata`.

        Nobody can do this from outside unless you write a `@callable` for it, which checks who asks.

        Raises:
            UnknownWorkflow: this agent tracks no such workflow.
        """
        await self._decide(workflow_id, True, data, reason, metadata)

    async def reject_workflow(
        self, workflow_id: str, data: Mapping[str, object] | None = None, /, *, reason: str | None = None
    ) -> None:
        """Refuse what a workflow waits for in `wait_for_approval`, which raises `WorkflowRejected`.

        Raises:
            UnknownWorkflow: this agent tracks no such workflow.
        """
        await self._decide(workflow_id, False, data, reason, None)

    async def _decide(
        self,
        workflow_id: str,
        is_approved: bool,
        data: Mapping[str, object] | None,
        reason: str | None,
        metadata: Mapping[str, object] | None,
    ) -> None:
        payload: dict[str, object] = {"approved": is_approved, "reason": reason, "metadata": metadata, **(data or {})}
        await self._workflows.decide(workflow_id, {key: value for key, value in payload.items() if value is not None})

    async def terminate_workflow(self, workflow_id: str) -> None:
        """End a workflow where it is. Its hooks are not called.

        Raises:
            UnknownWorkflow: this agent tracks no such workflow.
        """
        await self._workflows.control(workflow_id, "terminate")

    async def pause_workflow(self, workflow_id: str) -> None:
        """Stop a workflow before its next step; a step that is under way ends first."""
        await self._workflows.control(workflow_id, "pause")

    async def resume_workflow(self, workflow_id: str) -> None:
        """Let a paused workflow go on. Its waits have left what they had left."""
        await self._workflows.control(workflow_id, "resume")

    async def restart_workflow(self, workflow_id: str, *, reset_tracking: bool = True) -> None:
        """Let a workflow begin anew, with the same params.

        Args:
            reset_tracking: also forget here when it began, how it ended and why.
        """
        await self._workflows.control(workflow_id, "restart", reset_tracking=reset_tracking)

    async def get_workflow(self, workflow_id: str) -> WorkflowInfo | None:
        """Look up a tracked workflow, as last heard of; None when there is none."""
        return self._workflows.store.get(workflow_id)

    async def get_workflows(
        self,
        *,
        status: str | Iterable[str] | None = None,
        workflow_name: str | None = None,
        metadata: Mapping[str, object] | None = None,
        limit: int = 50,
        order_by: Literal["asc", "desc"] = "desc",
        cursor: str | None = None,
    ) -> WorkflowPage:
        """List tracked workflows, newest first; at most 100 at once.

        Args:
            status: one, or several.
            workflow_name: the binding they were started with.
            metadata: values that their metadata must have.
            cursor: `next_cursor` of the page before.

        Raises:
            UsageError: there is no such status, or the cursor is none.
        """
        from agents_runtime.workflows.models import criteria_of

        return self._workflows.find(criteria_of(status, workflow_name, metadata), limit, order_by, cursor)

    async def get_workflow_status(self, workflow: str, workflow_id: str) -> dict[str, Any]:
        """Ask the platform how a workflow is: `status`, `output`, `error`. What is tracked of it is brought up to date.

        Raises:
            UsageError: the platform knows none of this id.
        """
        return (await self._workflows.status(workflow, workflow_id)).as_json()

    async def delete_workflow(self, workflow_id: str) -> bool:
        """Track a workflow no more; False when it was not. The workflow itself goes on."""
        return self._workflows.forget(workflow_id)

    async def delete_workflows(
        self,
        *,
        status: str | Iterable[str] | None = None,
        workflow_name: str | None = None,
        metadata: Mapping[str, object] | None = None,
        created_before: datetime | None = None,
    ) -> int:
        """Track workflows no more; returns how many. A naive `created_before` is UTC."""
        from agents_runtime.workflows.models import criteria_of

        return self._workflows.forget_all(criteria_of(status, workflow_name, metadata, created_before))

    async def migrate_workflow_binding(self, old: str, new: str, /) -> int:
        """Let the tracked workflows of a renamed binding be those of its new name; returns how many.

        Raises:
            UsageError: there is no binding of the new name.
        """
        return self._workflows.rename(old, new)

    def on_workflow_callback(self, callback: Mapping[str, Json], /) -> Awaitable[None] | None:
        """Take note of whatever a workflow reports, before the hook for it is called."""
        return DONE

    def on_workflow_progress(self, workflow_name: str, workflow_id: str, progress: Json, /) -> Awaitable[None] | None:
        """Take note of what a workflow gave to `report_progress`. A replay of its code repeats it."""
        return DONE

    def on_workflow_complete(self, workflow_name: str, workflow_id: str, result: Json, /) -> Awaitable[None] | None:
        """Take note that a workflow has ended, and of what it returned. Called at least once."""
        return DONE

    def on_workflow_error(self, workflow_name: str, workflow_id: str, error: str, /) -> Awaitable[None] | None:
        """Take note that a workflow has failed. Called at least once; by default it is logged."""
        logger.error("the workflow %s of %s failed: %s", workflow_id, workflow_name, error)
        return DONE

    def on_workflow_event(self, workflow_name: str, workflow_id: str, event: Json, /) -> Awaitable[None] | None:
        """Take note of what a workflow gave to `step.send_event`."""
        return DONE


def _order_of(given: Mapping[str, Any]) -> Any:  # noqa: ANN401 - loaded only where workflows are
    from agents_runtime._core.spelling import did_you_mean
    from agents_runtime.workflows.workflows import Order

    for key in given:
        if key not in _ORDER_KEYS:
            raise UsageError(f"run_workflow takes no {key!r}{did_you_mean(key, _ORDER_KEYS)}")
    if not isinstance(given.get("name"), str):
        raise UsageError(f"run_workflow needs a name, as in {{'name': 'orders', 'input': ...}}, not {given!r}"[:300])
    params = given.get("input", given.get("params"))
    binding = given.get("agent_binding", given.get("agentBinding"))
    return Order(given["name"], params, given.get("id"), given.get("metadata"), binding, given.get("retention"))
