"""All the verbs an agent offers, in one base class. Each class of verbs lives in the package of its capability."""

from __future__ import annotations

from agents_runtime._core.verbs import CoreVerbs
from agents_runtime.approvals.verbs import ApprovalVerbs
from agents_runtime.connections.verbs import ConnectionVerbs
from agents_runtime.email.verbs import EmailVerbs
from agents_runtime.fibers.verbs import FiberVerbs
from agents_runtime.mcp.verbs import McpVerbs
from agents_runtime.queue.verbs import QueueVerbs
from agents_runtime.scheduler.verbs import SchedulerVerbs
from agents_runtime.sub_agents.verbs import SubAgentVerbs
from agents_runtime.tasks.verbs import TaskVerbs
from agents_runtime.workflows.verbs import WorkflowVerbs


class Verbs(
    ConnectionVerbs,
    CoreVerbs,
    SchedulerVerbs,
    QueueVerbs,
    FiberVerbs,
    TaskVerbs,
    ApprovalVerbs,
    EmailVerbs,
    McpVerbs,
    SubAgentVerbs,
    WorkflowVerbs,
):
    """Every verb of every capability."""

    __slots__ = ()
