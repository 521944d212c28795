"""Names in both spellings, and what a misspelt one meant."""

from __future__ import annotations

import pytest

from agents_runtime._core.spelling import did_you_mean, snake_case


@pytest.mark.parametrize(
    ("name", "snake"),
    [("setState", "set_state"), ("set_state", "set_state"), ("getConnections", "get_connections"), ("add", "add")],
)
def test_snake_case(name, snake):
    assert snake_case(name) == snake


def test_suggestions():
    assert did_you_mean("setStat", ["set_state", "sql"]) == "; did you mean 'set_state'?"
    assert did_you_mean("xyz", ["b", "a"]) == "; there are a, b"
    assert did_you_mean("xyz", []) == "; there are none"
