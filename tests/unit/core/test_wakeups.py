"""One alarm for all parts: never later than the earliest work."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from agents_runtime._core.wakeups import LATE_RETRY, Wakeups, is_late_retry


class Slot:
    def __init__(self, when_ms=None):
        self.when_ms = when_ms
        self.writes = 0

    def get_ms(self):
        return self.when_ms

    def fired(self):
        """Nothing to note: `when_ms` is the truth."""

    def set_ms(self, when_ms):
        self.when_ms = when_ms
        self.writes += 1


def made(slot, *times):
    due = list(times)
    return due, Wakeups(slot, lambda: [partial(due.__getitem__, i) for i in range(len(due))])


def test_the_earliest_part_decides():
    slot = Slot()
    due, wakeups = made(slot, 30, None, 20)
    wakeups.refresh()
    assert slot.when_ms == 20
    due[2] = None
    wakeups.refresh()
    assert slot.when_ms == 30
    due[0] = None
    wakeups.refresh()
    assert slot.when_ms is None


def test_nothing_is_written_when_nothing_changed():
    slot = Slot(20)
    _, wakeups = made(slot, 20)
    for _ in range(3):
        wakeups.refresh()
    assert slot.writes == 0


def test_a_lost_or_late_alarm_is_armed_again():
    for found in (None, 99):
        slot = Slot(found)
        _, wakeups = made(slot, 20)
        wakeups.refresh()
        assert slot.when_ms == 20


def test_an_alarm_of_the_users_own_is_left_alone():
    slot = Slot(10)
    due, wakeups = made(slot, None)
    wakeups.refresh()
    assert slot.when_ms == 10
    due[0] = 20
    wakeups.fired()
    wakeups.handled()
    assert slot.when_ms == 10, "it fires first, and the fold follows"


def test_after_it_fired_the_alarm_is_armed_anew():
    slot = Slot()
    due, wakeups = made(slot, 20)
    wakeups.refresh()
    slot.when_ms = None
    wakeups.fired()
    due[0] = 40
    wakeups.refresh()
    assert slot.when_ms is None, "the handler still runs"
    wakeups.handled()
    assert slot.when_ms == 40


def test_postponing_needs_something_to_postpone():
    slot = Slot()
    due, wakeups = made(slot, None)
    assert wakeups.postpone(100) is False
    due[0] = 20
    wakeups.fired()
    assert wakeups.postpone(100) is True
    wakeups.handled()
    assert slot.when_ms == 100


def test_a_disabled_fold_arms_nothing():
    slot = Slot()
    _, wakeups = made(slot, 20)
    wakeups.refresh()
    wakeups.disable()
    wakeups.refresh()
    assert slot.when_ms is None


@given(st.lists(st.tuples(st.integers(0, 2), st.none() | st.integers(0, 50), st.booleans()), max_size=30))
def test_an_alarm_is_always_armed_at_or_before_the_earliest_work(steps):
    slot = Slot()
    due, wakeups = made(slot, None, None, None)
    for part, when_ms, fires in steps:
        due[part] = when_ms
        if fires:
            slot.when_ms = None
            wakeups.fired()
            wakeups.handled()
        wakeups.refresh()
        earliest = wakeups.earliest_ms()
        if earliest is not None:
            assert slot.when_ms is not None
            assert slot.when_ms <= earliest


def test_work_that_comes_up_while_the_slot_is_read_is_not_armed_too_late():
    due = [50, None]
    slot = Slot()
    wakeups = Wakeups(slot, lambda: [partial(due.__getitem__, i) for i in range(len(due))])
    read = slot.get_ms

    def read_slowly():
        found = read()
        if due[1] is None:
            due[1] = 20
            wakeups.refresh()
        return found

    slot.get_ms = read_slowly  # type: ignore[method-assign] # an event that comes in while the slot is read
    wakeups.refresh()
    assert slot.when_ms == 20


def test_an_alarm_that_a_transaction_undid_is_armed_again():
    slot = Slot()
    due, wakeups = made(slot, 30)
    wakeups.refresh()
    slot.when_ms = None
    wakeups.refresh()
    assert slot.when_ms == 30
    assert due == [30]


def test_a_fallback_is_armed_while_the_handler_runs_and_no_longer():
    for due, expected in (([20], 20), ([None], None), ([900], 900)):
        slot = Slot(10)
        _, wakeups = made(slot, *due)
        slot.when_ms = None
        wakeups.fired()
        wakeups.arm_fallback(300)
        wakeups.refresh()
        assert slot.when_ms == 300
        wakeups.handled()
        assert slot.when_ms == expected


def test_an_alarm_that_the_user_set_instead_of_the_fallback_is_left_alone():
    slot = Slot()
    _, wakeups = made(slot, 900)
    wakeups.fired()
    wakeups.arm_fallback(300)
    slot.set_ms(200)
    wakeups.handled()
    assert slot.when_ms == 200


def test_the_last_repetitions_of_an_alarm_are_late():
    late = [is_late_retry(SimpleNamespace(retryCount=count)) for count in range(7)]
    assert late == [False] * LATE_RETRY + [True] * (7 - LATE_RETRY)
    assert not is_late_retry(None)


class EmptiedSlot(Slot):
    """As on Workers: the slot is empty once the handler begins, whatever the clock says."""

    def fired(self):
        self.when_ms = None


def test_an_alarm_that_fired_a_moment_early_is_armed_anew():
    slot = EmptiedSlot()
    _, wakeups = made(slot, 20)
    wakeups.refresh()
    wakeups.fired()
    wakeups.handled()
    assert (slot.when_ms, slot.writes) == (20, 2)
