"""JSON as JavaScript writes it, and refusals that name the path."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum, IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from agents_runtime._core import jsonx
from agents_runtime.errors import NotJson


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@dataclass
class Point:
    x: float
    tags: list[str] = field(default_factory=list)


class Model(BaseModel):
    at: datetime
    inner: dict[str, int] = {}


class ReadOnly(Mapping[str, int]):
    def __getitem__(self, key):
        return {"a": 1}[key]

    def __iter__(self):
        return iter(["a"])

    def __len__(self):
        return 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (2.5, "2.5"),
        (1e16, "10000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        ({"a": [1.0, {"b": 2.0}], "v": "1.0"}, '{"a":[1,{"b":2}],"v":"1.0"}'),
        (["v1.0", "2.0", "1e+5"], '["v1.0","2.0","1e+5"]'),
        ((1, 2.0), "[1,2]"),
        ({1: "a", 2.5: "b", None: "c"}, '{"1":"a","2.5":"b","null":"c"}'),
        ("grüße 🦊\u2028", '"grüße 🦊\u2028"'),
        ('"\\\n\x00', '"\\"\\\\\\n\\u0000"'),
        ("\ud800", '"\\ud800"'),
        (Colour.RED, '"red"'),
        (Level.HIGH, "3"),
        (Point(1.0, ["a"]), '{"x":1,"tags":["a"]}'),
        ([Point(2.5)], '[{"x":2.5,"tags":[]}]'),
        (datetime(2026, 1, 2, 3, 4, 5, 6789, UTC), '"2026-01-02T03:04:05.006Z"'),
        (datetime(2026, 1, 2, 1, tzinfo=timezone(timedelta(hours=2))), '"2026-01-01T23:00:00.000Z"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (ReadOnly(), '{"a":1}'),
        (Model(at=datetime(2026, 1, 2, tzinfo=UTC)), '{"at":"2026-01-02T00:00:00Z","inner":{}}'),
    ],
)
def test_how_values_are_written(value, text):
    assert jsonx.dumps(value) == text


class Later:
    def __await__(self):
        yield


class Foreign:
    """As a JavaScript value is on Workers."""

    def to_py(self):
        return {}


def looped():
    items: list[Any] = []
    value = {"ok": 1, "list": items}
    items.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "path", "problem"),
    [
        ({1, 2}, "state", "is a set, which JSON has no form for; use a list"),
        ({"a": [0, {"b": b"x"}]}, "state.a[1].b", "is a bytes"),
        ({"a b": {"c": math.nan}}, "state['a b'].c", "is nan"),
        ([math.inf], "state[0]", "is inf"),
        ([1.0, math.inf], "state[1]", "is inf"),
        ({(1, 2): 3}, "state", "has the key (1, 2)"),
        (looped(), "state.list[0]", "contains itself"),
        (datetime(2026, 1, 1), "state", "without a time zone"),
        ([Point(math.nan)], "state[0].x", "is nan"),
        ({"call": len}, "state.call", "call it and use the result"),
        (object(), "state", "use its fields"),
        (Later(), "state", "is a Later, which JSON has no form for; await it and use the result"),
        (Foreign(), "state", "convert it to Python first, with its to_py()"),
        (3j, "state", "two numbers"),
    ],
)
def test_what_json_cannot_carry_is_named_with_its_path(value, path, problem):
    with pytest.raises(NotJson) as refused:
        jsonx.dumps(value, "state")
    assert refused.value.path == path
    assert problem in refused.value.problem
    assert str(refused.value).startswith(f"{path} ")


def test_what_nests_too_deep_is_refused():
    value: Any = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(NotJson, match=r"^state nests too deep$"):
        jsonx.dumps(value, "state")


DEEP = jsonx.MAX_DEPTH


@pytest.mark.parametrize(
    "text",
    [
        "[" * DEEP + "]" * DEEP,
        '{"a":' * DEEP + "1" + "}" * DEEP,
        "[" + "[]," * 10_000 + "[]]",
        '["' + "[" * 1_000 + '"]',
        '["\\"' + "[{" * 1_000 + '\\\\"]',
    ],
    ids=["arrays", "objects", "wide", "within a text", "within a text with escapes"],
)
def test_what_nests_as_deep_as_allowed_is_read(text):
    assert jsonx.loads(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "[" * (DEEP + 1) + "]" * (DEEP + 1),
        '{"a":' * (DEEP + 1) + "1" + "}" * (DEEP + 1),
        "[" * 1_000_000,
        '[{"a":' * 100_000,
        '["]]]]",' * (DEEP + 1),
        "[]" + "[" * (DEEP + 1),
    ],
    ids=["arrays", "objects", "unfinished", "mixed", "closed only within texts", "after a value"],
)
def test_what_nests_deeper_is_refused_before_it_is_parsed(text):
    with pytest.raises(ValueError, match="nests too deep"):
        jsonx.loads(text)


def test_a_model_that_fails_is_an_error_of_its_path():
    class Angry(BaseModel):
        def model_dump(self, **options):
            raise ValueError("no")

    with pytest.raises(NotJson, match=r"^state\.a no"):
        jsonx.dumps({"a": Angry()}, "state")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "tru",
        "[1] x",
        "NaN",
        "-Infinity",
        '{"a":Infinity}',
        "{'a':1}",
        "[" * 100_000,
        '"\n"',
        "1 2",
        "[1,]",
    ],
)
def test_what_is_not_json_is_refused(text):
    with pytest.raises(ValueError):
        jsonx.loads(text)


@pytest.mark.parametrize(("text", "value"), [(" [1] ", [1]), ("\n\t1", 1), ('{"a":1,"a":2}', {"a": 2}), ("1e2", 100)])
def test_what_javascript_reads_is_read(text, value):
    assert jsonx.loads(text) == value


def test_plain_gives_only_json_types():
    assert jsonx.plain((1, Point(1.5), {"a": Colour.RED})) == [1, {"x": 1.5, "tags": []}, {"a": "red"}]
    assert jsonx.plain("x") == "x"


def test_size_is_in_bytes():
    assert jsonx.size_bytes("abc") == 3
    assert jsonx.size_bytes("grüße") == 7


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_what_is_written_reads_the_same(value):
    text = jsonx.dumps(value)
    assert jsonx.loads(text) == value
    assert json.loads(text) == value


@given(st.text(st.characters()))
def test_every_text_can_be_sent(text):
    written = jsonx.dumps(text)
    written.encode()
    assert jsonx.loads(written) == text
