"""A schedule as users see it, and as it is stored: JSON with the keys of the JavaScript SDK."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from agents_runtime._core.jsonx import Json, dumps, quote, well_formed
from agents_runtime._core.records import Record
from agents_runtime._core.retry import resolve_retry, retry_to_json
from agents_runtime.errors import StorageError
from agents_runtime.scheduler.when import After, At, ByCron, Every, Timing

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Job
    from agents_runtime._core.retry import RetryPolicy

ScheduleType = Literal["scheduled", "delayed", "cron", "interval"]

_TAIL = '"owner_path":null,"owner_path_key":null'


@dataclass(frozen=True, slots=True)
class Schedule(Record):
    """Something that will be called: once, or again and again.

    Attributes:
        id: for `cancel_schedule` and `get_schedule_by_id`; the key, if it has one.
        callback: the name of the method that is called with the payload and this schedule.
        payload: JSON.
        type: `scheduled` (a date), `delayed`, `cron` or `interval`.
        time_ms: when it runs next, in milliseconds since the epoch.
        retry: the policy given for it; None is the class's.
        delay_in_seconds: of a `delayed` one.
        cron: the expression of a `cron` one.
        interval_seconds: of an `interval`.
        tz: the time zone of the expression; None is UTC.
        align: whether an interval keeps to whole intervals since it was created.
        jitter_seconds: by how much each run is put off at most, by chance.
    """

    id: str
    callback: str
    payload: Json
    type: ScheduleType
    time_ms: int
    retry: RetryPolicy | None = None
    delay_in_seconds: float | None = None
    cron: str | None = None
    interval_seconds: float | None = None
    tz: str | None = None
    align: bool = False
    jitter_seconds: float = 0

    javascript_names: ClassVar[dict[str, str]] = {
        "id": "id",
        "callback": "callback",
        "payload": "payload",
        "type": "type",
        "time": "time",
        "retry": "retry",
        "delayInSeconds": "delay_in_seconds",
        "cron": "cron",
        "intervalSeconds": "interval_seconds",
    }

    @property
    def time(self) -> int:
        """When it runs next, in whole seconds since the epoch, as in the JavaScript SDK."""
        return self.time_ms // 1000

    @property
    def runs_at(self) -> datetime:
        """When it runs next, in UTC."""
        return datetime.fromtimestamp(self.time_ms / 1000, UTC)

    @property
    def is_recurring(self) -> bool:
        """Whether it runs again and again."""
        return self.type in ("cron", "interval")


class Stored(NamedTuple):
    """What a schedule's row says beyond the columns of the job table.

    Attributes:
        payload_text: JSON, or None where no payload was given.
        is_foreign: whether it belongs to a sub-agent.
    """

    timing: Timing
    payload_text: str | None
    payload: Json = None
    retry: RetryPolicy | None = None
    jitter_ms: int = 0
    is_foreign: bool = False


def write_stored(timing: Timing, payload_text: str | None, given_retry: RetryPolicy | None, jitter_ms: int) -> str:
    """The JSON text of a schedule's row, with keys in the order in which the JavaScript SDK writes them."""
    parts = [] if payload_text is None else [f'"payload":{payload_text}']
    if given_retry is not None:
        parts.append(f'"retry":{retry_to_json(given_retry)}')
    own = f',"jitterMs":{jitter_ms}' if jitter_ms else ""
    if isinstance(timing, After):
        parts.append(f'"type":"delayed","delayInSeconds":{_seconds(timing.delay_ms)}')
    elif isinstance(timing, At):
        parts.append('"type":"scheduled"')
    elif isinstance(timing, ByCron):
        parts.append(f'"type":"cron","cron":{well_formed(quote(timing.expression))}')
        own += "" if timing.tz is None else f',"tz":{dumps(timing.tz)}'
    else:
        parts.append(f'"type":"interval","intervalSeconds":{_seconds(timing.interval_ms)}')
        own += "" if timing.anchor_ms is None else f',"anchorMs":{timing.anchor_ms}'
    return f"{{{','.join(parts)},{_TAIL}{own}}}"


def read_stored(job: Job) -> Stored:
    """What a schedule's row says, whoever wrote it.

    Raises:
        StorageError: it is no schedule.
    """
    try:
        row: Any = job.payload
        retry: Any = row.get("retry")
        return Stored(
            timing=_timing(row, job.time_ms),
            payload_text=dumps(row["payload"]) if "payload" in row else None,
            payload=row.get("payload"),
            retry=None if retry is None else resolve_retry(retry),
            jitter_ms=int(row.get("jitterMs") or 0),
            is_foreign=row.get("owner_path") is not None,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StorageError(f"the schedule {job.id} cannot be read ({error}): {job.payload_text!r}"[:500]) from error


def _timing(row: Any, time_ms: int) -> Timing:  # noqa: ANN401 - JSON
    kind = row["type"]
    if kind == "scheduled":
        return At(time_ms)
    if kind == "delayed":
        return After(round((row.get("delayInSeconds") or 0) * 1000))
    if kind == "cron":
        return ByCron(str(row["cron"]), row.get("tz"))
    if kind == "interval":
        return Every(round(row["intervalSeconds"] * 1000), row.get("anchorMs"))
    raise ValueError(f"unknown type {kind!r}")


def schedule_of(job: Job, stored: Stored) -> Schedule:
    """A schedule as users see it."""
    timing = stored.timing
    common = (job.id, job.fn, stored.payload)
    if isinstance(timing, At):
        return Schedule(*common, "scheduled", job.time_ms, stored.retry, jitter_seconds=stored.jitter_ms / 1000)
    if isinstance(timing, After):
        delay_s = _seconds(timing.delay_ms)
        return Schedule(*common, "delayed", job.time_ms, stored.retry, delay_s, jitter_seconds=stored.jitter_ms / 1000)
    if isinstance(timing, ByCron):
        return Schedule(
            *common,
            "cron",
            job.time_ms,
            stored.retry,
            cron=timing.expression,
            tz=timing.tz,
            jitter_seconds=stored.jitter_ms / 1000,
        )
    return Schedule(
        *common,
        "interval",
        job.time_ms,
        stored.retry,
        interval_seconds=_seconds(timing.interval_ms),
        align=timing.anchor_ms is not None,
        jitter_seconds=stored.jitter_ms / 1000,
    )


def _seconds(milliseconds: int) -> float:
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000
