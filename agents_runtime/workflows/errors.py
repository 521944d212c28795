"""What can go wrong with workflows."""

from __future__ import annotations

from agents_runtime.errors import DurabilityError, UsageError


class UnknownWorkflow(UsageError):
    """Raised when an agent tracks no workflow of an id.

    Attributes:
        workflow_id: the id.
    """

    code = "unknown_workflow"

    def __init__(self, workflow_id: str) -> None:
        self.workflow_id = workflow_id
        super().__init__(f"this agent tracks no workflow {workflow_id!r}: it may have been deleted, or be another's")


class WorkflowRejected(DurabilityError):
    """Raised inside a workflow by `wait_for_approval` when somebody refused.

    Attributes:
        reason: what `reject_workflow` was given, or None.
        workflow_id: which workflow.
    """

    code = "workflow_rejected"

    def __init__(self, reason: str | None, workflow_id: str) -> None:
        self.reason = reason
        self.workflow_id = workflow_id
        super().__init__(reason or "Workflow rejected")
