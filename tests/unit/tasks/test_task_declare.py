"""Declaring tasks, and how arguments are stored."""

import pytest

from agents_runtime.errors import DefinitionError, NotJson, UsageError
from agents_runtime.tasks.declare import MAX_VALUE_BYTES, pack, task, task_name, tasks_of, unpack
from agents_runtime.tasks.errors import ValueTooLarge


class Tasks:
    @task
    async def none(self, step): ...

    @task
    async def one(self, step, topic): ...

    @task
    async def maybe(self, step, topic="bees"): ...

    @task
    async def two(self, step, a, b=2): ...

    @task(name="any number")
    async def many(self, step, *args): ...

    async def plain(self, step): ...


FOUND = tasks_of(Tasks)


def test_tasks_are_found_by_name():
    assert sorted(FOUND) == ["any number", "maybe", "none", "one", "two"]
    assert FOUND["any number"].attribute == "many"
    assert task_name(Tasks().many) == "any number"
    assert task_name("x") == "x"


@pytest.mark.parametrize(
    ("name", "args", "stored"),
    [
        ("none", [], None),
        ("one", ["bees"], '"bees"'),
        ("one", [[1, 2]], "[1,2]"),
        ("one", [None], "null"),
        ("maybe", [], None),
        ("maybe", [{"a": 1}], '{"a":1}'),
        ("two", [1], "[1]"),
        ("two", [1, [2]], "[1,[2]]"),
        ("any number", [1, 2, 3], "[1,2,3]"),
        ("any number", [], None),
    ],
)
def test_arguments_come_back_as_they_were(name, args, stored):
    assert pack(FOUND[name], args) == stored
    assert unpack(FOUND[name], stored) == args


def test_an_input_of_a_javascript_agent_is_one_argument():
    assert unpack(FOUND["two"], '{"topic":"bees"}') == [{"topic": "bees"}]
    assert unpack(FOUND["none"], '{"topic":"bees"}') == []


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        ("none", [1], "takes 0 arguments, not 1"),
        ("one", [], "takes 1 arguments, not 0"),
        ("two", [], "takes 1 to 2 arguments, not 0"),
        ("two", [1, 2, 3], "takes 1 to 2 arguments, not 3"),
    ],
)
def test_a_wrong_number_of_arguments(name, args, said):
    with pytest.raises(UsageError, match=said):
        pack(FOUND[name], args)


def test_arguments_that_cannot_be_stored():
    with pytest.raises(NotJson):
        pack(FOUND["one"], [object()])
    with pytest.raises(ValueTooLarge) as caught:
        pack(FOUND["one"], ["x" * MAX_VALUE_BYTES])
    assert caught.value.limit_bytes == MAX_VALUE_BYTES


def test_the_nearest_class_wins_and_an_override_is_decorated_again():
    class Nearer(Tasks):
        @task
        async def one(self, step, topic, more=None): ...

        async def two(self, step, a, b=2): ...

    found = tasks_of(Nearer)
    assert found["one"].accepted == 2
    assert "two" not in found


@pytest.mark.parametrize("name", ["", "  ", "x" * 257])
def test_names_that_are_none(name):
    with pytest.raises(DefinitionError, match="characters"):

        @task(name=name)
        async def work(self, step): ...


def test_a_keyword_that_nobody_can_give():
    with pytest.raises(DefinitionError, match="'must'"):

        @task
        async def work(self, step, *, must): ...


def test_only_methods_are_tasks():
    with pytest.raises(DefinitionError, match="directly on a method"):
        task(staticmethod(len))
    with pytest.raises(UsageError, match="is no task"):
        task_name(Tasks().plain)
