"""The SQL functions written in Python, against the rules SQLite documents for its own."""

from __future__ import annotations

import pytest

from agents_runtime.local.storage.functions import StringAgg, concat, concat_ws, octet_length, unhex


@pytest.mark.parametrize(
    ("values", "expected"),
    [((1, None, "a", 2.5), "1a2.5"), ((None,), ""), ((2.0, 1e300, b"x"), "2.01e+300x"), ((), "")],
)
def test_concat(values, expected):
    assert concat(*values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [(("-", 1, None, "b"), "1-b"), ((None, 1, 2), None), (("-", None), ""), (("-",), ""), ((0, "a", "b"), "a0b")],
)
def test_concat_ws(values, expected):
    assert concat_ws(*values) == expected


@pytest.mark.parametrize(("value", "expected"), [("é", 2), (b"\0\1\2", 3), (None, None), (12, 2), (1.5, 3), ("", 0)])
def test_octet_length(value, expected):
    assert octet_length(value) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("6162",), b"ab"),
        (("",), b""),
        (("zz",), None),
        (("616",), None),
        (("61 62",), None),
        (("61 62", " "), b"ab"),
        (("61-62", "- "), b"ab"),
        (("6 162", " "), None),
        ((None,), None),
        (("61", None), None),
        (("é1",), None),
    ],
)
def test_unhex(arguments, expected):
    assert unhex(*arguments) == expected


def test_string_agg():
    joined = StringAgg()
    assert joined.finalize() is None
    for value, separator in (("a", "-"), (None, "-"), ("b", "+"), (1, None)):
        joined.step(value, separator)
    assert joined.finalize() == "a+b1"
