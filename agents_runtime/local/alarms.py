"""Alarms of the local host: one slot per object, one timer per host, a list that survives the process.

The truth is the slot's row in the object's own database, committed with the writes of its turn. The host's list
(`AlarmIndex`) only tells whom to ask after a restart, so it is written before the object's commit and may name
an alarm that is no longer there; the slot is read again before anything is called. Nothing fires early.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agents_runtime.local.clock import HostClock, Timer
    from agents_runtime.local.namespaces import LocalId
    from agents_runtime.local.storage.database import Database

ALARM_KEY = "alarm_ms"
MAX_RETRIES = 6
FIRST_RETRY_MS = 2_000
RETRY_JITTER = 0.25
"""The platform retries after 2 s, doubling, up to six times, each delay longer by up to a quarter."""


class AlarmIndex(Protocol):
    """Which objects have an alarm, kept across restarts of the host."""

    def put(self, object_id: LocalId, when_ms: int) -> None: ...
    def delete(self, object_id: LocalId) -> None: ...


@dataclass(frozen=True, slots=True)
class AlarmInfo:
    """What an alarm handler is told."""

    scheduledTime: int
    retryCount: int

    @property
    def isRetry(self) -> bool:
        return self.retryCount > 0


class AlarmSlot:
    """One object's alarm, for one life of it."""

    def __init__(self, database: Database, scheduler: AlarmScheduler, object_id: LocalId) -> None:
        self._database = database
        self._scheduler = scheduler
        self._id = object_id
        self._is_changed = False
        self.was_set = False
        self.is_firing = False

    @property
    def stored_ms(self) -> int | None:
        """The alarm as the database has it."""
        value = self._database.get_meta(ALARM_KEY)
        return None if value is None else int(value)

    def get_ms(self) -> int | None:
        """The alarm as the object sees it: its handler has no alarm until it sets one."""
        return None if self.is_firing and not self.was_set else self.stored_ms

    def fired(self) -> None:
        """Nothing to note: `is_firing` says it."""

    def set_ms(self, when_ms: int | None) -> None:
        if when_ms is None:
            self._database.delete_meta(ALARM_KEY)
        else:
            self._database.put_meta(ALARM_KEY, when_ms)
        self._is_changed = True
        self.was_set = True

    def before_commit(self) -> None:
        if self._is_changed and (when_ms := self.stored_ms) is not None:
            self._scheduler.remember(self._id, when_ms)

    def after_commit(self) -> None:
        if self._is_changed:
            self._is_changed = False
            self._scheduler.arm(self._id, self.stored_ms)


class AlarmScheduler:
    """Calls `fire` for every object whose alarm is due, in order of time, then of arming."""

    def __init__(self, clock: HostClock, index: AlarmIndex, fire: Callable[[LocalId], None]) -> None:
        self._clock = clock
        self._index = index
        self._fire = fire
        self._heap: list[tuple[int, int, LocalId]] = []
        self._armed: dict[LocalId, tuple[int, int]] = {}
        self._listed: dict[LocalId, int] = {}
        self.failures: dict[LocalId, int] = {}
        """How often each alarm has failed in a row; forgotten with the process, which starts over."""
        self._order = itertools.count()
        self._timer: tuple[int, Timer] | None = None
        self._is_running = False

    def start(self) -> None:
        """Begin to fire; overdue alarms come first."""
        self._is_running = True
        self._set_timer()

    def stop(self) -> None:
        """Fire no more. What is armed stays listed."""
        self._is_running = False
        if self._timer is not None:
            self._timer[1].cancel()
            self._timer = None

    def load(self, alarms: Iterable[tuple[LocalId, int]]) -> None:
        """Take over what a former host left listed."""
        for object_id, when_ms in alarms:
            self._listed[object_id] = when_ms
            self.retry_at(object_id, when_ms)

    def remember(self, object_id: LocalId, when_ms: int) -> None:
        """List the alarm for the next start of the host, unless an earlier one is listed."""
        listed_ms = self._listed.get(object_id)
        if listed_ms is None or when_ms < listed_ms:
            self._list(object_id, when_ms)

    def arm(self, object_id: LocalId, when_ms: int | None) -> None:
        """Fire at `when_ms` and at no other time; None disarms."""
        if when_ms is None:
            self._armed.pop(object_id, None)
            if self._listed.pop(object_id, None) is not None:
                self._index.delete(object_id)
            return
        if self._listed.get(object_id) != when_ms:
            self._list(object_id, when_ms)
        armed = self._armed.get(object_id)
        if armed is None or armed[0] != when_ms:
            self.retry_at(object_id, when_ms)

    def retry_at(self, object_id: LocalId, when_ms: int) -> None:
        """Fire at `when_ms` without listing it: a failed alarm is listed under its own time."""
        number = next(self._order)
        self._armed[object_id] = (when_ms, number)
        heapq.heappush(self._heap, (when_ms, number, object_id))
        self._set_timer()

    def _list(self, object_id: LocalId, when_ms: int) -> None:
        self._listed[object_id] = when_ms
        self._index.put(object_id, when_ms)

    def is_armed(self, object_id: LocalId) -> bool:
        """Whether the object's alarm is to be fired at some time."""
        return object_id in self._armed

    def disarm(self, object_id: LocalId) -> None:
        """Do not fire what is armed; the caller fires it."""
        self._armed.pop(object_id, None)

    def _first(self) -> tuple[int, LocalId] | None:
        while self._heap:
            when_ms, number, object_id = self._heap[0]
            if self._armed.get(object_id) == (when_ms, number):
                return when_ms, object_id
            heapq.heappop(self._heap)
        return None

    def _set_timer(self) -> None:
        first = self._first()
        if first is None or not self._is_running:
            return
        if self._timer is not None:
            if self._timer[0] <= first[0]:
                return
            self._timer[1].cancel()
        self._timer = (first[0], self._clock.call_at_ms(first[0], self._on_timer))

    def _on_timer(self) -> None:
        self._timer = None
        now_ms = self._clock.now_ms()
        while (first := self._first()) is not None and first[0] <= now_ms:
            heapq.heappop(self._heap)
            del self._armed[first[1]]
            self._fire(first[1])
        self._set_timer()


def retry_delay_ms(failures: int, random: float) -> int | None:
    """The wait after the given number of failures, or None when the platform gives up."""
    if failures > MAX_RETRIES:
        return None
    return round((FIRST_RETRY_MS << (failures - 1)) * (1 + RETRY_JITTER * random))
