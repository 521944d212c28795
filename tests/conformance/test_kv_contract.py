"""Key-value storage, async and sync, on every platform."""

from __future__ import annotations

import asyncio
import datetime as dt
import math

import pytest


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -7,
        2**30,
        -(2**31),
        2**53 - 2,
        2**70,
        -(2**64),
        1.5,
        math.inf,
        -math.inf,
        "",
        "ascii",
        "é",
        "日本語 😀",
        "a\0b",
        [],
        [1, [2, {"x": None}]],
        {},
        {"a": 1, "b": {"c": [True]}},
        {1, 2, "three"},
    ],
    ids=repr,
)
async def test_values_come_back_equal(storage, value):
    await storage.put("k", value)
    assert await storage.get("k") == value
    storage.kv.put("k2", value)
    assert storage.kv.get("k2") == value


async def test_values_change_their_type_as_on_the_platform(storage):
    await storage.put({"whole": 2.0, "bytes": b"ab", "nan": math.nan, "dict": {"n": 1}, "keys": {7: "a", True: "b"}})
    whole, nan = await storage.get("whole"), await storage.get("nan")
    assert (whole, type(whole)) == (2, int)
    assert math.isnan(nan)
    data = await storage.get("bytes")
    assert isinstance(data, memoryview)
    assert bytes(data) == b"ab"
    assert (await storage.get("dict")).n == 1
    assert await storage.get("keys") == {"7": "a", "true": "b"}


async def test_an_aware_datetime_comes_back_naive_in_utc_to_the_millisecond(storage):
    zone = dt.timezone(dt.timedelta(hours=2))
    await storage.put("t", dt.datetime(2026, 1, 1, 12, 30, 0, 123_456, tzinfo=zone))
    assert await storage.get("t") == dt.datetime(2026, 1, 1, 10, 30, 0, 123_000)


async def test_a_stored_value_is_a_copy(storage):
    value = {"list": [1]}
    storage.kv.put("k", value)
    value["list"].append(2)
    assert storage.kv.get("k") == {"list": [1]}


@pytest.mark.parametrize("value", [(1,), {"a": (1,)}, [bytearray(b"x")]], ids=repr)
async def test_values_that_cannot_cross_are_refused(storage, value):
    with pytest.raises(TypeError, match="cannot be sent over RPC"):
        await storage.put("k", value)
    assert await storage.get("k") is None


@pytest.mark.parametrize("value", [object(), frozenset(), print, range(3), 1j], ids=repr)
async def test_values_without_a_copy_are_refused(storage, js_error, value):
    with pytest.raises(js_error) as caught:
        await storage.put("k", value)
    assert caught.value.name == "DataCloneError"


async def test_a_missing_key_is_none(storage):
    assert await storage.get("nope") is None
    assert storage.kv.get("nope") is None


async def test_several_at_once(storage):
    await storage.put({"b": 1, "a": 2, "c": 3})
    assert await storage.get(["c", "a", "nope"]) == {"a": 2, "c": 3}
    assert list(await storage.get(["c", "a"])) == ["a", "c"]
    assert await storage.delete(["a", "b", "nope"]) == 2
    assert await storage.list() == {"c": 3}


async def test_delete_says_whether_the_key_was_there(storage):
    await storage.put("a", 1)
    assert await storage.delete("a") is True
    assert await storage.delete("a") is False
    storage.kv.put("a", 1)
    assert storage.kv.delete("a") is True
    assert storage.kv.delete("a") is False


async def test_keys_are_texts(storage):
    await storage.put(5, "five")
    assert await storage.get("5") == "five"


async def test_put_needs_a_value(storage, js_error):
    with pytest.raises(js_error, match=r"put\(\) called with undefined value"):
        await storage.put("k")


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        (None, ["a", "ab", "b", "ba", "é", "日", "😀"]),
        ({"prefix": "a"}, ["a", "ab"]),
        ({"prefix": "日"}, ["日"]),
        ({"prefix": "zz"}, []),
        ({"start": "ab"}, ["ab", "b", "ba", "é", "日", "😀"]),
        ({"startAfter": "ab", "end": "ba"}, ["b"]),
        ({"end": "b"}, ["a", "ab"]),
        ({"reverse": True, "limit": 2}, ["😀", "日"]),
        ({"limit": 3}, ["a", "ab", "b"]),
        ({"prefix": "a", "start": "aa"}, ["ab"]),
        ({"prefix": "b", "end": "ba"}, ["b"]),
        ({"prefix": "a", "startAfter": "a"}, ["ab"]),
        ({"start": "z", "end": "a"}, []),
        ({"end": None, "reverse": None}, ["a", "ab", "b", "ba"]),  # None is the text "null"
        ({"limit": 1.9}, ["a"]),
    ],
    ids=repr,
)
async def test_list(storage, options, keys):
    for key in ("😀", "ba", "a", "é", "b", "日", "ab"):
        storage.kv.put(key, key)
    assert list(await storage.list(options)) == keys
    assert list(storage.kv.list(options)) == [[key, key] for key in keys]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": -1}, "List limit must be positive."),
        ({"limit": None}, "List limit must be positive."),
        ({"limit": 0}, "List limit must be positive."),
        ({"start": "a", "startAfter": "a"}, "list() cannot be called with both start and startAfter values."),
    ],
    ids=repr,
)
async def test_list_refuses(storage, js_error, options, message):
    with pytest.raises(js_error) as caught:
        await storage.list(options)
    assert (caught.value.name, caught.value.message) == ("TypeError", message)
    with pytest.raises(js_error):
        storage.kv.list(options)


async def test_a_large_value_is_refused_and_a_value_of_two_million_bytes_fits(storage, js_error):
    await storage.put("k", "x" * 2_000_000)
    with pytest.raises(js_error) as caught:
        await storage.put("k", "x" * 9_000_000)
    assert caught.value.message == "string or blob too big: SQLITE_TOOBIG"
    assert len(await storage.get("k")) == 2_000_000


async def test_sync_and_async_share_their_keys_with_one_commit(storage):
    storage.kv.put("a", 1)
    await storage.put("b", 2)
    assert await storage.list() == {"a": 1, "b": 2}
    assert storage.kv.get("b") == 2


async def test_a_listing_can_be_stepped_but_is_no_python_iterator(storage):
    storage.kv.put("a", 1)
    listing = storage.kv.list()
    with pytest.raises(TypeError):
        next(listing)
    assert listing.next().value == ["a", 1]
    assert listing.next().done is True


async def test_results_can_be_gathered_and_made_tasks(storage):
    await asyncio.gather(storage.put("a", 1), storage.put("b", 2))
    assert list(await asyncio.gather(storage.get("a"), asyncio.create_task(storage.get("b")))) == [1, 2]
