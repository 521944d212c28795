"""Finding a method by name, in either spelling."""

from __future__ import annotations

import pytest

from agents_runtime.errors import UsageError
from agents_runtime.rpc.decorate import callable, exposed_by
from agents_runtime.rpc.verbs import find_verb


class Thing:
    @callable(name="addItem")
    def add_item(self):
        return "added"

    def set_state(self):
        return "set"

    def on_start(self):
        return "hidden"

    def _private(self):
        return "private"

    value = 5


def find(name):
    thing = Thing()
    return find_verb(thing, name, exposed_by(Thing), {"on_start"})


@pytest.mark.parametrize(
    ("name", "result"), [("addItem", "added"), ("add_item", "added"), ("setState", "set"), ("set_state", "set")]
)
def test_found(name, result):
    assert find(name)() == result


@pytest.mark.parametrize("name", ["_private", "on_start", "onStart", "value", "nothing", "__init__", ""])
def test_not_found(name):
    with pytest.raises(UsageError, match="Thing has no method"):
        find(name)


def test_the_error_suggests():
    with pytest.raises(UsageError, match="did you mean 'set_state'"):
        find("setStat")
