"""The workflows of one agent: starting them, deciding in them, and learning what became of them.

A start is promised in the agent's own storage before the platform is asked, and kept after a crash. That a workflow
ended is told by the workflow itself; the agent asks on its own account about those it has not heard of for a while.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents_runtime._core.capability import Capability
from agents_runtime._core.ids import CONNECTION_ID_SIZE, nanoid
from agents_runtime._core.jsonx import dumps, plain, size_bytes
from agents_runtime._platform.child.platform import ChildPlatform
from agents_runtime._platform.workflows import workflows_of
from agents_runtime.errors import RetryableError, UsageError
from agents_runtime.routing.bindings import binding_of
from agents_runtime.routing.handle import error_line
from agents_runtime.workflows.errors import UnknownWorkflow
from agents_runtime.workflows.instances import Instances, InstanceStatus
from agents_runtime.workflows.models import (
    FINAL,
    Criteria,
    WorkflowInfo,
    WorkflowPage,
    metadata_of,
    page_limit,
    read_cursor,
    write_cursor,
)
from agents_runtime.workflows.outbox import START, Outbox
from agents_runtime.workflows.params import Origin, with_origin
from agents_runtime.workflows.reports import Owner, Reports, States, json_of
from agents_runtime.workflows.store import WorkflowStore

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._core.surroundings import Surroundings

logger = logging.getLogger("agents_runtime")

MAX_PARAMS_BYTES = 1 << 20
ID_PREFIX = "wf_"
APPROVAL = "approval"
"""The type of the event that a decision is sent as."""

OWED_RETRY_MS = 30_000
"""How long what could not be done waits for the next try."""

LOOKS_AT_ONCE = 20
_CONTROLS = {"terminate": "terminated", "pause": "paused", "resume": "resumed", "restart": "restarted"}


@dataclass(frozen=True, slots=True)
class Order:
    """A workflow that is asked for. See `Agent.run_workflow`."""

    workflow: str | type[object]
    params: object = None
    id: str | None = None
    metadata: Mapping[str, object] | None = None
    agent_binding: str | None = None
    retention: Mapping[str, object] | None = None


def make_workflows(around: Surroundings, agent: Any, states: States) -> Workflows:  # noqa: ANN401 - the agent, whatever it is
    """The workflows of an agent: its bindings and its own identity come from the agent itself."""

    def origin(binding: str | None) -> Origin:
        platform = around.platform
        if isinstance(platform, ChildPlatform):
            return Origin(platform.uplink.home["binding"], agent.name, platform.uplink.path)
        return Origin(binding or _own_binding(around, agent), agent.name)

    return Workflows(around, agent, states, lambda: workflows_of(agent.env), origin)


def _own_binding(around: Surroundings, agent: object) -> str:
    cls: type[Any] = agent.__class__
    try:
        return binding_of(around.platform.namespaces(), cls)
    except UsageError as error:
        remedy = 'tell it: run_workflow(..., agent_binding="...")'
        raise UsageError(f"a workflow has to know by which binding it reaches {cls.__name__}: {remedy}") from error


class Workflows(Capability):
    """The workflows of one agent.

    Args:
        bindings: the workflow bindings of the environment, by name.
        origin: who the agent is for a workflow, given the name of its binding or None.
    """

    def __init__(
        self,
        around: Surroundings,
        owner: Owner,
        states: States,
        bindings: Callable[[], Mapping[str, Any]],
        origin: Callable[[str | None], Origin],
    ) -> None:
        platform = around.platform
        self.store = WorkflowStore(platform.sql)
        self.instances = Instances(bindings, around.clock, platform.entropy)
        self._around = around
        self._origin = origin
        self._platform = platform
        self._starts = Outbox(platform.kv, START)
        self._reports = Reports(around, owner, states, self.store, self._changed)
        self._busy: set[str] = set()
        self._next_ms: int | None = None
        self._is_next_known = False

    @property
    def now_s(self) -> int:
        """The time, in whole seconds as the table has it."""
        return self._around.clock.now_ms() // 1000

    # Starting

    async def start(self, order: Order) -> str:
        """Start a workflow. See `Agent.run_workflow`."""
        name = self.instances.name_of(order.workflow)
        workflow_id = order.id if order.id is not None else ID_PREFIX + self._new_id()
        if self.store.get(workflow_id) is not None:
            raise UsageError(f"the workflow {workflow_id!r} is already being tracked: give another id")
        params = with_origin(order.params, name, self._origin(order.agent_binding))
        size = size_bytes(dumps(params, "params"))
        if size > MAX_PARAMS_BYTES:
            raise UsageError(f"the params have {size:,} bytes of JSON and at most {MAX_PARAMS_BYTES:,} may be given")
        metadata = metadata_of(order.metadata)
        self._platform.sql.transaction(lambda: self._promise(name, workflow_id, params, metadata, order))
        self._changed()
        self._busy.add(workflow_id)
        try:
            await self._platform.committed()
            await self._create(workflow_id, may_exist=False)
        except RetryableError as error:
            logger.warning(
                "the start of the workflow %s could not be confirmed (%s); it is repeated", workflow_id, error
            )
        except Exception:
            self.forget(workflow_id)
            raise
        finally:
            self._busy.discard(workflow_id)
        return workflow_id

    def _promise(
        self, name: str, workflow_id: str, params: Mapping[str, object], metadata: str | None, order: Order
    ) -> None:
        retention = None if order.retention is None else dict(order.retention)
        self.store.insert(self._new_id(), workflow_id, name, metadata, self.now_s)
        self._starts.put(workflow_id, {"workflow": name, "params": params, "retention": retention})

    async def _create(self, workflow_id: str, *, may_exist: bool) -> None:
        start = self._starts.get(workflow_id)
        if start is None:
            return
        options: dict[str, Any] = {"id": workflow_id, "params": start["params"]}
        if start.get("retention"):
            options["retention"] = start["retention"]
        await self.instances.create(start["workflow"], options, may_exist=may_exist)
        self._starts.done(workflow_id)
        self._changed()
        self._around.emit("workflow:start", {"workflowId": workflow_id, "workflowName": start["workflow"]})

    async def _confirm(self, workflow_id: str) -> None:
        """Keep the promise of a start that a crash or the platform left open."""
        if workflow_id in self._busy:
            return
        self._busy.add(workflow_id)
        try:
            await self._create(workflow_id, may_exist=True)
        except RetryableError as error:
            logger.warning("the workflow %s still could not be started (%s)", workflow_id, error)
        except Exception as error:
            # It can never start. Whoever asked for it is gone, so the agent is told as of any other failure.
            self._starts.done(workflow_id)
            await self._reports.finished(workflow_id, error=str(error))
        finally:
            self._busy.discard(workflow_id)

    def _new_id(self) -> str:
        return nanoid(self._platform.entropy.random_bytes, CONNECTION_ID_SIZE)

    # Control

    def tracked(self, workflow_id: str) -> WorkflowInfo:
        """The workflow with this id.

        Raises:
            UnknownWorkflow: there is none.
        """
        info = self.store.get(workflow_id)
        if info is None:
            raise UnknownWorkflow(workflow_id)
        return info

    async def control(self, workflow_id: str, verb: str, *, reset_tracking: bool = True) -> None:
        """Let the platform do something with an instance, and note where it stands after that."""
        info = self.tracked(workflow_id)
        await self._confirm(workflow_id)
        owed = None
        if verb == "restart":
            # First, since the new run may report before this goes on.
            owed = self._reports.forget(workflow_id)
            if reset_tracking:
                self.store.reset(workflow_id, self.now_s)
            else:
                self.store.move(workflow_id, "queued", FINAL, self.now_s)
            self._changed()

        async def act(instance: Any) -> None:  # noqa: ANN401 - the platform's
            await getattr(instance, verb)()

        try:
            await self.instances.call(info.workflow_name, workflow_id, act)
        finally:
            if not await self._refresh(info, tells=False):
                self._reports.owe(workflow_id, owed)
        self._around.emit(
            f"workflow:{_CONTROLS[verb]}", {"workflowId": workflow_id, "workflowName": info.workflow_name}
        )

    async def send(self, workflow: str, workflow_id: str, event_type: str, payload: object) -> None:
        """Send an event to an instance."""
        event = {"type": event_type, "payload": plain(payload, "payload")}
        name = self.instances.name_of(workflow)
        await self._confirm(workflow_id)

        async def deliver(instance: Any) -> None:  # noqa: ANN401 - the platform's
            await instance.send_event(event)

        await self.instances.call(name, workflow_id, deliver)
        self._around.emit("workflow:event", {"workflowId": workflow_id, "eventType": event_type})

    async def decide(self, workflow_id: str, payload: Mapping[str, object]) -> None:
        """Send what somebody decided to a workflow that waits for approval."""
        info = self.tracked(workflow_id)
        await self.send(info.workflow_name, workflow_id, APPROVAL, payload)
        details: dict[str, Json] = {"workflowId": workflow_id}
        if "reason" in payload:
            details["reason"] = str(payload["reason"])
        self._around.emit("workflow:approved" if payload["approved"] else "workflow:rejected", details)

    async def status(self, workflow: str, workflow_id: str) -> InstanceStatus:
        """What the platform says of an instance; a tracked one is brought up to date."""
        found = await self.instances.status(self.instances.name_of(workflow), workflow_id)
        if found is None:
            raise UsageError(f"the platform knows no workflow {workflow_id!r} in {workflow}")
        if self.store.get(workflow_id) is not None:
            await self._apply(workflow_id, found)
        return found

    def forget(self, workflow_id: str) -> bool:
        """Track a workflow no more; False when it was not."""
        self._starts.done(workflow_id)
        self._reports.forget(workflow_id)
        was_there = self.store.delete(workflow_id)
        self._changed()
        return was_there

    def forget_all(self, criteria: Criteria) -> int:
        """Track workflows no more; returns how many."""
        gone = self.store.delete_all(criteria)
        for workflow_id in gone:
            self._starts.done(workflow_id)
            self._reports.forget(workflow_id)
        self._changed()
        return len(gone)

    def find(self, criteria: Criteria, limit: int, order_by: str, cursor: str | None) -> WorkflowPage:
        """One page of workflows."""
        if order_by not in ("asc", "desc"):
            raise UsageError(f'order_by must be "asc" or "desc", not {order_by!r}')
        size = page_limit(limit)
        after = None if cursor is None else read_cursor(cursor)
        found = self.store.find(criteria, size + 1, after, oldest_first=order_by == "asc")
        page, last = found[:size], found[size - 1] if len(found) > size else None
        following = None if last is None else write_cursor(last.created_at_ms // 1000, last.workflow_id)
        return WorkflowPage(page, self.store.count(criteria), following)

    def rename(self, old: str, new: str) -> int:
        """Let the workflows of one binding be those of another; returns how many."""
        if not self.instances.has(new):
            self.instances.name_of(new)
            raise UsageError(f"there is no workflow binding {new!r}: spell it as your wrangler file does")
        return self.store.rename(old, new)

    async def handle(self, message: Mapping[str, Any]) -> None:
        """Take what a workflow says."""
        await self._around.ready()
        await self._reports.handle(message)

    # Looking after them

    async def on_started(self) -> None:
        """Keep what was promised before the agent lost its memory."""
        self._warn_of_missing_bindings()
        self._pay()

    def _pay(self) -> None:
        for workflow_id in self._starts.ids():
            if workflow_id not in self._busy:
                self._spawn(self._confirm, workflow_id)
        for workflow_id in self._reports.owed():
            self._spawn(self._reports.tell, workflow_id)

    def _spawn(self, work: Callable[[Any], Awaitable[None]], about: object) -> None:
        async def once_started() -> None:
            await self._around.ready()
            await work(about)

        self._platform.spawn(once_started())

    def _warn_of_missing_bindings(self) -> None:
        for name, active, ended in self.store.names():
            if not self.instances.has(name):
                logger.warning(
                    "the workflow binding %r is gone, and %d active and %d ended workflows were started with it: "
                    "await self.migrate_workflow_binding(%r, <its new name>)",
                    *(name, active, ended, name),
                )

    def _changed(self) -> None:
        self._is_next_known = False
        self._around.wake()

    def next_wake_ms(self) -> int | None:
        """When something that is owed is tried again, or a workflow is looked after."""
        if not self._is_next_known:
            look_s = self.store.next_look_s()
            times = [] if look_s is None else [look_s * 1000]
            if self._starts.ids() or self._reports.owed():
                times.append(self._around.clock.now_ms() + OWED_RETRY_MS)
            self._next_ms = min(times, default=None)
            self._is_next_known = True
        return self._next_ms

    async def on_alarm(self, now_ms: int) -> None:
        """Try again what is owed, and ask about workflows that were not heard of."""
        due_ms = self.next_wake_ms()
        if due_ms is None or due_ms > now_ms:
            return
        self._pay()
        for info in self.store.unheard_of(now_ms // 1000, LOOKS_AT_ONCE):
            self.store.touch(info.workflow_id, now_ms // 1000)
            if self._starts.get(info.workflow_id) is None:
                self._spawn(self._ask_about, info)
        self._changed()

    async def _ask_about(self, info: WorkflowInfo) -> None:
        await self._refresh(info, tells=True)

    async def _refresh(self, info: WorkflowInfo, *, tells: bool) -> bool:
        """Ask the platform how a workflow is. That it cannot be asked is no failure.

        What has ended stays as `info` says when the platform has forgotten it meanwhile; False then.
        """
        try:
            found = await self.instances.status(info.workflow_name, info.workflow_id)
        except Exception as error:  # the binding may be gone, the platform out of reach
            logger.warning("the workflow %s cannot be asked how it is: %s", info.workflow_id, error_line(error))
            return True
        if found is None:
            if info.is_final:
                self.store.restore(info)
            else:
                self.store.update(info.workflow_id, "unknown", self.now_s)
            self._changed()
            return not info.is_final
        if tells or found.status not in ("complete", "errored"):
            await self._apply(info.workflow_id, found)
        return True

    async def _apply(self, workflow_id: str, found: InstanceStatus) -> None:
        info = self.store.get(workflow_id)
        if info is None or info.is_final or info.status == found.status:
            return  # one that has told its end may still be on its way there
        if found.status == "complete":
            await self._reports.finished(workflow_id, result=json_of(found.output))
        elif found.status == "errored":
            await self._reports.finished(workflow_id, error=found.reason)
        elif not (info.status == "waiting" and found.status == "running"):  # it may wait for a person between two steps
            self.store.update(workflow_id, found.status, self.now_s)
            self._changed()
