"""From the workflows a project file names to the classes in the project's main module."""

from __future__ import annotations

import difflib
import inspect
from typing import TYPE_CHECKING

from agents_runtime._platform.workflows import WorkflowEntrypoint
from agents_runtime.errors import ConfigError
from agents_runtime.local.workflows import rules
from agents_runtime.local.workflows.instance import Served

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from agents_runtime.local.config import Config

IMPLICIT_FROM = "2026-02-25"
"""From this compatibility date on the parameters of a step name the steps it depends on."""

_IMPLICIT = "python_workflows_implicit_dependencies"


def find_workflows(config: Config, module: ModuleType) -> Mapping[str, Served]:
    """The workflows of a project, by the name of their binding.

    Raises:
        ConfigError: a class is missing or is no workflow.
    """
    is_implicit = uses_implicit_dependencies(config.compatibility_date, config.compatibility_flags)
    return {
        workflow.name: Served(
            workflow.workflow,
            _find_class(config, module, index, workflow.class_name),
            workflow.max_steps or rules.MAX_STEPS,
            is_implicit,
        )
        for index, workflow in enumerate(config.workflows)
    }


def uses_implicit_dependencies(date: str, flags: tuple[str, ...]) -> bool:
    """Whether steps name the steps they depend on by their parameters, under a project's settings."""
    if f"no_{_IMPLICIT}" in flags:
        return False
    return _IMPLICIT in flags or not date or date >= IMPLICIT_FROM


def _find_class(config: Config, module: ModuleType, index: int, name: str) -> type:
    key, main = f"workflows[{index}].class_name", module.__name__ + ".py"
    found = getattr(module, name, None)
    if found is None:
        there = [
            other
            for other, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, WorkflowEntrypoint) and value.__module__ == module.__name__
        ]
        near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
        guess = f' (did you mean "{near[0]}"?)' if near else ""
        raise ConfigError(config.file, key, f'no class "{name}" in {main}{guess}. Define it there or import it there')
    if not inspect.isclass(found) or not issubclass(found, WorkflowEntrypoint):
        raise ConfigError(config.file, key, f'"{name}" in {main} is no workflow. Write: class {name}(AgentWorkflow)')
    return found
