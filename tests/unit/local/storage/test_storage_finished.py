"""Awaitables that are done already."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from agents_runtime.local.storage.finished import Finished


async def test_it_can_be_awaited_again_and_again():
    result = Finished(5)
    assert [await result, await result] == [5, 5]


async def test_it_is_what_a_coroutine_is_to_asyncio():
    assert inspect.isawaitable(Finished(1))
    assert await asyncio.create_task(Finished(1)) == 1
    assert list(await asyncio.gather(Finished(1), Finished(2))) == [1, 2]
    assert await asyncio.wait_for(Finished(3), 1) == 3


def test_not_awaiting_it_warns_nobody():
    Finished(1).close()
    del [Finished(2)][:]


def test_an_error_thrown_in_comes_out():
    with pytest.raises(KeyError):
        Finished(1).throw(KeyError("x"))
