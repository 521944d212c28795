"""Tags of a connection: the id first, each once, within the platform's limits."""

from __future__ import annotations

import pytest

from agents_runtime.connections.tags import BadTags, connection_tags


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        (None, ["me"]),
        ([], ["me"]),
        (["a", "b", "a", "me"], ["me", "a", "b"]),
        (("a",), ["me", "a"]),
        ((tag for tag in "ab"), ["me", "a", "b"]),
        (["x" * 256], ["me", "x" * 256]),
        ([str(i) for i in range(9)], ["me", *"012345678"]),
    ],
)
def test_tags(given, tags):
    assert connection_tags("me", given) == tags


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("text", "a list of texts"),
        (5, "a list of texts"),
        ([""], "not empty"),
        ([5], "must be a text"),
        (["x" * 257], "at most 256 characters"),
        ([str(i) for i in range(10)], "at most 10 tags"),
    ],
)
def test_bad_tags(given, error):
    with pytest.raises(BadTags, match=error):
        connection_tags("me", given)
