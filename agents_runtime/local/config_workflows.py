"""The workflows of a project file: `[[workflows]]`, read as wrangler reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents_runtime.local.config_checks import Table

MAX_NAME_CHARS = 64
_is_workflow_name = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*").fullmatch


@dataclass(frozen=True, slots=True)
class WorkflowBinding:
    """A workflow class under the name that `env` knows it by.

    Attributes:
        name: the name in `env`.
        workflow: the workflow's own name, under which its instances are kept.
        max_steps: the most steps of one instance; None: the platform's limit.
    """

    name: str
    class_name: str
    workflow: str
    max_steps: int | None = None


def read_workflows(root: Table) -> tuple[WorkflowBinding, ...]:
    """The workflows of a project.

    Raises:
        ConfigError: an entry cannot work.
    """
    found: list[WorkflowBinding] = []
    for entry in root.tables("workflows"):
        entry.only("name", "binding", "class_name", "script_name", "limits", "remote", "schedules")
        for key in ("script_name", "remote"):
            if entry.get(key):
                raise entry.error(
                    key,
                    "a workflow of another Worker cannot be bound on the local host. Remove the key and have the class"
                    " in this project's main module",
                )
        workflow = WorkflowBinding(
            entry.identifier("binding"), entry.identifier("class_name"), _name_of(entry), _limit_of(entry)
        )
        if any(other.name == workflow.name for other in found):
            raise entry.error("binding", f'"{workflow.name}" is bound twice. Give each binding its own name')
        if any(other.workflow == workflow.workflow for other in found):
            raise entry.error("name", f'"{workflow.workflow}" is used twice. Give each workflow its own name')
        found.append(workflow)
    return tuple(found)


def _name_of(entry: Table) -> str:
    name = entry.text("name")
    if len(name) > MAX_NAME_CHARS or not _is_workflow_name(name):
        raise entry.error(
            "name", f'"{name}" is no name of a workflow. Use up to {MAX_NAME_CHARS} letters, digits, "-" and "_"'
        )
    return name


def _limit_of(entry: Table) -> int | None:
    limits = entry.table("limits")
    limits.only("steps")
    steps = limits.get("steps")
    if steps is None:
        return None
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise limits.error("steps", f"found {steps!r}. Write a whole number above 0")
    return steps
