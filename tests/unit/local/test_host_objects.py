"""Objects of the local host: waking, RPC, durability, eviction, abort."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents_runtime._platform.base import DurableObject, stream_response
from agents_runtime.errors import Evicted
from agents_runtime.local.clock import VirtualClock
from agents_runtime.local.host import Host
from agents_runtime.local.options import HostOptions
from agents_runtime.local.shim.request import Request
from agents_runtime.local.shim.response import Response
from agents_runtime.local.store import MemoryStore
from agents_runtime.local.values import JsException


class Counter(DurableObject):
    lives = 0

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        Counter.lives += 1
        self.in_memory = 0
        ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS counts (id INTEGER PRIMARY KEY, n INTEGER)")

    def _count(self):
        rows = self.ctx.storage.sql.exec("SELECT n FROM counts WHERE id = 1").toArray()
        return rows[0]["n"] if rows else 0

    async def increment(self, by=1):
        self.in_memory += by
        self.ctx.storage.sql.exec("INSERT OR REPLACE INTO counts VALUES (1, ?)", self._count() + by)
        return self._count()

    async def value(self):
        return self._count()

    def remembered(self):
        return self.in_memory

    def own_name(self):
        return self.ctx.id.name

    async def fail(self):
        self.ctx.storage.sql.exec("INSERT OR REPLACE INTO counts VALUES (1, 99)")
        raise ValueError("boom")

    async def give(self, value):
        value.append("changed by the callee")
        return value

    async def abort(self):
        self.ctx.storage.sql.exec("INSERT OR REPLACE INTO counts VALUES (1, 1000)")
        self.ctx.abort("enough")

    async def hang(self, started):
        await started()
        await asyncio.sleep(60)

    async def blocked(self):
        async def fail():
            raise RuntimeError("start-up failed")

        await self.ctx.blockConcurrencyWhile(fail)

    async def slow_critical(self):
        async def work():
            before = self._count()
            await asyncio.sleep(0.01)
            self.ctx.storage.sql.exec("INSERT OR REPLACE INTO counts VALUES (1, ?)", before + 1)

        await self.ctx.blockConcurrencyWhile(work)

    async def start_background(self):
        asyncio.get_running_loop().create_task(self._later())

    async def _later(self):
        await asyncio.sleep(0.05)
        await self.increment(10)

    async def fetch(self, request):
        if request.url.endswith("/stream"):
            return stream_response(self._chunks())
        if request.url.endswith("/raise"):
            raise ValueError("boom")
        return Response(f"{request.method} {await self.increment()}")

    async def _chunks(self) -> AsyncIterator[bytes]:
        for _ in range(3):
            yield str(await self.increment()).encode()

    async def ask(self, other, method):
        return await getattr(self.env.Counter.getByName(other), method)()


def make_host(**options) -> Host:
    host = Host(HostOptions(**options), clock=VirtualClock(), store=options.pop("store", None))
    host.bind(Counter)
    return host


@pytest.fixture
async def host():
    host = make_host()
    await host.start()
    yield host
    await host.stop(grace_s=1)


def counter(host: Host, name: str = "a"):
    return host.env.Counter.getByName(name)


async def test_a_method_is_called_with_copies_and_returns_a_copy(host):
    given = ["mine"]
    assert await counter(host).give(given) == ["mine", "changed by the callee"]
    assert given == ["mine"]


async def test_an_object_knows_its_name_and_names_are_separate(host):
    assert await counter(host, "a").increment() == 1
    assert await counter(host, "b").increment() == 1
    assert await counter(host, "b").own_name() == "b"
    assert await counter(host, "b").value() == 1


async def test_storage_survives_eviction_and_memory_does_not(host):
    stub = counter(host)
    await stub.increment(5)
    assert await stub.remembered() == 5
    assert await host.evict(stub.id)
    assert not host.is_live(stub.id)
    assert (await stub.value(), await stub.remembered()) == (5, 0)


async def test_an_idle_object_leaves_memory_after_the_timeout(host):
    stub = counter(host)
    await stub.increment()
    assert host.is_live(stub.id)
    while host.clock.step(host.clock.now_ms() + 9_999):
        pass
    assert host.is_live(stub.id)
    while host.clock.step(host.clock.now_ms() + 2):
        pass
    assert not host.is_live(stub.id)
    assert host.live_count() == 0


async def test_evicting_before_every_event_shows_what_lives_in_memory_only():
    host = make_host(evict_before_every_event=True)
    await host.start()
    await counter(host).increment(3)
    assert await counter(host).remembered() == 0
    assert await counter(host).value() == 3
    await host.stop()


async def test_a_remote_exception_arrives_as_text_and_its_writes_stay(host):
    with pytest.raises(JsException, match="ValueError: boom") as caught:
        await counter(host).fail()
    assert (caught.value.name, caught.value.__cause__) == ("PythonError", None)
    assert await counter(host).value() == 99


async def test_unknown_and_reserved_methods_are_refused(host):
    for name in ("nope", "ctx", "alarm", "in_memory"):
        with pytest.raises(JsException, match=name):
            await getattr(counter(host), name)()


async def test_abort_drops_memory_and_uncommitted_writes(host):
    stub = counter(host)
    await stub.increment()
    with pytest.raises(JsException, match="enough"):
        await stub.abort()
    assert await stub.value() == 1


async def test_a_crash_ends_the_events_in_progress_with_an_error(host):
    stub = counter(host)
    started = asyncio.Event()

    async def tell():
        started.set()

    hanging = asyncio.ensure_future(stub.hang(tell))
    await asyncio.wait_for(started.wait(), 1)
    host.crash(stub.id)
    with pytest.raises(JsException, match="crashed"):
        await asyncio.wait_for(hanging, 1)
    assert await stub.value() == 0


async def test_a_failing_block_resets_the_object(host):
    stub = counter(host)
    await stub.increment()
    lives = Counter.lives
    with pytest.raises(JsException, match="start-up failed"):
        await stub.blocked()
    assert await stub.value() == 1
    assert Counter.lives == lives + 1


async def test_events_wait_while_concurrency_is_blocked(host):
    await asyncio.gather(*(counter(host).slow_critical() for _ in range(4)))
    assert await counter(host).value() == 4


async def test_background_work_keeps_the_object_in_memory(host):
    stub = counter(host)
    await stub.start_background()
    assert not await host.evict(stub.id)
    await asyncio.sleep(0.1)
    assert await stub.value() == 10
    assert await host.evict(stub.id)


async def test_fetch_reaches_the_object_and_streams_its_answer(host):
    stub = counter(host)
    response = await stub.fetch("http://x/one", method="POST")
    assert await response.text() == "POST 1"
    response = await stub.fetch(Request("http://x/stream"))
    assert await response.text() == "234"


async def test_a_failing_fetch_raises_at_the_caller(host):
    with pytest.raises(JsException, match="boom"):
        await counter(host).fetch("http://x/raise")


async def test_objects_call_each_other(host):
    assert await counter(host, "a").ask("b", "increment") == 1
    with pytest.raises(JsException, match="boom"):
        await counter(host, "a").ask("b", "fail")


async def test_a_restart_finds_what_was_committed(tmp_path: Path):
    for expected in (1, 2, 3):
        host = make_host(data=tmp_path)
        await host.start()
        assert await counter(host).increment() == expected
        assert [object_id.name for object_id in host.ids(Counter)] == ["a"]
        await host.stop()
    host = make_host(data=tmp_path)
    assert [object_id.name for object_id in host.ids("Counter")] == ["a"]
    await host.stop()


async def test_a_memory_store_outlives_its_host():
    store = MemoryStore()
    for expected in (1, 2):
        host = Host(HostOptions(), clock=VirtualClock(), store=store)
        host.bind(Counter)
        await host.start()
        assert await counter(host).increment() == expected
        await host.stop()


async def test_few_databases_are_open_at_once(tmp_path: Path):
    host = make_host(data=tmp_path, max_open_databases=3, idle_timeout_s=None)
    await host.start()
    for number in range(10):
        await counter(host, str(number)).increment()
    assert host.live_count() == 10
    open_files = [actor for actor in host._actors.values() if actor.life and actor.life.database.is_open]
    assert len(open_files) <= 3
    assert [await counter(host, str(number)).increment() for number in range(10)] == [2] * 10
    assert await counter(host, "0").remembered() == 2
    await host.stop()


async def test_a_handle_kept_past_eviction_is_useless(host):
    kept = []
    stub = counter(host)
    await host.run_in(stub.id, lambda instance: kept.append(instance.ctx))
    await host.evict(stub.id)
    with pytest.raises(Evicted):
        kept[0].storage.sql.exec("INSERT INTO counts VALUES (2, 2)")


async def test_a_constructor_that_fails_is_tried_again_at_the_next_event():
    class Fragile(DurableObject):
        attempts = 0

        def __init__(self, ctx, env):
            Fragile.attempts += 1
            if Fragile.attempts == 1:
                raise RuntimeError("not today")
            super().__init__(ctx, env)

        async def hello(self):
            return "hello"

    host = Host(clock=VirtualClock())
    host.bind(Fragile)
    await host.start()
    with pytest.raises(JsException, match="not today"):
        await host.env.Fragile.getByName("a").hello()
    assert await host.env.Fragile.getByName("a").hello() == "hello"
    await host.stop()


async def test_ids_are_stable_belong_to_a_class_and_can_be_spelled(host):
    namespace = host.env.Counter
    assert namespace.idFromName("a") == namespace.idFromName("a") != namespace.idFromName("b")
    assert namespace.idFromString(namespace.idFromName("a").toString()) == namespace.idFromName("a")
    assert namespace.newUniqueId() != namespace.newUniqueId()
    assert namespace.jurisdiction("eu").idFromName("a") != namespace.idFromName("a")
    for wrong in ("", "zz" * 32, "ab" * 32, "ab"):
        with pytest.raises(JsException, match="Durable Object ID"):
            namespace.idFromString(wrong)
    unique = namespace.newUniqueId()
    assert await namespace.get(unique).own_name() is None


async def test_a_missing_binding_names_those_there_are(host):
    with pytest.raises(AttributeError, match="Counter"):
        _ = host.env.Missing
    assert getattr(host.env, "MISSING", "default") == "default"
