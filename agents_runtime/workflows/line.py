"""The line from a workflow to the agent that started it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from agents_runtime._platform.base import namespaces_of, timing_of
from agents_runtime.errors import RemoteError, UsageError
from agents_runtime.routing.bindings import listed
from agents_runtime.routing.handle import AgentHandle, call_entry
from agents_runtime.routing.lookup import connector

if TYPE_CHECKING:
    from agents_runtime.workflows.params import Origin

OPERATION = "workflow"
"""The agent's internal operation for what workflows say."""


class Inner:
    """A sub-agent, called through its root."""

    def __init__(self, root: Any, origin: Origin) -> None:  # noqa: ANN401 - the platform's
        self._root = root
        self._path = [dict(step) for step in origin.path]
        self.id = root.id

    async def cf_agents_internal(self, op: str, payload: object) -> Any:  # noqa: ANN401 - whatever is answered
        """Call it, one hop for each agent on the way."""
        answer = await self._root.cf_agents_internal("down", {"path": self._path, "op": op, "payload": payload})
        if "unknown" in answer:
            raise RemoteError("the sub-agent that started this workflow was deleted")
        if "failed" in answer:
            raise RemoteError(answer["failed"])
        return answer["result"]


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
        reach_root = connector(namespace, namespace.idFromName(origin.root_name), None)
        self._connect: Callable[[], Any] = (lambda: Inner(reach_root(), origin)) if origin.path else reach_root
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
