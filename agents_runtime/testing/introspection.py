"""What an agent has still to do, and what its tasks have done: read from its storage, for assertions in tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agents_runtime._core.jobs.port import HOST, QUEUE, SCHEDULER, SUB_AGENTS, TASKS
from agents_runtime._core.jobs.table import JobTable
from agents_runtime._core.jsonx import loads
from agents_runtime._platform.base import platform_of
from agents_runtime.scheduler.models import read_stored, schedule_of
from agents_runtime.tasks.store import TaskStore

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Job
    from agents_runtime._core.jsonx import Json
    from agents_runtime._platform.ports import SqlStore
    from agents_runtime.scheduler.models import ScheduleType
    from agents_runtime.tasks.journal import Entry
    from agents_runtime.tasks.models import StepKind, StepState, TaskInfo, TaskState, WaitReason

JobKind = Literal["schedule", "queue", "task", "sub_agent", "host"]
"""A schedule; a queued call; the wake of a task or a sub-agent; the library's own, as the beat of `keep_alive`."""

_KINDS: dict[str, JobKind] = {
    SCHEDULER: "schedule",
    QUEUE: "queue",
    TASKS: "task",
    SUB_AGENTS: "sub_agent",
    HOST: "host",
}
_STEP_ORDER = "SELECT step_name FROM cf_agents_task_steps WHERE run_id = ? ORDER BY created_at, step_name"


@dataclass(frozen=True)
class JobReport:
    """Something that waits in an agent's job table.

    Attributes:
        id: of a schedule or a queue item: the id that `schedule` and `queue` returned.
        kind: `schedule`, `queue`, `task`, `sub_agent` or `host`.
        due_ms: when it runs, in milliseconds since the epoch.
        callback: the method that will be called; None for a task's wake and the library's own.
        payload: of a schedule or a queue item.
        schedule_type: `scheduled`, `delayed`, `cron` or `interval`; None for all but schedules.
        run_id: the run that a task's wake belongs to, else None.
        priority: a queue item with a higher one goes first.
    """

    id: str
    kind: JobKind
    due_ms: int
    callback: str | None = None
    payload: Json = None
    schedule_type: ScheduleType | None = None
    run_id: str | None = None
    priority: int = 0


@dataclass(frozen=True)
class StepReport:
    """One step of a run, as journaled.

    Attributes:
        kind: `do`, `sleep` or `approval`.
        state: `running`, `waiting`, `completed` or `failed`. One whose agent died meanwhile is still `running`.
        attempts: how often it was begun; a sleep is not counted.
        result: what it returned, once it is completed.
        error_name: the class of the exception that failed it last.
        error_message: its text.
        wake_at_ms: when it goes on while it waits.
    """

    name: str
    kind: StepKind
    state: StepState
    attempts: int
    result: Json = None
    error_name: str | None = None
    error_message: str | None = None
    wake_at_ms: int | None = None


@dataclass(frozen=True)
class TaskReport:
    """One run of a task, with its journal.

    Attributes:
        state: `pending`, `running`, `waiting`, `completed`, `failed` or `cancelled`.
        result: what it returned, once it is completed.
        error_name: the class of the exception that ended it, once it failed.
        error_message: its text.
        wait_reason: `sleep`, `retry` or `approval` while it waits.
        wake_at_ms: when it goes on while it waits; None: when something happens.
        steps: in the order in which they were first begun; those of one millisecond by name.
    """

    run_id: str
    task: str
    state: TaskState
    result: Json
    error_name: str | None
    error_message: str | None
    wait_reason: WaitReason | None
    wake_at_ms: int | None
    steps: tuple[StepReport, ...]

    def step(self, name: str) -> StepReport | None:
        """The step with this name; None when it was not begun."""
        return next((step for step in self.steps if step.name == name), None)


@dataclass(frozen=True)
class Introspection:
    """What `await runtime.introspect(handle)` found at that moment; it does not change afterwards.

    Attributes:
        alarm_ms: when the alarm wakes the agent, in milliseconds since the epoch; None: nothing wakes it.
        jobs: what waits to run, by the time it is due; queue items of one millisecond in the order in which they run.
        tasks: the runs that are stored, newest first, ended ones included.
    """

    alarm_ms: int | None
    jobs: tuple[JobReport, ...]
    tasks: tuple[TaskReport, ...]

    @property
    def schedules(self) -> tuple[JobReport, ...]:
        """The jobs that are schedules."""
        return self._of("schedule")

    @property
    def queue_items(self) -> tuple[JobReport, ...]:
        """The jobs that are queued calls. Payloads that wait to be pulled are no jobs: see `agent.get_queue()`."""
        return self._of("queue")

    @property
    def task_wakes(self) -> tuple[JobReport, ...]:
        """The jobs that wake tasks, one for each run that has not ended."""
        return self._of("task")

    def task(self, run_id: str) -> TaskReport | None:
        """The run with this id; None when there is none."""
        return next((task for task in self.tasks if task.run_id == run_id), None)

    def _of(self, kind: JobKind) -> tuple[JobReport, ...]:
        return tuple(job for job in self.jobs if job.kind == kind)


def inspect_object(instance: Any) -> Introspection:  # noqa: ANN401 - the user's class
    """What is stored for an object. Runs none of its code."""
    platform = platform_of(instance.ctx, instance.env)
    table, store = JobTable(platform.sql), TaskStore(platform.sql, platform.kv)
    jobs = [_job_report(job) for capability in _KINDS for job in table.owned_by(capability, None, None)]
    tasks = [_task_report(info, _steps(platform.sql, store, info.run_id)) for info in store.find(None, None, -1)]
    return Introspection(platform.alarm.get_ms(), tuple(sorted(jobs, key=lambda job: job.due_ms)), tuple(tasks))


def _job_report(job: Job) -> JobReport:
    kind = _KINDS[job.capability]
    if kind == "schedule":
        schedule = schedule_of(job, read_stored(job))
        return JobReport(job.id, kind, job.time_ms, job.fn, schedule.payload, schedule.type)
    if kind == "queue":
        envelope: Any = job.payload
        return JobReport(job.id, kind, job.time_ms, job.fn, envelope.get("payload"), priority=job.priority)
    if kind == "task":
        return JobReport(job.id, kind, job.time_ms, run_id=job.id.removeprefix("task:"))
    return JobReport(job.id, kind, job.time_ms, payload=job.payload)


def _task_report(info: TaskInfo, steps: tuple[StepReport, ...]) -> TaskReport:
    return TaskReport(
        info.run_id,
        info.task,
        info.state,
        info.result,
        info.error_name,
        info.error_message,
        info.wait_reason,
        info.wake_at_ms,
        steps,
    )


def _steps(sql: SqlStore, store: TaskStore, run_id: str) -> tuple[StepReport, ...]:
    journal = store.steps(run_id)
    return tuple(_step_report(journal[row["step_name"]]) for row in sql.execute(_STEP_ORDER, run_id))


def _step_report(entry: Entry) -> StepReport:
    return StepReport(
        entry.name,
        entry.kind,
        entry.state,
        entry.attempt,
        None if entry.result is None else loads(entry.result),
        entry.error_name,
        entry.error_message,
        entry.next_at_ms,
    )
