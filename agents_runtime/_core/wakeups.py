"""The one alarm of an object, shared by all its capabilities: armed at the earliest `next_wake_ms` of any.

Invariant: after every event an alarm is armed at or before the earliest pending work. It may be armed earlier (a stale
or a user's own alarm is left alone); then it fires, nothing is due, and the fold arms it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Alarm

LATE_RETRY = 4
"""The platform repeats an alarm that failed or killed its object six times, 2, 4, 8 ... s later, and then drops it.
From this repetition on another alarm is armed before anything else is done."""

FALLBACK_MS = 300_000
"""When that other alarm goes off."""

WakeTimes = Callable[[], Iterable[Callable[[], int | None]]]
"""Returns the `next_wake_ms` of every part that has one."""


class Wakeups:
    """Folds the wake times of the capabilities into the alarm slot."""

    def __init__(self, alarm: Alarm, wake_times: WakeTimes) -> None:
        self._alarm = alarm
        self._wake_times = wake_times
        self._armed_ms: int | None = None
        self._is_known = False
        self._is_disabled = False
        self._is_firing = False
        self._fallback_ms: int | None = None

    def earliest_ms(self) -> int | None:
        """When the first of the parts needs a wake; None when none does."""
        return min((wake for ask in self._wake_times() if (wake := ask()) is not None), default=None)

    def refresh(self) -> None:
        """Arm the alarm for the earliest work. Cheap when nothing changed; call it after every change.

        While the alarm's own handler runs, nothing is armed: the platform repeats the handler if it does not end.
        """
        if self._is_disabled or self._is_firing:
            return
        wanted_ms = self.earliest_ms()
        if self._is_known and wanted_ms == self._armed_ms and (wanted_ms is None or self._is_armed_by(wanted_ms)):
            return
        slot_ms: int | None = None
        if wanted_ms is not None and not self._is_known:
            slot_ms = self._alarm.get_ms()  # on Workers other code of the agent may run meanwhile, and arm the alarm
            wanted_ms = self.earliest_ms()
        if wanted_ms is None:
            if self._armed_ms is not None:
                self._alarm.set_ms(None)
        elif self._is_known or slot_ms is None or slot_ms > wanted_ms:
            self._alarm.set_ms(wanted_ms)
        self._armed_ms = wanted_ms
        self._is_known = True

    def _is_armed_by(self, when_ms: int) -> bool:
        """Whether the slot still holds what was set: a transaction that was undone has undone that too."""
        slot_ms = self._alarm.get_ms()
        return slot_ms is not None and slot_ms <= when_ms

    def fired(self) -> None:
        """Take note that the alarm went off, and its handler runs until `handled` or `postpone`."""
        self._is_firing = True
        self._fallback_ms = None
        self._alarm.fired()
        self._forget()

    def arm_fallback(self, when_ms: int) -> None:
        """Arm for the case that the handler, which is running, never ends because it takes the object down."""
        self._alarm.set_ms(when_ms)
        self._fallback_ms = when_ms

    def handled(self) -> None:
        """Take note that the handler has ended: arm for what is left, unless that was put off."""
        if self._is_firing:
            self._is_firing = False
            if self._fallback_ms is not None and self._alarm.get_ms() == self._fallback_ms:
                self._armed_ms, self._is_known = self._fallback_ms, True
            self.refresh()

    def _forget(self) -> None:
        """The slot is empty, or holds what was set since."""
        self._is_known = False
        self._armed_ms = None

    def postpone(self, when_ms: int) -> bool:
        """Arm for `when_ms` or later if there is pending work at all. False: there is none."""
        self._is_firing = False
        earliest_ms = self.earliest_ms()
        if earliest_ms is None:
            return False
        self._alarm.set_ms(max(earliest_ms, when_ms))
        self._forget()
        return True

    def disable(self) -> None:
        """Clear the alarm and arm none any more: the object is being destroyed."""
        self._is_disabled = True
        self._alarm.set_ms(None)


def is_late_retry(info: object) -> bool:
    """Whether the platform will soon give up the alarm that it tells this about. None: a root wakes its sub-agent."""
    retries: object = getattr(info, "retryCount", 0)
    return isinstance(retries, int | float) and retries >= LATE_RETRY
