"""Settings of a test runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents_runtime.local.clock import VirtualClock
from agents_runtime.local.options import HostOptions


@dataclass(frozen=True)
class RuntimeOptions:
    """How a test runtime differs from the default one.

    Attributes:
        evict_before_every_event: drop every idle object before each event, so that memory is never relied upon.
            False: objects sleep after 10 s of virtual time, as in production.
        env: variables of the worker's environment.
        data: a folder for the databases instead of memory.
        start: the virtual time at which the runtime starts. Without a time zone it is UTC.
        seed: what the ids and random numbers of agents come from.
        expect_timeout_s: real seconds a client waits for a frame.
    """

    evict_before_every_event: bool = True
    env: Mapping[str, Any] = field(default_factory=dict[str, Any])
    data: Path | None = None
    start: datetime | None = None
    seed: int = 0
    expect_timeout_s: float = 5.0

    def host_options(self) -> HostOptions:
        """The settings of the host underneath."""
        return HostOptions(
            data=self.data,
            durability="process",
            idle_timeout_s=None if self.evict_before_every_event else 10.0,
            evict_before_every_event=self.evict_before_every_event,
        )

    def clock(self) -> VirtualClock:
        """A clock that stands at `start`."""
        if self.start is None:
            return VirtualClock()
        return VirtualClock(to_ms(self.start))


def to_ms(when: datetime) -> int:
    """Milliseconds since the epoch; a time without a time zone is UTC."""
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
