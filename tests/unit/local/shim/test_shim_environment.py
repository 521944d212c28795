"""`env`, `patch_env` and `wait_until`: each worker sees its own."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from agents_runtime.local.shim import env, http, patch_env, runtime, wait_until, waitUntil


def in_own_context(check):
    import contextvars

    return contextvars.copy_context().run(check)


def test_env_is_that_of_the_worker_that_runs():
    def check():
        assert http.current_environment() is None
        with pytest.raises(AttributeError, match="no worker is running"):
            _ = env.GREETING
        one = SimpleNamespace(GREETING="hello")
        runtime.bind_environment(one)
        assert env.GREETING == "hello"
        assert http.current_environment() is one
        assert getattr(env, "MISSING", None) is None

    in_own_context(check)


async def test_two_workers_at_once_see_their_own():
    async def worker(greeting):
        runtime.bind_environment(SimpleNamespace(GREETING=greeting))
        await asyncio.sleep(0)
        return env.GREETING

    tasks = [asyncio.create_task(worker(greeting)) for greeting in ("a", "b")]
    assert await asyncio.gather(*tasks) == ["a", "b"]
    assert http.current_environment() is None


def test_patch_env_replaces_bindings_for_a_while():
    def check():
        runtime.bind_environment(SimpleNamespace(A=1, B=2))
        with patch_env({"A": 10}, C=30):
            assert (env.A, env.B, env.C) == (10, 2, 30)
        assert env.A == 1
        assert not hasattr(env, "C")
        with pytest.raises(ZeroDivisionError), patch_env([("A", 0)]):
            _ = 1 / env.A
        assert env.A == 1

    in_own_context(check)


async def test_wait_until_hands_work_to_the_host():
    taken: list[Any] = []
    no_work: Any = object()
    token = runtime.bind_wait_until(taken.append)
    try:
        work = asyncio.sleep(0, "done")
        wait_until(work)
        assert taken == [work]
        assert await work == "done"
        with pytest.raises(TypeError, match="awaitable"):
            wait_until(no_work)
    finally:
        runtime.bind_wait_until(None)
    assert token is not None


async def test_wait_until_without_a_host_says_so_and_leaves_nothing_behind():
    with pytest.raises(RuntimeError, match="handles an event"):
        waitUntil(asyncio.sleep(0))
