"""From JSON to annotated types: by hand for common annotations, by pydantic for the rest."""

from __future__ import annotations

import subprocess
import sys
import typing
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict, TypeVar

import pytest
from pydantic import BaseModel, Field

from agents_runtime._core.jsonx import Json
from agents_runtime._core.typed import Mismatch, converter, describe


class Base(TypedDict):
    id: int


class Movie(Base, total=False):
    title: str
    stars: NotRequired[int]


@dataclass
class Node:
    name: str
    children: list[Node] = field(default_factory=list)
    weight: float = 1.0


@dataclass
class Even:
    n: int

    def __post_init__(self):
        if self.n % 2:
            raise ValueError("odd")


class Item(BaseModel):
    name: str


class Colour(Enum):
    RED = "red"


UserId = NewType("UserId", int)
OLD_UNION: Any = getattr(typing, "Union")  # noqa: B009 - spelt so that it stays the old form
OLD_OPTIONAL: Any = getattr(typing, "Optional")  # noqa: B009 - as above


@pytest.mark.parametrize("annotation", [Any, object, Json, TypeVar("T"), OLD_UNION[int, Any]])
def test_anything_goes_unchecked(annotation):
    assert converter(annotation) is None


@pytest.mark.parametrize(
    ("annotation", "value", "converted"),
    [
        (int, 5, 5),
        (int, 5.0, 5),
        (float, 5, 5.0),
        (str, "x", "x"),
        (bool, True, True),
        (None, None, None),
        (list, [1, "a"], [1, "a"]),
        (dict, {"a": 1}, {"a": 1}),
        (list[int], [1, 2.0], [1, 2]),
        (list[Any], [1, "a"], [1, "a"]),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (int | None, None, None),
        (OLD_OPTIONAL[int], 3, 3),
        (OLD_UNION[int, str], "x", "x"),
        (int | list[str], ["x"], ["x"]),
        (Literal["a", 1], 1, 1),
        (UserId, 7, 7),
        (Movie, {"id": 1}, {"id": 1}),
        (Movie, {"id": 1, "title": "x", "stars": 3.0}, {"id": 1, "title": "x", "stars": 3}),
        (Node, {"name": "a", "children": [{"name": "b"}]}, Node("a", [Node("b")])),
        (Item, {"name": "x"}, Item(name="x")),
        (list[Item], [{"name": "x"}], [Item(name="x")]),
        (Colour, "red", Colour.RED),
        (date, "2026-01-02", date(2026, 1, 2)),
        (tuple[int, str], [1, "x"], (1, "x")),
        (Annotated[int, Field(gt=0)], 1, 1),
    ],
)
def test_conversions(annotation, value, converted):
    convert = converter(annotation)
    assert convert is not None
    result = convert(value)
    assert result == converted
    assert type(result) is type(converted)


@pytest.mark.parametrize(
    ("annotation", "value", "path", "problem"),
    [
        (int, "5", "", "must be int, not str"),
        (int, True, "", "must be int, not bool"),
        (int, 5.5, "", "must be int, not float"),
        (float, True, "", "must be float, not bool"),
        (str, None, "", "must be str, not None"),
        (bool, 1, "", "must be bool, not int"),
        (list[int], {}, "", "must be list, not dict"),
        (list[list[int]], [[1], [2, "x"]], "[1][1]", "must be int"),
        (dict[str, int], {"a": None}, ".a", "must be int"),
        (int | None, "x", "", "must be int | None, not str"),
        (int | list[int], [1, "x"], "[1]", "must be int"),
        (Literal["a", "b"], "c", "", "must be one of 'a', 'b', not 'c'"),
        (Literal[1], True, "", "must be one of 1"),
        (Movie, {}, ".id", "is missing"),
        (Movie, {"id": 1, "extra": 2}, ".extra", "is not a field of Movie"),
        (Movie, [], "", "must be dict (Movie), not list"),
        (Node, {"name": "a", "children": [{"name": 1}]}, ".children[0].name", "must be str"),
        (Even, {"n": 3}, "", "is not a valid Even: odd"),
        (Item, {}, ".name", "is not valid: Field required"),
        (list[Item], [{"name": "a"}, {}], "[1].name", "Field required"),
        (Annotated[int, Field(gt=0)], 0, "", "greater than 0"),
    ],
)
def test_mismatches_name_the_part(annotation, value, path, problem):
    convert = converter(annotation)
    assert convert is not None
    with pytest.raises(Mismatch) as refused:
        convert(value)
    assert (refused.value.path, problem in refused.value.problem) == (path, True), refused.value.problem


def test_dropped_fields_are_left_out_only_when_asked_for():
    convert = converter(list[Node], drops_extras=True)
    assert convert is not None
    assert convert([{"name": "a", "gone": 1, "children": [{"name": "b", "gone": 2}]}]) == [Node("a", [Node("b")])]


def test_descriptions():
    assert [describe(a) for a in (int, None, list[int], int | None)] == ["int", "None", "list[int]", "int | None"]


def test_pydantic_is_imported_only_for_what_needs_it():
    program = (
        "import sys\nfrom agents_runtime._core.typed import converter\n"
        "converter(dict[str, list[int] | None])({'a': [1]})\nassert 'pydantic' not in sys.modules\n"
        "import datetime\nconverter(datetime.date)('2026-01-01')\nassert 'pydantic' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
