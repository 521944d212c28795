"""What went wrong inside objects, and the words in which a failing test tells about it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class ObjectError:
    """An exception inside an object that no caller was there to receive.

    Attributes:
        where: the object, as in `<Counter 'a'>`.
        event: what it was doing: `webSocketMessage`, `webSocketClose`, `alarm`, `background work`, `commit`, or what
            the library logged.
        error: the exception itself.
    """

    where: str
    event: str
    error: BaseException

    def __str__(self) -> str:
        return f"{self.where} {self.event}: {type(self.error).__name__}: {self.error}"

    def describe(self) -> str:
        """The object, the event and the traceback."""
        trace = "".join(traceback.format_exception(self.error)).rstrip()
        return f"An exception inside {self.where} reached nobody ({self.event}):\n{trace}"


def show_time(time_ms: int) -> str:
    """A time as ISO text with milliseconds."""
    return datetime.fromtimestamp(time_ms / 1000, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def show_duration(duration_ms: int) -> str:
    """A duration in the largest units that fit, as the arguments `advance` takes them."""
    parts: list[str] = []
    for unit, size_ms in (("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000)):
        count, duration_ms = divmod(duration_ms, size_ms)
        if count:
            parts.append(f"{unit}={count}")
    if duration_ms or not parts:
        parts.append(f"seconds={duration_ms / 1000:g}")
    return ", ".join(parts)
