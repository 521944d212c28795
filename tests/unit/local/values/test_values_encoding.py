"""Stored values: the same bytes as V8 writes, and back again."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.errors import StorageError
from agents_runtime.local.values import JsBigInt, JsException, clone, decode, encode

BOTH_WAYS = [
    # value, the bytes workerd 1.20261117.1 wrote for it into `_cf_KV`
    (None, "ff0f30"),
    (True, "ff0f54"),
    (False, "ff0f46"),
    (7, "ff0f490e"),
    (-300, "ff0f49d704"),
    (1073741824, "ff0f4e000000000000d041"),
    (-2147483648, "ff0f4e000000000000e0c1"),
    (4000000000, "ff0f4e0000000065cded41"),
    (1.5, "ff0f4e000000000000f83f"),
    (math.inf, "ff0f4e000000000000f07f"),
    (JsBigInt(5), "ff0f5a100500000000000000"),
    (JsBigInt(-(2**70)), "ff0f5a2100000000000000004000000000000000"),
    ("", "ff0f2200"),
    ("abc", "ff0f2203616263"),
    ("é", "ff0f2201e9"),
    ("日本😀", "ff0f6308e5652c673dd800de"),
    ("x日", "ff0f63047800e565"),
    ([1, "a", [True, None]], "ff0f4103490222016141025430240002240003"),
    ({"5": 2, "a": 1, "é": {"b": []}}, "ff0f6f490a490422016149022201e96f22016241002400007b017b03"),
    (dt.datetime(2026, 1, 1, 0, 0, 0, 123_000), "ff0f4400b087aa6db77942"),
    (b"\1\2\3", "ff0f42030102035642000300"),
]

READ_ONLY = [
    # bytes that only JavaScript writes, what Python makes of them
    ("ff0f5f", None),
    ("ff0f4e0000000000000080", 0),
    ("ff0f42020102", b"\1\2"),
    ("ff0f4204010203045642010200", b"\2\3"),
    ("ff0f42020908563f000200", b"\x09\x08"),
    ("ff0f41036e000000000000f03f7322017379240003", [1, "s", True]),
    ("ff0f61034900490249044906400203", [1, None, 3]),
    ("ff0f610649004902490a4904400206", [1, None, None, None, None, 2]),
    ("ff0f3b22016b490249042201763a04", {"k": 1, 2: "v"}),
    ("ff0f6f22016d3b2201644400000000000000003a027b01", {"m": {"d": dt.datetime(1970, 1, 1)}}),
    ("ff0f41026f22017849027b015e01240002", [{"x": 1}, {"x": 1}]),
    ("ff0f2749022201782c02", {1, "x"}),
    ("ff0f5303c3a978", "éx"),
    ("ff0f5507", 7),
    ("ff0f41022d4902240002", [None, 1]),
    ("ff0f3f0349020000", 1),
]


@pytest.mark.parametrize(("value", "data"), BOTH_WAYS, ids=lambda item: str(item)[:30])
def test_the_bytes_are_those_of_v8(value, data):
    assert encode(value).hex() == data
    back = decode(bytes.fromhex(data))
    assert back == value
    assert isinstance(back, type(value) if not isinstance(value, bytes) else memoryview)


@pytest.mark.parametrize(("data", "value"), READ_ONLY, ids=lambda item: str(item)[:30])
def test_values_that_only_javascript_writes_can_be_read(data, value):
    assert decode(bytes.fromhex(data)) == value


def test_typed_arrays_keep_their_kind():
    whole = decode(bytes.fromhex("ff0f420801000000feffffff5664000800"))
    assert (whole.format, whole.tolist()) == ("i", [1, -2])
    assert encode(whole).hex() == "ff0f420801000000feffffff5664000800"
    doubles = decode(bytes.fromhex("ff0f4208000000000000f83f5646000800"))
    assert (doubles.format, doubles.tolist()) == ("d", [1.5])


def test_errors_lose_their_class_and_stack():
    written = "ff0f72546d2204626f6f6d73220454797065" + "2e"
    error = decode(bytes.fromhex(written))
    assert type(error) is Exception
    assert str(error) == "TypeError: boom"
    assert str(decode(encode(ValueError("mine")))) == "Error: mine"


def nested(leaves):
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
        max_leaves=20,
    )


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**100), 2**100)
    | st.floats(allow_nan=False)
    | st.text(st.characters())
    | st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))
)
VALUES = nested(PLAIN | st.binary() | st.sets(st.integers(-10, 10) | st.text(max_size=3)))


@given(VALUES)
def test_storing_and_reading_is_the_copy_a_call_makes(value):
    assert decode(encode(value)) == clone(value)


@given(nested(PLAIN | st.binary()))
def test_writing_what_was_read_gives_the_same_bytes(value):
    data = encode(decode(encode(value)))
    assert encode(decode(data)) == data


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_storage_error(data):
    for candidate in (data, b"\xff\x0f" + data):
        try:
            decode(candidate)
        except (StorageError, JsException):
            continue


@given(nested(PLAIN), st.data())
def test_a_cut_off_value_is_an_error(value, data):
    encoded = encode(value)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(StorageError, match="cannot be read"):
        decode(encoded[:cut])


@pytest.mark.parametrize("data", [b"", b"x", b"\xff\x10T", b"\xff\x0f\\", b"\xff\x0fA\xff\xff\xff\xff\x0f"], ids=repr)
def test_damage_is_named(data):
    with pytest.raises(StorageError, match="cannot be read"):
        decode(data)


@pytest.mark.parametrize("value", [(1,), [bytearray()]], ids=repr)
def test_tuples_and_bytearrays_are_refused(value):
    with pytest.raises(TypeError, match="cannot be sent over RPC"):
        encode(value)


@pytest.mark.parametrize("value", [print, object(), {frozenset(): 1}, [1j]], ids=repr)
def test_functions_and_objects_are_refused(value):
    with pytest.raises(JsException) as caught:
        encode(value)
    assert caught.value.name == "DataCloneError"
