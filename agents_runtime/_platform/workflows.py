"""The class that workflows subclass on each platform, and the workflow bindings of an environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, cast

if sys.platform == "emscripten":
    from workers import WorkflowEntrypoint as _SdkWorkflowEntrypoint

    class WorkflowEntrypoint(_SdkWorkflowEntrypoint):
        """The SDK's workflow, with the rest of the class hierarchy told about subclasses.

        The SDK's own `__init_subclass__` does not call `super()`, which breaks `Generic` bases.
        """

        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            super(_SdkWorkflowEntrypoint, cls).__init_subclass__()

    from agents_runtime._platform.workers.bindings import workflows_of
else:

    class WorkflowEntrypoint:
        """What a workflow runs: subclass it and define `async def run(self, event, step)`."""

        def __init__(self, ctx: Any, env: Any) -> None:
            self.ctx = ctx
            self.env = env

    def workflows_of(env: Any) -> Mapping[str, Any]:
        """The workflow bindings of an environment, by binding name."""
        values = cast("Mapping[str, Any]", env if isinstance(env, Mapping) else vars(env))
        return {name: value for name, value in values.items() if getattr(value, "agents_is_workflow", False)}


__all__ = ["WorkflowEntrypoint", "workflows_of"]
