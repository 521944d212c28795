"""The port, implemented on a Durable Object's `ctx` and `env`."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import js
from pyodide.ffi import create_once_callable, create_proxy

from agents_runtime._platform.workers.bindings import namespaces_of
from agents_runtime._platform.workers.sockets import WorkersSockets
from agents_runtime._platform.workers.storage import WorkersAlarm, WorkersKeyValue, WorkersSqlStore
from agents_runtime.errors import Evicted, UsageError

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Fetch
    from agents_runtime._platform.workers.facets import WorkersFacets

T = TypeVar("T")

logger = logging.getLogger("agents_runtime")


LONGEST_TIMER_MS = 2**31 - 1
"""The longest delay of a timer; a longer one fires at once."""


class WorkersClock:
    """The Worker's time. It may stand still while code computes."""

    def now_ms(self) -> int:
        return int(time.time() * 1000)

    async def sleep(self, seconds: float) -> None:
        """Wait without holding the object longer than that: a cancelled wait takes its timer back.

        `asyncio.sleep` leaves it, and the platform evicts no object with a timer.
        """
        left_ms = seconds * 1000
        while left_ms > LONGEST_TIMER_MS:
            await self._wait(LONGEST_TIMER_MS)
            left_ms -= LONGEST_TIMER_MS
        await self._wait(max(left_ms, 0))

    async def _wait(self, delay_ms: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        callback = create_proxy(lambda: None if woken.done() else woken.set_result(None))
        timer = js.setTimeout(callback, delay_ms)
        try:
            await woken
        finally:
            js.clearTimeout(timer)
            callback.destroy()


class WorkersEntropy:
    """The Worker's random numbers; there are none before the first event."""

    def random_bytes(self, size: int) -> bytes:
        return os.urandom(size)

    def random(self) -> float:
        return random.random()


class WorkersObjectId:
    """Which object this is."""

    def __init__(self, raw: Any) -> None:
        self.hex = str(raw.toString())
        name = getattr(raw, "name", None)
        self.name: str | None = name if isinstance(name, str) else None


class WorkersPlatform:
    """`agents_runtime._platform.ports.Platform` on Cloudflare Workers."""

    clock = WorkersClock()
    entropy = WorkersEntropy()
    is_debug = False

    def __init__(self, ctx: Any, env: Any) -> None:
        self._ctx = ctx
        self._raw = getattr(ctx, "_ctx", ctx)
        self._env = env

    @cached_property
    def id(self) -> WorkersObjectId:
        return WorkersObjectId(self._raw.id)

    @cached_property
    def sql(self) -> WorkersSqlStore:
        return WorkersSqlStore(self._raw.storage)

    @cached_property
    def kv(self) -> WorkersKeyValue:
        return WorkersKeyValue(self._raw.storage)

    @cached_property
    def alarm(self) -> WorkersAlarm:
        return WorkersAlarm(self._raw.storage, self.clock)

    @cached_property
    def sockets(self) -> WorkersSockets:
        return WorkersSockets(self._raw)

    @cached_property
    def facets(self) -> WorkersFacets:
        from agents_runtime._platform.workers.facets import WorkersFacets

        return WorkersFacets(self._raw)

    @property
    def fetch(self) -> Fetch:
        from agents_runtime._platform.workers.fetching import fetch_over_network

        return fetch_over_network

    @property
    def inner_identity(self) -> str | None:
        try:
            object_id = self._raw.id
        except AttributeError:
            raise UsageError(
                "this ctx is not the ctx of a Durable Object and has no storage: reach an agent by name, "
                "as in `await get_agent_by_name(env.NAME, name)`"
            ) from None
        return object_id if isinstance(object_id, str) else None

    def namespaces(self) -> Mapping[str, Any]:
        return namespaces_of(self._env)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(_logged(work))
        quiet: Any = task
        quiet._log_destroy_pending = False  # the platform drops what a life that was aborted waits for
        handle = create_proxy(task)
        task.add_done_callback(lambda _: handle.destroy())
        self._raw.waitUntil(handle)

    async def block_concurrency(self, work: Callable[[], Awaitable[T]]) -> T:
        result: T = await self._raw.blockConcurrencyWhile(work)
        return result

    async def committed(self) -> None:
        await self._raw.storage.sync()

    async def delete_all(self) -> None:
        storage = self._raw.storage
        self.alarm.forget()
        storage.deleteAlarm()
        await storage.deleteAll()

    def abort(self, reason: str, *, retry_alarm: bool = True) -> NoReturn:
        # The platform unwinds the stack at once, in the middle of the event loop, which breaks the whole isolate.
        # So Python ends first, by an exception that nothing catches, and the abort follows in a microtask.
        raw = self._raw
        options = js.Object.fromEntries([["retryAlarm", retry_alarm]])
        js.queueMicrotask(create_once_callable(lambda: raw.abort(reason, options)))
        raise Evicted(reason)


async def _logged(work: Coroutine[Any, Any, Any]) -> None:
    try:
        await work
    except Exception:  # nobody awaits background work
        logger.exception("background work failed")


def platform_of(ctx: Any, env: Any) -> WorkersPlatform:
    """The port for an object, from the `ctx` and `env` its constructor was given."""
    return WorkersPlatform(ctx, env)


def timing_of(env: Any) -> tuple[WorkersClock, WorkersEntropy]:
    """Time and chance for the code of a worker, outside any object."""
    return WorkersPlatform.clock, WorkersPlatform.entropy


def standalone(cls: type, env: Any = None) -> tuple[Any, Any]:
    """There are no throw-away objects on Workers."""
    raise UsageError(
        f"{cls.__name__}.create() without ctx works on a laptop only; on Workers reach an agent by name: "
        f"await get_agent_by_name(env.{cls.__name__}, name)"
    )
