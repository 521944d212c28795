"""Workflow bindings of the local host, as the SDK presents them to a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from agents_runtime.errors import UsageError
from agents_runtime.local.values import JsDict, JsException, clone
from agents_runtime.local.workflows import rules
from agents_runtime.local.workflows.instance import Served, WorkflowInstance

if TYPE_CHECKING:
    from agents_runtime.local.host import Host
    from agents_runtime.local.namespaces import LocalNamespace, LocalStub


class LocalWorkflowInstance:
    """A handle on an instance. Its methods are those of the SDK's handle."""

    crosses_rpc = True

    def __init__(self, workflow: LocalWorkflow, instance_id: str) -> None:
        self._workflow = workflow
        self.id = instance_id

    async def status(self) -> JsDict:
        """How far it is: `status`, `output` and `error`."""
        status: JsDict = await self._stub().status()
        return status

    async def pause(self) -> None:
        await self._stub().pause()

    async def resume(self) -> None:
        await self._stub().resume()

    async def terminate(self, options: Any = None) -> None:
        await self._stub().terminate(options)

    async def restart(self, options: Any = None) -> None:
        await self._stub().restart(options)

    async def delete(self) -> None:
        await self._stub().delete()

    async def sendEvent(self, event: Mapping[str, Any] | None = None, /, **fields: Any) -> None:
        """Send an event: `{"type": "approval", "payload": {...}}`."""
        await self._stub().send_event({**(event or {}), **fields})

    send_event = sendEvent

    def _stub(self) -> LocalStub:
        return self._workflow.instance(self.id)


class LocalWorkflow:
    """A workflow binding. Its methods are those of the SDK's binding."""

    agents_is_workflow: ClassVar[bool] = True
    crosses_rpc = True

    def __init__(self, host: Host, namespace: LocalNamespace, served: Served) -> None:
        self._host = host
        self._namespace = namespace
        self.served = served

    @property
    def instances(self) -> type:
        """The class of the hidden objects."""
        return self._namespace.agents_class

    def instance(self, instance_id: str) -> LocalStub:
        """The hidden object of an instance."""
        return self._namespace.getByName(instance_id)

    async def create(self, options: Mapping[str, Any] | None = None, /, **fields: Any) -> LocalWorkflowInstance:
        """Begin an instance: `{"id": ..., "params": ..., "retention": ...}`, all optional."""
        given = {**(options or {}), **fields}
        instance_id = rules.check_id(given["id"] if "id" in given else self._new_id())
        params = given.get("params")
        await self.instance(instance_id).create({} if params is None else params, given.get("retention"))
        return LocalWorkflowInstance(self, instance_id)

    async def get(self, instance_id: str) -> LocalWorkflowInstance:
        """The instance with an id. Raises when there is none."""
        if not await self.instance(str(instance_id)).exists():
            raise rules.not_found()
        return LocalWorkflowInstance(self, instance_id)

    async def create_batch(self, batch: Sequence[Mapping[str, Any]]) -> list[LocalWorkflowInstance]:
        """Begin up to 100 instances; ids that exist already are left out."""
        entries = [dict(entry) for entry in batch]
        if not entries:
            raise JsException("Error", "WorkflowError: batchCreate should have at least 1 instance")
        if len(entries) > rules.MAX_BATCH:
            raise JsException("Error", "WorkflowError: batchCreate only supports 100 instances at a time")
        ids = [rules.check_id(entry["id"] if "id" in entry else self._new_id()) for entry in entries]
        made: list[LocalWorkflowInstance] = []
        for instance_id, entry in dict(zip(reversed(ids), reversed(entries), strict=True)).items():
            try:
                made.insert(0, await self.create({"id": instance_id, "params": clone(entry.get("params"))}))
            except JsException as error:
                if "(instance.already_exists)" not in error.message:
                    raise
        return made

    createBatch = create_batch

    def _new_id(self) -> str:
        data = self._host.entropy.random_bytes(16).hex()
        return f"{data[:8]}-{data[8:12]}-4{data[13:16]}-a{data[17:20]}-{data[20:]}"


def bind_workflow(host: Host, served: Served, binding: str) -> LocalWorkflow:
    """Make a workflow reachable as `env.<binding>`. Its instances are kept under its own name."""
    from agents_runtime._platform.workflows import WorkflowEntrypoint

    if not issubclass(served.cls, WorkflowEntrypoint):
        raise UsageError(f"{served.cls.__name__} is no workflow: write class {served.cls.__name__}(AgentWorkflow)")
    hidden = type(f"Instance of {served.name}", (WorkflowInstance,), {"served": served})
    workflow = LocalWorkflow(host, host.bind(hidden, binding, key=f"workflow-{served.name}"), served)
    host.env.define(binding, workflow)  # in place of the objects, which nobody else can reach then
    return workflow
