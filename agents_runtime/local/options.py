"""Settings of a local host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Durability = Literal["power", "process"]
"""`power`: a commit survives loss of power (one sync each). `process`: it survives the death of the process."""


@dataclass(frozen=True)
class HostOptions:
    """How a `Host` keeps and runs its objects.

    Attributes:
        data: folder of the databases; None keeps everything in memory.
        durability: what a commit survives.
        idle_timeout_s: an object without events for so long leaves memory; its WebSockets stay open.
            0 drops it after every event, None keeps it.
        evict_before_every_event: drop an idle object just before each event, so that nothing can rely on memory.
        max_open_databases: databases open at once; None derives it from the limit of file descriptors.
        lock_files: keep each open database locked, which is faster; other programs then cannot read it until its
            object has left memory.
        slow_event_s: an event that blocks the loop longer is warned about.
        debug: let error answers carry details. For development only.
    """

    data: Path | None = None
    durability: Durability = "power"
    idle_timeout_s: float | None = 10.0
    evict_before_every_event: bool = False
    max_open_databases: int | None = None
    lock_files: bool = False
    slow_event_s: float = 1.0
    debug: bool = False
