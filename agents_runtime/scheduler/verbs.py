"""What agents offer for schedules: verbs and the hook `on_task`. The work is done by `Schedules`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast, overload

if TYPE_CHECKING:
    from agents_runtime._core.callbacks import Callback
    from agents_runtime._core.capability import capability
    from agents_runtime._core.durations import Duration
    from agents_runtime._core.retry import RetryLike
    from agents_runtime.scheduler.models import Schedule, ScheduleType
    from agents_runtime.scheduler.schedules import Schedules
    from agents_runtime.scheduler.when import When

Payload = Mapping[str, object]


TASK_HOOK = "on_task"
"""The method that a schedule made with a payload alone calls."""


class SchedulerVerbs:
    """The scheduling verbs of an agent."""

    __slots__ = ()

    if TYPE_CHECKING:
        _schedules: capability[Schedules]

    @overload
    async def schedule(
        self,
        when: When,
        callback: Callback,
        payload: object = None,
        /,
        *,
        retry: RetryLike = None,
        idempotent: bool | None = None,
        key: str | None = None,
        tz: str | None = None,
        jitter: Duration | None = None,
    ) -> Schedule: ...
    @overload
    async def schedule(
        self,
        payload: Payload,
        when: When,
        /,
        *,
        retry: RetryLike = None,
        idempotent: bool | None = None,
        key: str | None = None,
        tz: str | None = None,
        jitter: Duration | None = None,
    ) -> Schedule: ...
    async def schedule(self, when: Any, callback: Any, payload: object = None, /, **options: Any) -> Schedule:
        """Call a method once at a time or after a delay, or again and again by a cron expression.

        `await self.schedule(60, self.remind, {"text": "tea"})` calls `remind(payload, schedule)`. The schedule is
        stored before this returns and survives everything. The method is called at least once, never early; when it
        raises, it is called again as `retry` says, then `on_error` is told. `self.schedule({"type": "digest"}, when)`
        calls `on_task(payload, schedule)` instead.

        Args:
            when: a datetime (UTC unless it or `tz` says otherwise), a timedelta, seconds, or a text: an ISO date, a
                delay such as "5 minutes", or a cron expression of 5 fields, or 6 with seconds first.
            callback: a method of the agent, or its name.
            payload: JSON.
            retry: `{"max_attempts": 3, "base_delay_ms": 100, "max_delay_ms": 3000}`, or part of it.
            idempotent: keep the schedule of the same method, payload and type that exists, whatever its time. Default
                True for cron, False for the others.
            key: names the schedule; it is its id. Scheduling under the same key again replaces it.
            tz: the time zone of a cron expression, or of a date without one: "Europe/Paris".
            jitter: put each run off by up to so long, by chance.

        Raises:
            UnknownCallback: the agent has no such method.
            InvalidCron: with the position, and the next runs of what was probably meant.
            UsageError: it is no time, or the retry is out of range.
            NotJson: naming the part of the payload that is no JSON.
            TooManyPending: `options["max_pending"]` schedules exist.
        """
        if isinstance(when, Mapping):
            return self._schedules.add(callback, TASK_HOOK, cast("Payload", when), **options)
        return self._schedules.add(when, callback, payload, **options)

    @overload
    async def schedule_every(
        self,
        interval: Duration,
        callback: Callback,
        payload: object = None,
        /,
        *,
        retry: RetryLike = None,
        idempotent: bool | None = None,
        key: str | None = None,
        align: bool = False,
        jitter: Duration | None = None,
    ) -> Schedule: ...
    @overload
    async def schedule_every(
        self,
        payload: Payload,
        interval: Duration,
        /,
        *,
        retry: RetryLike = None,
        idempotent: bool | None = None,
        key: str | None = None,
        align: bool = False,
        jitter: Duration | None = None,
    ) -> Schedule: ...
    async def schedule_every(self, interval: Any, callback: Any, payload: object = None, /, **options: Any) -> Schedule:
        """Call a method again and again: `await self.schedule_every("5 minutes", self.refresh)`.

        The first call is one interval from now. Runs of one schedule never overlap, unless one takes longer than
        `options["hung_schedule_timeout_seconds"]`. Calling this again with the same interval, method and payload, in
        `on_start` for example, keeps the schedule there is. Promises and errors are those of `schedule`.

        Args:
            interval: seconds, a timedelta or a text; from 10 milliseconds to 30 days.
            callback: a method of the agent, or its name; without it the payload comes first and `on_task` is called.
            align: keep to whole intervals from now on, without drift; a run that comes too late is left out. Without it
                the next run is one interval after the end of the last.
        """
        if isinstance(interval, Mapping):
            return self._schedules.add_every(callback, TASK_HOOK, cast("Payload", interval), **options)
        return self._schedules.add_every(interval, callback, payload, **options)

    async def get_schedule_by_id(self, schedule_id: str) -> Schedule | None:
        """Find a schedule by its id or key; None when there is none, or it is over."""
        return self._schedules.get(schedule_id)

    async def get_schedule(self, schedule_id: str) -> Schedule | None:
        """Find a schedule, like `get_schedule_by_id`."""
        return self._schedules.get(schedule_id)

    async def list_schedules(
        self,
        *,
        id: str | None = None,  # noqa: A002 - as in the JavaScript SDK
        type: ScheduleType | None = None,  # noqa: A002 - as above
        time_range: Mapping[str, datetime | None] | None = None,
    ) -> list[Schedule]:
        """List the schedules by the time they run next; those that match, when something is given.

        Args:
            time_range: `{"start": datetime, "end": datetime}`, either of which may be left out; both are included.
        """
        return self._schedules.list(id, type, time_range)

    async def get_schedules(
        self,
        *,
        id: str | None = None,  # noqa: A002 - as in the JavaScript SDK
        type: ScheduleType | None = None,  # noqa: A002 - as above
        time_range: Mapping[str, datetime | None] | None = None,
    ) -> list[Schedule]:
        """List the schedules, like `list_schedules`."""
        return self._schedules.list(id, type, time_range)

    async def cancel_schedule(self, schedule_id: str) -> bool:
        """Delete a schedule; False when there is none of that id. A run that goes on is not stopped."""
        return self._schedules.cancel(schedule_id)

    def on_task(self, payload: Any, schedule: Schedule, /) -> Any:  # noqa: ANN401 - JSON; sync or async
        """Do what was scheduled without a method: `self.schedule({"type": "digest"}, when)`. Called at least once."""
