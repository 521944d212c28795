"""Parts of an agent: built once, in order, asked only for what they do."""

from __future__ import annotations

from typing import Any

import pytest

from agents_runtime._core.capability import DONE, Capability, Parts, capability, declared
from agents_runtime.errors import UsageError


class Recorder(Capability):
    def __init__(self, name):
        self.name = name


class Waking(Recorder):
    def next_wake_ms(self):
        return 5

    def frames(self):
        return {"shared": self.handle, self.name: self.handle}

    def handle(self, peer, frame):
        return None


class Owner:
    @capability
    def first(self) -> Waking:
        """Come first."""
        return Waking("first")

    @capability.lazy
    def lazy(self) -> Waking:
        return Waking("lazy")

    @capability
    def second(self) -> Recorder:
        return Recorder("second")


class Heir(Owner):
    @capability
    def second(self) -> Waking:
        return Waking("replaced")

    @capability
    def third(self) -> Recorder:
        return Recorder("third")


def parts_of(owner, tables=()) -> Any:
    return Parts(owner, declared(type(owner)), tables=lambda: tables)


def test_a_part_is_built_once_and_is_a_plain_attribute_then():
    owner = Owner()
    assert "first" not in vars(owner)
    assert owner.first is owner.first is vars(owner)["first"]
    assert Owner.first.__doc__ == "Come first."


def test_declaration_order_counts_and_an_heir_replaces_in_place():
    assert list(declared(Heir)) == ["first", "lazy", "second", "third"]
    assert [part.name for part in parts_of(Heir()).eager()] == ["first", "replaced", "third"]


def test_lazy_parts_are_built_by_use_only():
    owner = Owner()
    parts = parts_of(owner)
    assert parts.built() == []
    assert [part.name for part in parts.eager()] == ["first", "second"]
    assert owner.lazy.name == "lazy"
    assert [part.name for part in parts.eager()] == ["first", "lazy", "second"]


def test_a_phase_has_only_those_that_take_part():
    owner = Owner()
    assert [ask() for ask in parts_of(owner).phase("next_wake_ms")] == [5]
    assert parts_of(owner).phase("on_alarm") == []


def test_the_first_part_keeps_a_frame_type():
    handlers: dict[str, Any] = parts_of(Heir()).frames()
    assert sorted(handlers) == ["first", "replaced", "shared"]
    assert handlers["shared"].__self__.name == "first"


def test_a_part_replaced_by_the_users_code_is_named():
    owner = Owner()
    vars(owner)["second"] = []
    with pytest.raises(UsageError, match=r"self\.second is a part of Agent .* in Owner"):
        parts_of(owner).check_names()


def test_awaiting_what_is_done_takes_no_turn():
    async def wait():
        return await DONE

    waiting = wait()
    with pytest.raises(StopIteration) as ended:
        waiting.send(None)
    assert ended.value.value is None


class Storing:
    def __init__(self, *tables):
        self._parts = Parts(self, declared(type(self)), tables=lambda: tables)

    @capability
    def always(self) -> Recorder:
        return Recorder("always")

    @capability.stored("mine", "mine_before")
    def stored(self) -> Waking:
        return Waking("stored")


@pytest.mark.parametrize("table", ["mine", "mine_before"])
def test_a_stored_part_is_built_where_it_has_stored_something(table):
    assert [type(part) for part in Storing("theirs", table)._parts.eager()] == [Recorder, Waking]


def test_a_stored_part_without_anything_stored_waits_until_it_is_asked_for():
    owner = Storing("theirs")
    assert owner._parts.phase("next_wake_ms") == []
    assert isinstance(owner.stored, Waking)
    assert [wake() for wake in owner._parts.phase("next_wake_ms")] == [5]
