"""What an agent offers of its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents_runtime._core.capability import capability
    from agents_runtime.tasks.engine import Tasks
    from agents_runtime.tasks.runs import TaskRuns


class TaskVerbs:
    """The verbs of tasks."""

    __slots__ = ()

    if TYPE_CHECKING:
        _tasks: capability[Tasks]

    @property
    def tasks(self) -> TaskRuns:
        """Durable functions: `run = await self.tasks.run("research", topic)`; also get, list, cancel, delete."""
        from agents_runtime.tasks.runs import TaskRuns

        return TaskRuns(self._tasks)
