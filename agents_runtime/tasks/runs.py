"""`agent.tasks`: starting durable functions, and looking after their runs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agents_runtime._core.bounds import checked_limit
from agents_runtime._core.durations import moment_ms
from agents_runtime.errors import UsageError
from agents_runtime.tasks.declare import task_name
from agents_runtime.tasks.engine import Order
from agents_runtime.tasks.models import STATES, TaskInfo, TaskState, metadata_of

if TYPE_CHECKING:
    from agents_runtime.tasks.engine import Tasks

DEFAULT_LIMIT = 100


class TaskRun:
    """A run of a task. `await run` waits for its end and gives its result.

    Waiting belongs to the event that does it: should the agent lose its memory, the run goes on, the waiting does not.
    Ask again then, with `agent.tasks.handle(run_id)` or the same idempotency key.

    Attributes:
        run_id: its id; keep it to find the run again.
        task: the task's name.
        accepted: whether this call started it; False when there was one with its id or idempotency key.
    """

    __slots__ = ("_tasks", "accepted", "run_id", "task")

    def __init__(self, tasks: Tasks, run_id: str, task: str, *, accepted: bool) -> None:
        self._tasks = tasks
        self.run_id = run_id
        self.task = task
        self.accepted = accepted

    def __repr__(self) -> str:
        return f"<run {self.run_id} of task {self.task}>"

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._tasks.outcome(self.run_id).__await__()

    @property
    def info(self) -> TaskInfo:
        """The run as it is stored now. Raises UsageError once it is deleted."""
        return self._tasks.get(self.run_id)

    async def cancel(self, reason: str | None = None) -> bool:
        """End the run now; False when it has ended already."""
        return self._tasks.cancel(self.run_id, reason)


class TaskRuns:
    """The runs of one agent's tasks."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    @property
    def definitions(self) -> list[str]:
        """The names of the tasks that the class has."""
        return sorted(self._tasks.definitions)

    async def run(
        self,
        task: str | Callable[..., object],
        /,
        *args: object,
        run_id: str | None = None,
        idempotency_key: str | None = None,
        metadata: Mapping[str, object] | None = None,
        retain: bool = True,
    ) -> TaskRun:
        """Start a task: `run = await self.tasks.run("research", topic)`, and `await run` for its result.

        Stored before this returns. From then on the task runs to its end or fails with a reason, through crashes.

        Args:
            task: its name, or the method: `self.tasks.run(self.research, topic)`.
            args: its arguments, JSON values of at most 1 MiB together.
            run_id: the run's id; by default a random one.
            idempotency_key: while there is a run with this key, this gives that run and starts none, whatever became
                of it. `retain=False` frees the key with the end of the run.
            metadata: JSON that is kept with the run.
            retain: whether the run can still be looked up once it has ended.

        Raises:
            UnknownTask: the class has no such task.
            TooManyPending: `options["max_pending"]` runs are under way or wait.
            UsageError: it takes other arguments, or id and key belong to different runs.
            NotJson: naming the part of the arguments that is no JSON.
        """
        order = Order(task_name(task), args, run_id, idempotency_key, metadata_of(metadata), retain)
        info, accepted = self._tasks.accept(order)
        return TaskRun(self._tasks, info.run_id, info.task, accepted=accepted)

    def handle(self, run_id: str) -> TaskRun:
        """The run with this id, to await or cancel it. Raises UsageError if there is none."""
        info = self._tasks.get(run_id)
        return TaskRun(self._tasks, info.run_id, info.task, accepted=False)

    async def get(self, run_id: str) -> TaskInfo | None:
        """Look up a run; None when there is none."""
        return self._tasks.store.get(run_id)

    async def get_by_idempotency_key(self, key: str) -> TaskInfo | None:
        """Look up the run with an idempotency key; None when there is none."""
        return self._tasks.store.get_by_key(key)

    async def list(
        self,
        *,
        state: TaskState | None = None,
        task: str | Callable[..., object] | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> list[TaskInfo]:
        """List runs, newest first: those in a state, those of a task, at most `limit` (up to 1,000)."""
        if state is not None and state not in STATES:
            raise UsageError(f"there is no state {state!r}; there are {', '.join(STATES)}")
        return self._tasks.store.find(state, None if task is None else task_name(task), checked_limit(limit))

    async def cancel(self, run_id: str, reason: str | None = None) -> bool:
        """End a run now; False when it has ended already or does not exist.

        Its code gets `asyncio.CancelledError` where it awaits; what it does after that is not journaled.
        """
        return self._tasks.cancel(run_id, reason)

    async def delete(
        self,
        run_id: str | None = None,
        *,
        settled_before: datetime | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> int:
        """Delete one run that has ended, or all of them, oldest first, with their journals. Returns how many.

        Args:
            run_id: delete only this run.
            settled_before: delete only runs that ended before; a naive datetime is UTC.
            limit: how many at most, up to 1,000.

        Raises:
            UsageError: the run has not ended.
        """
        before_ms = None if settled_before is None else moment_ms(settled_before)
        return self._tasks.delete(run_id, before_ms, checked_limit(limit))
