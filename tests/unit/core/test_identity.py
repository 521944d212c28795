"""The name, where it comes from, and the props that outlive a wake."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agents_runtime._core.identity import Identity, StartProps
from agents_runtime.errors import NotNamed


class Store(dict[str, Any]):
    def put(self, key, value):
        self[key] = value


def store(**values: str) -> Any:
    return Store(values)


def platform_id(name: str | None, hex_id: str = "00") -> Any:
    return SimpleNamespace(name=name, hex=hex_id)


def test_the_platforms_name_is_kept():
    kv = store()
    identity = Identity(platform_id("a"), kv)
    identity.remember()
    assert (identity.name, kv) == ("a", {"__ps_name": "a"})


def test_a_name_the_platform_forgot_is_read_back():
    assert Identity(platform_id(None), store(__ps_name="kept")).name == "kept"


def test_no_name_is_an_error_that_names_the_object():
    with pytest.raises(NotNamed, match="the object 00ff has no name"):
        Identity(platform_id(None, "00ff"), store()).remember()


def test_props_are_those_given_last():
    props = StartProps(store())
    assert props.last() is None
    props.keep({"a": 1})
    props.keep(None)
    assert props.last() == {"a": 1}
    props.keep([])
    assert props.last() == []
