"""The line from a workflow to the agent that started it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from agents_runtime._platform.base import namespaces_of, timing_of
from agents_runtime.errors import UsageError
from agents_runtime.routing.bindings import listed
from agents_runtime.routing.handle import AgentHandle, call_entry
from agents_runtime.routing.lookup import connector

if TYPE_CHECKING:
    from agents_runtime.workflows.params import Origin

OPERATION = "workflow"
"""The agent's internal operation for what workflows say."""


class Line:
    """Reaches one agent.

    Args:
        env: the environment of the worker.
        step: what the platform gave to `run`.
    """

    def __init__(self, env: Any, origin: Origin, workflow_name: str, workflow_id: str, step: Any) -> None:  # noqa: ANN401 - the platform's
        namespaces = namespaces_of(env)
        namespace = namespaces.get(origin.binding)
        if namespace is None:
            raise UsageError(
                f"this workflow was started by an agent of the binding {origin.binding!r}, which this worker lacks: "
                f"it has {listed(namespaces)}"
            )
        self.workflow_name = workflow_name
        self.workflow_id = workflow_id
        self._env = env
        self._origin = origin
        self._connect = connector(namespace, namespace.idFromName(origin.name), None)
        self._busy: Any = getattr(step, "agents_working", nullcontext)

    def handle(self) -> AgentHandle[Any]:
        """A handle on the agent."""
        return AgentHandle(self._connect(), self._connect, class_name=self._origin.binding, name=self._origin.name)

    def callback(self, kind: str, **details: object) -> dict[str, object]:
        """A report to the agent, under the JavaScript SDK's names."""
        clock, _ = timing_of(self._env)
        report = {
            "workflowName": self.workflow_name,
            "workflowId": self.workflow_id,
            "type": kind,
            "timestamp": clock.now_ms(),
            **details,
        }
        return {"kind": "callback", "callback": report}

    async def say(self, message: Mapping[str, object]) -> None:
        """Tell the agent something, and wait until it has taken note."""
        with self._busy():
            await call_entry(self._connect(), OPERATION, dict(message), self._origin.binding)
