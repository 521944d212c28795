"""Typed states: from storage leniently, from clients strictly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

import pytest

from agents_runtime.errors import StorageError
from agents_runtime.state.codec import InvalidState, StateCodec, StoredStateMismatch


@dataclass
class Player:
    name: str
    points: int = 0


class Point(TypedDict):
    x: int


@pytest.mark.parametrize("annotation", [Any, dict[str, Any]])
def test_without_a_type_json_is_the_state(annotation):
    codec = StateCodec(annotation)
    assert codec.from_storage({"a": 1}) == codec.from_client({"a": 1}) == {"a": 1}
    assert StateCodec(Any).is_plain


def test_storage_may_hold_fields_that_the_class_dropped():
    codec = StateCodec(Player)
    assert codec.from_storage({"name": "a", "gone": 1}) == Player("a")
    with pytest.raises(InvalidState, match=r"state\.gone is not a field of Player"):
        codec.from_client({"name": "a", "gone": 1})


def test_a_stored_value_that_does_not_fit_says_what_to_do():
    with pytest.raises(StoredStateMismatch, match=r"Player: state\.name is missing\. Give new fields a default"):
        StateCodec(Player).from_storage({"points": 1})
    assert issubclass(StoredStateMismatch, StorageError)


def test_a_typed_dict_stays_a_dict():
    assert StateCodec(Point).from_client({"x": 1.0}) == {"x": 1}
    with pytest.raises(InvalidState, match=r"state\.x must be int, not str"):
        StateCodec(Point).from_client({"x": "1"})
