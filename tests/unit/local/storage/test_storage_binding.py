"""Parameters and columns, as a property of real statements."""

from __future__ import annotations

import datetime as dt
import math
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.local.storage.binding import (
    bind_friendly,
    bind_strict,
    clean_text,
    js_text,
    read_row_friendly,
    read_row_strict,
)
from agents_runtime.local.values import JsBigInt, JsException

CONNECTION = sqlite3.connect(":memory:", check_same_thread=False)


@pytest.fixture(scope="module", autouse=True)
def _close():
    yield
    CONNECTION.close()


def through_sqlite(bound):
    return CONNECTION.execute("SELECT ?, typeof(?)", bound * 2).fetchone()


SAFE_INTS = st.integers(-(2**53) + 2, 2**53 - 2)


@given(SAFE_INTS)
def test_an_int_in_the_exact_range_is_real_inside_and_the_same_int_outside(number):
    for bind, read in ((bind_strict, read_row_strict), (bind_friendly, read_row_friendly)):
        row = through_sqlite(bind([number]))
        assert row[1] == "real"
        back = read(row)[0]
        assert (back, type(back)) == (number, int)


@given(st.floats())
def test_a_float_reads_as_javascript_has_it(number):
    (back, kind) = read_row_strict(through_sqlite(bind_strict([number])))
    if math.isnan(number):
        assert (back, kind) == (None, "null")
    else:
        assert back == number
        assert isinstance(back, int) == (number.is_integer() and abs(number) < 2**53)


@given(st.integers(min_value=2**53 - 1) | st.integers(max_value=-(2**53) + 1))
def test_an_int_beyond_it_is_refused(number):
    with pytest.raises(JsException, match="TypeError"):
        bind_strict([number])
    with pytest.raises(ValueError, match=r"store it as str\(value\)"):
        bind_friendly([number])


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_column_reads_exactly_or_as_a_float(number):
    (back,) = read_row_strict(CONNECTION.execute(f"SELECT {number}").fetchone())
    assert back == float(number) if abs(number) >= 2**53 else back == number
    assert isinstance(back, int) == (abs(number) < 2**53)


@given(st.binary())
def test_blobs(data):
    for value in (data, memoryview(data)):
        strict = read_row_strict(through_sqlite(bind_strict([value])))
        assert isinstance(strict[0], memoryview)
        assert bytes(strict[0]) == data
        assert read_row_friendly(through_sqlite(bind_friendly([value]))) == [data, "blob"]


@given(st.text())
def test_text_that_can_be_written_comes_back_the_same(text):
    assert read_row_strict(through_sqlite(bind_strict([text])))[0] == text
    assert clean_text(text) == text


@given(st.text(st.characters(min_codepoint=0xD700, max_codepoint=0xE0FF)))
def test_cleaned_text_can_always_be_written(text):
    cleaned = clean_text(text)
    cleaned.encode()
    assert clean_text(cleaned) == cleaned


def test_a_pair_of_surrogates_is_one_character():
    assert clean_text("\ud83d\ude00") == "😀"
    assert clean_text("a\ude00") == "a" + "\ufffd" * 3


def test_the_friendly_way_stores_a_bool_as_a_number_and_refuses_structures():
    assert bind_friendly([True, False, None, bytearray(b"x")]) == [1.0, 0.0, None, b"x"]
    for value in ([1], {"a": 1}, (1,), {1}, object(), dt.datetime(2026, 1, 1)):
        with pytest.raises(ValueError, match=r"json\.dumps"):
            bind_friendly([value])


class Text(str):
    __slots__ = ()


class Number(float):
    __slots__ = ()


def test_subclasses_bind_like_their_base():
    for bind in (bind_strict, bind_friendly):
        assert bind([Text("x"), Number(1.5)]) == ["x", 1.5]


def test_a_big_int_of_the_platform_is_refused_even_when_small():
    with pytest.raises(JsException, match="BigInt"):
        bind_strict([JsBigInt(5)])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (True, "true"),
        (1.0, "1"),
        (1e21, "1e+21"),
        (2**70, str(2**70)),
        ([[1, None], "a"], "1,,a"),
        ({}, "[object Object]"),
        ({1}, "[object Set]"),
        (None, "null"),
        ([b"\1\2"], "1,2"),
        ([dt.datetime(2026, 8, 9)], "Sun Aug 09 2026 00:00:00 GMT+0000 (Coordinated Universal Time)"),
        (ValueError("x"), "Error: x"),
    ],
    ids=repr,
)
def test_text_of_values(value, text):
    assert js_text(value) == text
