"""What an agent learns from its workflows: how far they are, that they have ended, and what they ask of it.

The end of a workflow is noted once; the hooks hear of it at least once: it is owed to them from the commit that notes
it until they have returned.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from agents_runtime._core.jsonx import Json, plain
from agents_runtime.errors import NotJson, PeerError
from agents_runtime.workflows.models import ERROR_NAME, WorkflowStatus
from agents_runtime.workflows.outbox import REPORT, Outbox

if TYPE_CHECKING:
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime.workflows.store import WorkflowStore

logger = logging.getLogger("agents_runtime")


class Owner(Protocol):
    """The agent, as its workflows see it."""

    def broadcast(self, message: Any, /) -> object:  # noqa: ANN401 - JSON
        """Send something to every client."""
        ...

    def on_workflow_callback(self, callback: Mapping[str, Json], /) -> object:
        """A hook."""
        ...

    def on_workflow_progress(self, workflow_name: str, workflow_id: str, progress: Json, /) -> object:
        """A hook."""
        ...

    def on_workflow_complete(self, workflow_name: str, workflow_id: str, result: Json, /) -> object:
        """A hook."""
        ...

    def on_workflow_error(self, workflow_name: str, workflow_id: str, error: str, /) -> object:
        """A hook."""
        ...

    def on_workflow_event(self, workflow_name: str, workflow_id: str, event: Json, /) -> object:
        """A hook."""
        ...


class States(Protocol):
    """The agent's state, as JSON."""

    def json(self) -> Json:
        """A copy of it."""
        ...

    def set_json(self, value: Json) -> None:
        """Replace it."""
        ...

    def reset(self) -> None:
        """Let it be the initial one."""
        ...


class Reports:
    """What is said of the workflows of one agent.

    Args:
        changed: called when there is more or less to look after.
    """

    def __init__(
        self, around: Surroundings, owner: Owner, states: States, store: WorkflowStore, changed: Callable[[], None]
    ) -> None:
        self._around = around
        self._owner = owner
        self._states = states
        self._store = store
        self._changed = changed
        self._owed = Outbox(around.platform.kv, REPORT)
        self._telling: dict[str, asyncio.Future[None]] = {}

    @property
    def _now_s(self) -> int:
        return self._around.clock.now_ms() // 1000

    def owed(self) -> list[str]:
        """The workflows of whose end the hooks have not heard."""
        return self._owed.ids()

    def forget(self, workflow_id: str) -> dict[str, Any] | None:
        """Owe no report of a workflow; returns what was owed."""
        owed = self._owed.get(workflow_id)
        self._owed.done(workflow_id)
        return owed

    def owe(self, workflow_id: str, report: dict[str, Any] | None) -> None:
        """Owe again what was forgotten."""
        if report is not None:
            self._owed.put(workflow_id, report)
            self._changed()

    async def handle(self, message: Mapping[str, Any]) -> None:
        """Take what a workflow says.

        Raises:
            PeerError: it is nothing that workflows say.
        """
        kind = message.get("kind")
        if kind == "callback":
            await self._callback(message["callback"])
        elif kind == "waiting":
            self._store.move(message["workflowId"], "waiting", ("queued", "running"), self._now_s)
        elif kind == "resumed":
            self._store.move(message["workflowId"], "running", ("waiting",), self._now_s)
        elif kind == "broadcast":
            self._owner.broadcast(message["message"])
        elif kind == "state":
            self._change_state(message["action"], message.get("state"))
        else:
            raise PeerError(f"workflows say nothing like {kind!r}"[:200])

    def _change_state(self, action: str, state: Json) -> None:
        if action == "reset":
            self._states.reset()
            return
        if action == "merge":
            current = self._states.json()
            if not isinstance(state, dict) or not isinstance(current, dict | None):
                raise PeerError("merge_agent_state needs a state and a change that are both objects")
            state = {**(current or {}), **state}
        self._states.set_json(state)

    async def _callback(self, callback: Mapping[str, Any]) -> None:
        workflow_id, name, kind = callback["workflowId"], callback["workflowName"], callback["type"]
        if kind in ("complete", "error"):
            await self.finished(workflow_id, result=callback.get("result"), error=callback.get("error"), name=name)
            return
        await self._call(self._owner.on_workflow_callback, callback)
        if kind == "progress":
            self._store.move(workflow_id, "running", ("queued", "waiting"), self._now_s)
            await self._call(self._owner.on_workflow_progress, name, workflow_id, callback.get("progress"))
        elif kind == "event":
            await self._call(self._owner.on_workflow_event, name, workflow_id, callback.get("event"))
        else:
            raise PeerError(f"workflows report nothing like {kind!r}"[:200])

    async def finished(
        self, workflow_id: str, *, result: Json = None, error: str | None = None, name: str | None = None
    ) -> None:
        """Note that a workflow has ended, once, and tell the hooks, at least once."""
        info = self._store.get(workflow_id)
        if info is not None and info.is_final and self._owed.get(workflow_id) is None:
            return
        if info is None or not info.is_final:
            status: WorkflowStatus = "complete" if error is None else "errored"
            report: dict[str, Json] = {
                "workflowName": name or (info.workflow_name if info is not None else ""),
                "workflowId": workflow_id,
                "type": "complete" if error is None else "error",
                "timestamp": self._around.clock.now_ms(),
            }
            report.update({"result": json_of(result)} if error is None else {"error": error})
            self._store.update(workflow_id, status, self._now_s, None if error is None else (ERROR_NAME, error))
            self._owed.put(workflow_id, report)
            self._changed()
            await self._around.platform.committed()
        await self.tell(workflow_id)

    async def tell(self, workflow_id: str) -> None:
        """Call the hooks for a workflow that has ended, unless that is done or under way."""
        under_way = self._telling.get(workflow_id)
        if under_way is not None:
            await asyncio.wait([under_way])
            return
        report = self._owed.get(workflow_id)
        if report is None:
            return
        told = self._telling[workflow_id] = asyncio.get_running_loop().create_future()
        try:
            await self._call(self._owner.on_workflow_callback, report)
            name = report["workflowName"]
            if report["type"] == "complete":
                await self._call(self._owner.on_workflow_complete, name, workflow_id, report["result"])
            else:
                await self._call(self._owner.on_workflow_error, name, workflow_id, report["error"])
            self._owed.done(workflow_id)
            self._changed()
        finally:
            del self._telling[workflow_id]
            told.set_result(None)

    async def _call(self, hook: Callable[..., object], *args: object) -> None:
        try:
            await self._around.call(hook, *args)
        except Exception as error:  # whatever the user's hook raises
            await self._around.report(error)


def json_of(value: object) -> Json:
    """A result as the hooks get it. One that is no JSON is left out: it stays with the platform."""
    try:
        return plain(value, "result")
    except NotJson as error:
        logger.warning("the result of a workflow is not handed to the hooks: %s", error)
        return None
