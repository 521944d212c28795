"""The Workflows engine that workerd brings along, put beside the worker under test."""

from __future__ import annotations

import json
from collections.abc import Iterable

from agents_runtime.local.config_workflows import WorkflowBinding
from tests.workerd.capnp import quoted

API = "cloudflare-internal:workflows-api"
SERVICE = """    (name = "workflows", worker = (
      modules = [(name = "workflows.js", bundled = "/workerd/workflows.js")],
      compatibilityDate = "2026-10-01",
      durableObjectStorage = (localDisk = "disk"),
      bindings = [
        (name = "WORKFLOWS", json = {limits}),
        (name = "TEST_CLOCK", json = "true"),
{namespaces}
      ],
    )),"""
"""Each namespace has the name that this version of workerd looks for; it makes the namespaces of an engine itself."""


def engine_service(workflows: Iterable[WorkflowBinding]) -> str:
    """The engine as a service; nothing for a worker without workflows."""
    known = list(workflows)
    if not known:
        return ""
    namespaces = "\n".join(
        f"        (name = {quoted(f'workflow:{workflow.workflow}')}, durableObjectNamespace = (className = "
        f'{quoted(f"miniflare-workflows-{workflow.workflow}")}, serviceName = "main")),'
        for workflow in known
    )
    limits = {workflow.workflow: {"steps": workflow.max_steps} for workflow in known if workflow.max_steps}
    return SERVICE.format(namespaces=namespaces, limits=quoted(json.dumps(limits)))


def engine_of(workflows: Iterable[WorkflowBinding]) -> str:
    """What names the engine in the worker under test."""
    listed = "\n".join(
        f"    (className = {quoted(workflow.class_name)}, name = {quoted(workflow.workflow)}, "
        f"bindingService = {_entry(workflow)}),"
        for workflow in workflows
    )
    if not listed:
        return ""
    actor = '(name = "workflows", entrypoint = "Engine")'
    return f"  workflowsEngine = (actorClass = {actor}, workflows = [\n{listed}\n  ]),"


def workflow_bindings(workflows: Iterable[WorkflowBinding]) -> str:
    """The bindings of the worker under test, after others."""
    return "".join(
        f"\n    (name = {quoted(workflow.name)}, wrapped = (moduleName = {quoted(API)}, innerBindings = "
        f'[(name = "fetcher", service = {_entry(workflow)})])),'
        for workflow in workflows
    )


def _entry(workflow: WorkflowBinding) -> str:
    props = quoted(json.dumps({"workflow": workflow.workflow}))
    return f'(name = "workflows", entrypoint = "WorkflowBinding", props = (json = {props}))'
