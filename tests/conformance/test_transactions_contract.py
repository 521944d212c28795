"""Transactions, deleteAll and the alarm of `ctx.storage`, on every platform."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest


def rows(storage):
    return [row.a for row in storage.sql.exec("SELECT a FROM t ORDER BY a")]


async def test_transaction_sync_returns_the_result_and_keeps_the_writes(storage):
    result = {"r": 1}

    def work():
        storage.sql.exec("CREATE TABLE t (a)")
        storage.sql.exec("INSERT INTO t VALUES (1)")
        storage.kv.put("k", 1)
        return result

    assert storage.transactionSync(work) is result
    assert rows(storage) == [1]


async def test_transaction_sync_undoes_everything_and_raises_the_very_exception(storage):
    storage.sql.exec("CREATE TABLE t (a)")
    error = KeyError("mine")

    def work():
        storage.sql.exec("INSERT INTO t VALUES (1)")
        storage.kv.put("k", 1)
        raise error

    with pytest.raises(KeyError) as caught:
        storage.transactionSync(work)
    assert caught.value is error
    assert rows(storage) == []
    assert storage.kv.get("k") is None


async def test_an_inner_failure_loses_only_the_inner_rows(storage):
    storage.sql.exec("CREATE TABLE t (a)")

    def inner():
        storage.sql.exec("INSERT INTO t VALUES (2)")
        raise ValueError

    def outer():
        storage.sql.exec("INSERT INTO t VALUES (1)")
        with pytest.raises(ValueError):
            storage.transactionSync(inner)
        storage.transactionSync(lambda: storage.sql.exec("INSERT INTO t VALUES (3)").toArray())

    storage.transactionSync(outer)
    assert rows(storage) == [1, 3]


async def test_a_failed_statement_inside_a_transaction_can_be_survived(storage, js_error):
    storage.sql.exec("CREATE TABLE t (a UNIQUE)")

    def work():
        storage.sql.exec("INSERT INTO t VALUES (1)")
        with pytest.raises(js_error):
            storage.sql.exec("INSERT INTO t VALUES (1)")
        storage.sql.exec("INSERT INTO t VALUES (2)")

    storage.transactionSync(work)
    assert rows(storage) == [1, 2]


async def test_an_async_transaction_keeps_its_writes_and_gives_its_result(storage):
    storage.sql.exec("CREATE TABLE t (a)")

    async def work(txn):
        await txn.put("k", 1)
        assert await txn.get("k") == 1
        await asyncio.sleep(0)
        storage.sql.exec("INSERT INTO t VALUES (1)")
        return "done"

    assert await storage.transaction(work) == "done"
    assert rows(storage) == [1]
    assert await storage.get("k") == 1


async def test_an_async_transaction_undoes_its_writes_and_raises_a_python_error(storage, js_error):
    storage.sql.exec("CREATE TABLE t (a)")

    async def work(txn):
        storage.sql.exec("INSERT INTO t VALUES (1)")
        await txn.put("k", 1)
        await asyncio.sleep(0)
        raise ValueError("boom")

    with pytest.raises(js_error) as caught:
        await storage.transaction(work)
    assert caught.value.name == "PythonError"
    assert caught.value.message.rstrip().endswith("ValueError: boom")
    assert rows(storage) == []
    assert await storage.get("k") is None


async def test_an_async_transaction_can_be_rolled_back_by_hand_and_is_over_then(storage, js_error):
    async def work(txn):
        await txn.put("k", 1)
        txn.rollback()
        with pytest.raises(js_error):
            await txn.put("k", 2)
        return "ended well"

    assert await storage.transaction(work) == "ended well"
    assert await storage.get("k") is None


async def test_a_transaction_that_has_ended_cannot_be_used(storage, js_error):
    kept = []

    async def work(txn):
        kept.append(txn)

    await storage.transaction(work)
    with pytest.raises(js_error):
        await kept[0].put("k", 1)


async def test_async_transactions_take_turns(storage):
    storage.kv.put("n", 0)
    started = []

    async def increment(txn):
        started.append(1)
        value = await txn.get("n")
        await asyncio.sleep(0)
        await txn.put("n", value + 1)

    await asyncio.gather(*(storage.transaction(increment) for _ in range(5)))
    assert storage.kv.get("n") == len(started) == 5


async def test_async_transactions_nest(storage, js_error):
    async def failing(txn):
        await txn.put("inner", 1)
        raise ValueError

    async def outer(txn):
        await txn.put("outer", 1)
        with pytest.raises(js_error):
            await storage.transaction(failing)

    await storage.transaction(outer)
    assert await storage.list() == {"outer": 1}


async def test_a_transaction_needs_a_function_of_one_argument(storage, js_error):
    async def work():
        """Takes no transaction."""

    with pytest.raises(js_error, match="TypeError"):
        await storage.transaction(work)


async def test_delete_all_leaves_nothing_and_the_storage_usable(storage):
    sql = storage.sql
    sql.exec("CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, other REFERENCES child(id))")
    sql.exec("CREATE TABLE child (id INTEGER PRIMARY KEY, p REFERENCES parent(id), self REFERENCES child(id))")
    sql.exec("INSERT INTO parent (id) VALUES (1)")
    sql.exec("INSERT INTO child VALUES (1, 1, 1)")
    sql.exec("UPDATE parent SET other = 1")
    sql.exec("CREATE INDEX i ON child (p)")
    sql.exec("CREATE VIEW v AS SELECT * FROM child")
    sql.exec("CREATE TRIGGER tr AFTER DELETE ON child BEGIN INSERT INTO child VALUES (9, 1, 9); END")
    sql.exec('CREATE TABLE "odd "" name" (a)')
    sql.exec("CREATE VIRTUAL TABLE f USING fts5(body)")
    sql.exec("INSERT INTO f VALUES ('x')")
    sql.exec("ANALYZE")
    storage.kv.put("k", 1)
    await storage.setAlarm(4_102_444_800_000)
    await storage.sync()

    await storage.deleteAll()
    await storage.sync()

    names = [row.name for row in sql.exec("SELECT name FROM sqlite_master")]
    assert [name for name in names if not name.startswith(("_cf_", "sqlite_"))] == []
    assert await storage.list() == {}
    assert await storage.getAlarm() is None
    sql.exec("CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    assert sql.exec("INSERT INTO parent DEFAULT VALUES RETURNING id").one().id == 1
    storage.kv.put("k", 2)
    assert await storage.get("k") == 2


async def test_delete_all_is_refused_within_a_transaction(storage, js_error):
    with pytest.raises(js_error):
        storage.transactionSync(lambda: storage.deleteAll())


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (4_102_444_800_000, 4_102_444_800_000),
        (4_102_444_800_000.7, 4_102_444_800_000),
        (dt.datetime(2100, 1, 1, tzinfo=dt.UTC), 4_102_444_800_000),
        (dt.datetime(2100, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))), 4_102_444_800_000),
    ],
    ids=repr,
)
async def test_alarm(storage, when, expected):
    assert await storage.getAlarm() is None
    await storage.setAlarm(when)
    alarm = await storage.getAlarm()
    assert (alarm, type(alarm)) == (expected, int)
    await storage.deleteAlarm()
    assert await storage.getAlarm() is None


@pytest.mark.parametrize("when", [0, -5, 0.5, 10**17, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)], ids=repr)
async def test_alarm_times_that_cannot_be(storage, js_error, when):
    with pytest.raises(js_error) as caught:
        await storage.setAlarm(when)
    assert caught.value.name == "TypeError"
    assert await storage.getAlarm() is None
