"""The alarm on Workers, against a platform that fires a moment early and takes no notice of a time set twice."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime._core.wakeups import Wakeups

MODULES = ("js", "pyodide", "pyodide.ffi")
ADAPTER = ("agents_runtime._platform.workers.values", "agents_runtime._platform.workers.storage")
EARLIEST = 9


@pytest.fixture(scope="module")
def alarm_class():
    """`WorkersAlarm`, which imports what only the platform has."""
    kept = {name: sys.modules.pop(name, None) for name in (*MODULES, *ADAPTER)}

    class Anything(ModuleType):
        def __getattr__(self, name: str) -> Any:
            return lambda *args, **kwargs: None

    sys.modules.update({name: Anything(name) for name in MODULES})
    ffi: Any = sys.modules["pyodide.ffi"]
    ffi.can_run_sync = lambda: True
    ffi.run_sync = lambda value: value
    try:
        storage: Any = importlib.import_module(ADAPTER[-1])
        storage.from_json_value = lambda value: value
    finally:
        for name, module in kept.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
    return storage.WorkersAlarm


class Scripted:
    """The platform's alarm of one object, as workerd keeps it.

    While the handler runs the slot seems empty. The alarm that fired is deleted after it, unless another was set:
    setting the time for which it fired changes nothing, so it does not count.
    """

    def __init__(self):
        self.now_ms = 1_000
        self.slot: int | None = None
        self.is_leaving = False
        self.fired_at: list[int] = []

    def getAlarm(self):  # noqa: N802 - the platform's
        return None if self.is_leaving else self.slot

    def setAlarm(self, when_ms):  # noqa: N802 - the platform's
        if when_ms != self.slot:
            self.slot, self.is_leaving = when_ms, False

    def deleteAlarm(self):  # noqa: N802 - the platform's
        self.slot, self.is_leaving = None, False

    def fire(self, handler, early_ms, seconds_ms=0):
        """Fire what is armed, so much too early by the clock of the object, with a handler that takes so long."""
        assert self.slot is not None
        self.now_ms = max(self.now_ms, self.slot - early_ms)
        self.fired_at.append(self.now_ms)
        self.is_leaving = True
        handler(seconds_ms)
        if self.is_leaving:
            self.slot, self.is_leaving = None, False


class Diary:
    """An agent that notes what is due, on this alarm."""

    def __init__(self, alarm_class, platform):
        self.platform = platform
        self.planned: list[int] = []
        self.noted: list[tuple[int, int]] = []
        self.chain: list[int] = []
        self.alarm_class = alarm_class
        self.wake_up()

    def wake_up(self):
        """Begin a life that knows of no alarm."""
        clock = SimpleNamespace(now_ms=lambda: self.platform.now_ms)
        self.wakeups = Wakeups(
            self.alarm_class(self.platform, clock), lambda: [lambda: min(self.planned, default=None)]
        )

    def plan(self, after_ms):
        self.planned.append(self.platform.now_ms + after_ms)
        self.wakeups.refresh()

    def handler(self, seconds_ms):
        self.wakeups.fired()
        now_ms = self.platform.now_ms
        for due_ms in sorted(each for each in self.planned if each <= now_ms):
            self.planned.remove(due_ms)
            self.noted.append((due_ms, now_ms))
            if self.chain:
                self.plan(self.chain.pop())
        self.platform.now_ms += seconds_ms
        self.wakeups.handled()


@given(
    first=st.lists(st.integers(0, 60), min_size=1, max_size=5),
    chain=st.lists(st.integers(0, 30), max_size=8),
    firings=st.lists(st.tuples(st.integers(0, EARLIEST), st.sampled_from([0, 0, 1, 25]), st.booleans()), max_size=60),
)
def test_no_alarm_is_lost_or_repeated_without_end(alarm_class, first, chain, firings):
    platform = Scripted()
    diary = Diary(alarm_class, platform)
    diary.chain = list(chain)
    for after_ms in first:
        diary.plan(after_ms)
    script = iter(firings)
    while diary.planned:
        assert platform.slot is not None, "something is planned, and nothing would wake the agent"
        assert platform.slot <= max(min(diary.planned), platform.now_ms + 10), "it would be woken late"
        early_ms, seconds_ms, forgets = next(script, (0, 0, False))
        if forgets:
            diary.wake_up()
        platform.fire(diary.handler, early_ms, seconds_ms)
    assert len(diary.noted) == len(first) + len(chain) - len(diary.chain), "each once"
    assert diary.chain == []
    assert not [due for due, at in diary.noted if at < due], "none early"
    assert len(platform.fired_at) <= (EARLIEST + 1) * len(diary.noted), "each that is early comes later than the last"


@pytest.mark.parametrize("early_ms", range(EARLIEST + 1))
def test_an_alarm_fired_early_is_set_again_so_that_it_counts(alarm_class, early_ms):
    platform = Scripted()
    diary = Diary(alarm_class, platform)
    diary.plan(50)
    platform.fire(diary.handler, early_ms)
    assert diary.planned == ([] if early_ms == 0 else [1_050])
    assert (platform.slot is None) == (early_ms == 0)
    if early_ms:
        platform.fire(diary.handler, 0)
        assert diary.noted[0][1] - 1_050 <= 10
    assert platform.slot is None, "nothing is left, so nothing fires"


def test_an_alarm_that_is_cleared_while_it_fires_does_not_come_back(alarm_class):
    platform = Scripted()
    diary = Diary(alarm_class, platform)
    diary.plan(50)

    def destroyed(_):
        diary.wakeups.fired()
        diary.wakeups.disable()
        diary.wakeups.handled()

    platform.fire(destroyed, 3)
    assert platform.slot is None
    assert not platform.is_leaving
