"""One object's database: turns, savepoints, opening and closing, the end of a life."""

from __future__ import annotations

import gc
import os
import sqlite3

import pytest

from agents_runtime.errors import Evicted, InternalError, StorageError
from agents_runtime.local.storage.port import LocalSqlStore


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_nothing_is_opened_or_written_before_the_first_use(make, tmp_path):
    database = make(tmp_path / "x.sqlite")
    database.commit()
    database.rollback()
    database.close()
    assert not database.is_open
    assert list(tmp_path.iterdir()) == []


def test_reading_creates_the_file_but_begins_nothing(make, tmp_path):
    database = make(tmp_path / "x.sqlite")
    assert database.get_meta("name") is None
    assert (tmp_path / "x.sqlite").exists()
    assert not database.is_dirty
    assert make.dirty == 0


def test_a_turn_begins_once_and_ends_with_commit_or_rollback(database, make):
    database.put_meta("a", 1)
    database.put_meta("b", "two")
    assert database.is_dirty
    assert make.dirty == 1
    database.commit()
    assert not database.is_dirty
    database.put_meta("a", 3)
    assert make.dirty == 2
    database.rollback()
    assert (database.get_meta("a"), database.get_meta("b")) == (1, "two")
    database.delete_meta("b")
    database.commit()
    assert database.get_meta("b") is None


def test_data_survives_closing(database):
    database.put_meta("name", "x")
    database.commit()
    database.close()
    database.close()
    assert not database.is_open
    assert database.get_meta("name") == "x"
    assert database.is_open


def test_closing_gives_back_every_descriptor_even_with_an_open_cursor(make, tmp_path):
    database = make(tmp_path / "x.sqlite")
    before = descriptors()
    store = LocalSqlStore(database)
    store.execute("CREATE TABLE t (a)")
    store.execute("INSERT INTO t VALUES (1), (2), (3)")
    database.commit()
    cursor = database.connection.execute("SELECT a FROM t")
    database.watch(cursor)
    assert cursor.fetchone() == (1,)
    assert descriptors() > before
    database.close()
    assert descriptors() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "x.sqlite"]


def test_closing_with_uncommitted_writes_is_a_bug(database):
    database.put_meta("a", 1)
    with pytest.raises(InternalError):
        database.close()
    database.rollback()
    database.close()


@pytest.mark.parametrize(("durability", "expected"), [("power", 2), ("process", 1)])
def test_durability_chooses_when_the_disk_is_synced(make, tmp_path, durability, expected):
    database = make(tmp_path / "x.sqlite", durability=durability)
    assert database.read("PRAGMA synchronous") == [(expected,)]
    assert database.read("PRAGMA journal_mode") == [("wal",)]
    assert database.read("PRAGMA page_size") == [(4096,)]
    assert database.read("PRAGMA foreign_keys") == [(1,)]


def test_another_program_can_read_the_file_while_it_is_open(make, tmp_path):
    database = make(tmp_path / "x.sqlite")
    database.put_meta("a", 1)
    database.commit()
    other = sqlite3.connect(tmp_path / "x.sqlite")
    assert other.execute("SELECT * FROM _cf_METADATA").fetchall() == [("a", 1)]
    other.close()


# Savepoints


def test_a_transaction_undoes_only_its_own_writes(database):
    database.put_meta("a", 1)

    def work():
        database.put_meta("a", 2)
        raise KeyError("mine")

    with pytest.raises(KeyError):
        database.transaction(work)
    assert database.get_meta("a") == 1
    assert database.is_dirty
    database.commit()
    assert database.get_meta("a") == 1


def test_transactions_nest_and_give_results(database):
    def inner(fails):
        database.put_meta("inner", int(fails))
        if fails:
            raise ValueError
        return "inner"

    def outer():
        database.put_meta("outer", 1)
        with pytest.raises(ValueError):
            database.transaction(lambda: inner(True))
        assert database.get_meta("inner") is None
        return database.transaction(lambda: inner(False))

    assert database.transaction(outer) == "inner"
    assert not database.has_savepoint
    database.commit()
    assert (database.get_meta("outer"), database.get_meta("inner")) == (1, 0)


def test_a_held_turn_is_not_committed_until_the_last_hold_ends(database, make):
    database.hold()
    database.hold()
    database.put_meta("a", 1)
    database.commit()
    assert database.is_dirty
    assert database.is_held
    database.unhold()
    database.commit()
    assert database.is_dirty
    assert make.dirty == 1
    database.unhold()
    assert make.dirty == 2
    database.commit()
    assert not database.is_dirty


# The end of a life


def test_after_the_end_of_its_life_a_handle_raises_the_reason(database):
    database.put_meta("kept", 1)
    database.commit()
    database.put_meta("lost", 1)
    reason = Evicted("dropped")
    database.retire(reason)
    assert not database.is_open
    for use in (lambda: database.get_meta("kept"), lambda: database.put_meta("a", 1), lambda: database.connection):
        with pytest.raises(Evicted) as caught:
            use()
        assert caught.value is reason
    database.commit()
    database.close()
    database.retire(reason)


def test_memory_is_handed_to_the_next_life(make):
    first = make()
    first.put_meta("kept", 1)
    first.commit()
    first.put_meta("lost", 1)
    first.retire(Evicted("dropped"))
    assert first.peek_meta("kept") == 1
    second = first.next_life(make.note)
    make.made.append(second)
    make.made.remove(first)
    assert second.get_meta("kept") == 1
    assert second.get_meta("lost") is None
    with pytest.raises(Evicted):
        first.get_meta("kept")
    with pytest.raises(Exception, match="SQLITE_AUTH"):
        LocalSqlStore(second).execute("SELECT * FROM _cf_METADATA")
    del first
    gc.collect()
    second.put_meta("kept", 2)
    second.commit()
    assert second.peek_meta("kept") == 2


def test_a_forgotten_database_closes_itself(make, tmp_path):
    before = descriptors()
    for path in (None, tmp_path / "x.sqlite"):
        database = make(path)
        database.put_meta("a", 1)
        connection = database.connection
        make.made.remove(database)
        del database
        gc.collect()
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
    assert descriptors() == before


def test_a_life_that_stored_nothing_can_be_followed_too(make):
    first = make()
    assert first.peek_meta("name") is None
    second = first.next_life(make.note)
    make.made.append(second)
    assert second.get_meta("name") is None


def test_destroy_leaves_no_file_and_no_data(database, tmp_path):
    database.put_meta("a", 1)
    database.commit()
    database.put_meta("a", 2)
    database.destroy()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert database.get_meta("a") is None


def test_emptying_keeps_what_the_host_knows_and_gives_the_space_back(make, tmp_path):
    path = tmp_path / "x.sqlite"
    database = make(path)
    database.put_meta("name", "x")
    database.put_meta("alarm_ms", 5)
    store = LocalSqlStore(database)
    store.execute("CREATE TABLE t (a)")
    store.execute("INSERT INTO t VALUES (?)", "x" * 500_000)
    database.commit()
    database.destroy_contents()
    database.commit()
    assert (database.get_meta("name"), database.get_meta("alarm_ms")) == ("x", None)
    database.close()
    assert path.stat().st_size < 50_000
    assert database.get_meta("name") == "x"


def test_emptying_can_be_undone_until_the_commit(database):
    store = LocalSqlStore(database)
    store.execute("CREATE TABLE t (a)")
    database.commit()
    database.destroy_contents()
    database.rollback()
    assert store.execute("SELECT count(*) AS n FROM t") == [{"n": 0}]


def test_size_counts_data_not_free_pages(database):
    empty = database.size_bytes
    store = LocalSqlStore(database)
    store.execute("CREATE TABLE t (a)")
    store.execute("INSERT INTO t VALUES (?)", "x" * 100_000)
    assert database.size_bytes >= empty + 100_000
    store.execute("DROP TABLE t")
    assert database.size_bytes < empty + 20_000


def test_a_bad_statement_of_the_host_is_a_storage_error_naming_the_file(database):
    with pytest.raises(StorageError, match="no such table: nope"):
        database.read("SELECT * FROM nope")
    with pytest.raises(StorageError, match="no such table: nope"):
        database.write("DELETE FROM nope")


def test_who_only_reads_leaves_no_file(make, tmp_path):
    path = tmp_path / "a" / "object.sqlite"
    database = make(path)
    assert database.get_meta("name") is None
    assert path.exists()
    database.close()
    assert list(path.parent.iterdir()) == []
    database.put_meta("name", "kept")
    database.commit()
    database.close()
    again = make(path)
    assert again.get_meta("name") == "kept"
    again.close()
    assert path.exists()


def test_what_was_rolled_back_leaves_no_file(make, tmp_path):
    path = tmp_path / "object.sqlite"
    database = make(path)
    database.put_meta("name", "lost")
    database.retire(RuntimeError("crash"))
    assert not path.exists()
