"""What `ctx.storage` asks of its host: the alarm, the closed gate, the commit."""

from __future__ import annotations

import asyncio

import pytest

from agents_runtime.errors import Evicted, StorageError
from agents_runtime.local.storage.storage import DurableObjectStorage
from agents_runtime.local.values import JsException


class Host:
    """Records what the storage asks for."""

    def __init__(self):
        self.when_ms = None
        self.log = []

    def get_ms(self):
        return self.when_ms

    def set_ms(self, when_ms):
        self.log.append(("alarm", when_ms))
        self.when_ms = when_ms

    async def block_concurrency(self, work):
        self.log.append("closed")
        try:
            return await work()
        except Exception:
            self.log.append("reset")
            raise
        finally:
            self.log.append("open")

    async def committed(self):
        self.log.append("committed")


@pytest.fixture
def host():
    return Host()


@pytest.fixture
def storage(database, host):
    return DurableObjectStorage(database, host, host.block_concurrency)


async def test_a_failing_transaction_does_not_reset_the_object(storage, host):
    async def work(txn):
        raise ValueError

    with pytest.raises(JsException):
        await storage.transaction(work)
    assert host.log == ["closed", "open"]


async def test_a_transaction_holds_the_turn_open_over_other_turns(storage, database, make):
    async def work(txn):
        await txn.put("a", 1)
        database.commit()
        await asyncio.sleep(0)
        database.commit()
        assert database.is_held
        assert database.is_dirty
        await txn.put("b", 2)

    await storage.transaction(work)
    assert not database.is_held
    assert database.is_dirty
    assert make.dirty == 2
    database.commit()
    assert await storage.list() == {"a": 1, "b": 2}


async def test_a_cancelled_transaction_is_undone(storage, database):
    started = asyncio.Event()

    async def work(txn):
        await txn.put("a", 1)
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(storage.transaction(work))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not database.is_held
    assert await storage.get("a") is None


async def test_a_transaction_whose_object_is_dropped_ends_with_the_reason(storage, database):
    started, go_on = asyncio.Event(), asyncio.Event()

    async def work(txn):
        await txn.put("a", 1)
        started.set()
        await go_on.wait()
        await txn.put("b", 2)

    task = asyncio.create_task(storage.transaction(work))
    await started.wait()
    database.retire(Evicted("dropped"))
    go_on.set()
    with pytest.raises(Evicted):
        await task


async def test_an_undone_turn_fails_the_transaction_and_resets_the_object(storage, host):
    storage.sql.exec("CREATE TABLE t (a UNIQUE)")
    storage.sql.exec("INSERT INTO t VALUES (1)")

    async def work(txn):
        with pytest.raises(StorageError):
            storage.sql.exec("INSERT OR ROLLBACK INTO t VALUES (1)")

    with pytest.raises(StorageError):
        await storage.transaction(work)
    assert "reset" in host.log


async def test_sync_commits_or_waits_for_the_host(storage, database, host):
    storage.kv.put("a", 1)
    await storage.sync()
    assert not database.is_dirty
    hosted = DurableObjectStorage(database, host, host.block_concurrency, host.committed)
    hosted.kv.put("a", 2)
    await hosted.sync()
    assert host.log == ["committed"]
    assert database.is_dirty


async def test_sync_inside_a_transaction_waits_for_nothing(storage, database, host):
    hosted = DurableObjectStorage(database, host, host.block_concurrency, host.committed)

    async def work(txn):
        await txn.put("a", 1)
        await hosted.sync()

    await hosted.transaction(work)
    assert "committed" not in host.log


async def test_delete_all_clears_the_alarm_of_the_host(storage, host):
    await storage.setAlarm(5)
    await storage.deleteAll()
    assert host.log == [("alarm", 5), ("alarm", None)]


async def test_a_new_listing_ends_the_one_before(storage):
    storage.kv.put("a", 1)
    storage.kv.put("b", 2)
    first = storage.kv.list()
    assert first.next().value == ["a", 1]
    assert list(storage.kv.list()) == [["a", 1], ["b", 2]]
    with pytest.raises(JsException, match="one at a time"):
        first.next()


async def test_awaiting_lets_nothing_else_run(storage):
    seen = []

    async def other():
        seen.append("other")

    task = asyncio.get_running_loop().create_task(other())
    value = await storage.get("n")
    await storage.put("n", (value or 0) + 1)
    await storage.list()
    await storage.delete("x")
    assert seen == []
    await task


async def test_a_past_alarm_is_taken(storage, host):
    await storage.setAlarm(1)
    assert host.when_ms == 1


async def test_a_cursor_cannot_be_given_back_by_a_transaction(storage):
    with pytest.raises(TypeError, match="return its rows"):
        storage.transactionSync(lambda: storage.sql.exec("SELECT 1"))


@pytest.mark.parametrize("read", [lambda cursor: None, lambda cursor: cursor.next()], ids=["none", "some"])
async def test_unread_rows_of_a_returning_fail_the_turn_as_on_workers(storage, database, read):
    storage.sql.exec("CREATE TABLE t (a)")
    database.commit()
    read(storage.sql.exec("INSERT INTO t VALUES (1), (2) RETURNING a"))
    with pytest.raises(StorageError, match=r"RETURNING has rows that nobody read.*toArray\(\)"):
        database.commit()
    database.rollback()
    assert storage.sql.exec("SELECT count(*) AS n FROM t").one().n == 0


async def test_unread_rows_of_a_returning_fail_the_transaction_around_it(storage, database):
    storage.sql.exec("CREATE TABLE t (a)")

    def work():
        storage.sql.exec("INSERT INTO t VALUES (1) RETURNING a")

    with pytest.raises(StorageError, match="RETURNING"):
        storage.transactionSync(work)
    database.commit()
    assert storage.sql.exec("SELECT count(*) AS n FROM t").one().n == 0


async def test_one_reads_a_returning_to_the_end(storage, database):
    storage.sql.exec("CREATE TABLE t (a)")
    with pytest.raises(JsException, match="multiple results"):
        storage.sql.exec("INSERT INTO t VALUES (1), (2), (3) RETURNING a").one()
    assert storage.sql.exec("INSERT INTO t VALUES (4) RETURNING a").one().a == 4
    assert storage.sql.exec("DELETE FROM t WHERE a > 9 RETURNING a").toArray() == []
    storage.sql.exec("UPDATE t SET a = 0 WHERE a > 9 RETURNING a")
    database.commit()


async def test_putting_several_is_all_or_nothing(storage):
    with pytest.raises(TypeError):
        await storage.put({"a": 1, "b": (2,)})
    assert await storage.list() == {}


@pytest.mark.parametrize("call", ["getCurrentBookmark", "getBookmarkForTime", "onNextSessionRestoreBookmark"])
async def test_bookmarks_say_where_they_exist(storage, call):
    arguments = () if call == "getCurrentBookmark" else (0,)
    with pytest.raises(JsException, match="on Workers only"):
        getattr(storage, call)(*arguments)
