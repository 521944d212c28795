"""The copy a remote call makes."""

from __future__ import annotations

import datetime as dt
import enum
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.local.values import ArrayBuffer, JsBigInt, JsDict, JsException, RpcFunction, clone, decode, encode
from agents_runtime.local.values.types import number_text


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Point:
    x: int


class Handle:
    """A stand-in for a stub: it is handed over, not copied."""

    crosses_rpc = True


class Pair(NamedTuple):
    a: int
    b: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2.0, 2),
        (-0.0, 0),
        (2.5, 2.5),
        (1e300, 1e300),
        (float("inf"), float("inf")),
        (2**53 - 2, 2**53 - 2),
        (2**53 - 1, JsBigInt(2**53 - 1)),
        (-(2**60), JsBigInt(-(2**60))),
        (JsBigInt(5), JsBigInt(5)),
        (Level.HIGH, 3),
        ({7: "a", True: "b", 2.5: "c", "d": "e"}, JsDict({"7": "a", "true": "b", "2.5": "c", "d": "e"})),
        ({None: "d"}, JsDict({"undefined": "d"})),
        (OrderedDict(a=[1]), JsDict(a=[1])),
        (defaultdict(set, a={1}), JsDict(a={1})),
        (b"ab", memoryview(b"ab")),
        (ArrayBuffer(b"ab"), memoryview(b"ab")),
        (dt.datetime(2026, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))), dt.datetime(2026, 1, 1)),
        (dt.datetime(2026, 1, 1, 0, 0, 0, 1_999), dt.datetime(2026, 1, 1, 0, 0, 0, 1_000)),
        (dt.datetime(1960, 1, 1, 0, 0, 0, 1_500), dt.datetime(1960, 1, 1, 0, 0, 0, 2_000)),
    ],
    ids=repr,
)
def test_values_arrive_as_the_platform_delivers_them(value, expected):
    copy = clone(value)
    assert copy == expected
    assert type(copy) is type(expected)


def test_dicts_arrive_with_attributes_at_every_depth():
    copy = clone({"a": [{"b": {"c": 1}}], "items": 2})
    assert copy.a[0].b.c == 1
    assert copy["items"] == 2
    with pytest.raises(AttributeError):
        _ = copy.nope
    copy.new = 3
    assert copy["new"] == 3


def test_nothing_is_shared():
    numbers, names = [1], {"a"}
    copy = clone({"list": numbers, "set": names})
    numbers.append(9)
    names.add("b")
    assert copy == {"list": [1], "set": {"a"}}


def test_keys_that_are_numbers_come_first_as_in_javascript():
    copy = clone({"b": 1, "10": 2, "2": 3, "02": 4, "-1": 5, "4294967295": 6, "٣": 7, "a": {"1": 1, "0": 0}})
    assert list(copy) == ["2", "10", "b", "02", "-1", "4294967295", "٣", "a"]
    assert list(copy.a) == ["0", "1"]
    assert list(decode(encode({"b": 1, "1": 2}))) == ["1", "b"]


def test_binary_data_arrives_as_a_writable_copy():
    sent = bytearray(b"ab")
    copy = clone(memoryview(sent))
    copy[0] = 0
    assert sent == b"ab"
    assert clone(b"ab").readonly is False


def test_an_array_of_numbers_keeps_its_kind():
    copy = clone(memoryview(b"\1\0\0\0\2\0\0\0").cast("i"))
    assert (copy.format, copy.tolist()) == ("i", [1, 2])


@pytest.mark.parametrize("value", [(1,), Pair(1, 2), bytearray(b"x"), [[(1,)]], {"a": {"b": (1,)}}], ids=repr)
def test_types_refused_before_sending(value):
    with pytest.raises(TypeError, match="cannot be sent over RPC"):
        clone(value)


def test_an_awaitable_is_refused_since_the_caller_forgot_to_await_it():
    async def work(): ...

    coroutine = work()
    with pytest.raises(TypeError, match="Awaitable"):
        clone([coroutine])
    coroutine.close()


@pytest.mark.parametrize(
    "value",
    [object(), Point(1), frozenset(), range(2), 1j, iter([]), Point, dt.timedelta(1), {(1, 2): 3}, {b"x": 1}, {b"x"}],
    ids=repr,
)
def test_types_without_a_copy(value):
    with pytest.raises(JsException) as caught:
        clone({"deep": [value]})
    assert caught.value.name == "DataCloneError"
    assert str(caught.value).startswith("DataCloneError: ")


def test_an_exception_loses_its_type():
    copy = clone(ValueError("boom"))
    assert type(copy) is Exception
    assert str(copy) == "Error: boom"


def test_a_handle_is_handed_over():
    handle = Handle()
    assert clone([handle])[0] is handle


async def test_a_function_arrives_callable_and_copies_both_ways():
    seen = []

    async def later(item, *rest):
        seen.append((item, rest))
        return {"got": b"x"}

    function = clone({"f": later}).f
    assert isinstance(function, RpcFunction)
    assert clone(function) is function
    argument = {"n": [1]}
    result = await function(argument, 2.0, flag=True)
    argument["n"].append(2)
    assert seen == [({"n": [1]}, (2, {"flag": True}))]
    assert isinstance(result, JsDict)
    assert isinstance(result.got, memoryview)
    assert await clone(len)("abc") == 3
    with pytest.raises(TypeError):
        await function((1,))


async def test_the_error_of_a_function_reaches_the_caller():
    def fail():
        raise KeyError("mine")

    with pytest.raises(KeyError):
        await clone(fail)()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 2, 2**53 - 2) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_arrives_equal_and_a_copy_of_a_copy_is_equal(value):
    copy = clone(value)
    assert copy == value
    assert clone(copy) == copy


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e-7, "1.5e-7"),
        (0.000001, "0.000001"),
        (123456789012345680000.0, "123456789012345680000"),
        (5e-324, "5e-324"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_numbers_as_text_are_written_as_javascript_writes_them(number, text):
    assert number_text(number) == text


def test_an_array_buffer_gives_its_bytes():
    buffer = ArrayBuffer(b"ab")
    assert type(buffer.to_bytes()) is bytes
    assert buffer.to_bytes() == b"ab"
    assert buffer.to_py().tolist() == [97, 98]


def test_a_platform_error_reads_as_name_and_message():
    error = JsException("TypeError", "bad")
    assert (error.name, error.message, str(error), error.stack) == (
        "TypeError",
        "bad",
        "TypeError: bad",
        "TypeError: bad",
    )
