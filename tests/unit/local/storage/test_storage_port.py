"""The port's storage over a local database."""

from __future__ import annotations

import pytest

from agents_runtime.local.storage.port import LocalKeyValue, LocalSqlStore
from agents_runtime.local.values import JsException


@pytest.fixture
def sql(database):
    return LocalSqlStore(database)


def test_rows_are_plain_dicts_with_friendly_values(sql):
    sql.execute("CREATE TABLE t (i INTEGER, x, b BLOB, f)")
    assert sql.execute("INSERT INTO t VALUES (?, ?, ?, ?)", 5, 1.5, b"ab", True) == []
    (row,) = sql.execute("SELECT *, typeof(i) AS kind, i / 2 AS half, NULL AS void FROM t")
    assert type(row) is dict
    assert row == {"i": 5, "x": 1.5, "b": b"ab", "f": 1, "kind": "integer", "half": 2, "void": None}
    assert type(row["f"]) is int


def test_an_int_reaches_sqlite_as_real_as_on_the_platform(sql):
    assert sql.execute("SELECT typeof(?) AS kind, ? / 2 AS half", 3, 3) == [{"kind": "real", "half": 1.5}]


def test_several_statements_and_returning(sql):
    rows = sql.execute("CREATE TABLE t (a); INSERT INTO t VALUES (?), (?) RETURNING a", 1, 2)
    assert rows == [{"a": 1}, {"a": 2}]


def test_mistakes_have_the_platforms_texts(sql):
    with pytest.raises(JsException, match="no such table: nope: SQLITE_ERROR"):
        sql.execute("SELECT * FROM nope")
    with pytest.raises(JsException, match="Wrong number of parameter bindings"):
        sql.execute("SELECT ?")
    with pytest.raises(JsException, match="SQLITE_AUTH"):
        sql.execute("SELECT * FROM _cf_METADATA")
    with pytest.raises(ValueError, match=r"json\.dumps"):
        sql.execute("SELECT ?", {"a": 1})


def test_text_that_cannot_be_written_still_gets_the_platforms_errors(sql):
    sql.execute("CREATE TABLE t (a UNIQUE)")
    sql.execute("INSERT INTO t VALUES (?)", "\ud800")
    with pytest.raises(JsException, match="UNIQUE constraint failed"):
        sql.execute("INSERT INTO t VALUES (?)", "\ud800")
    assert sql.execute("SELECT a FROM t WHERE a = '\ud800'") == [{"a": "\ufffd" * 3}]


def test_a_long_text_runs_like_a_short_one(sql):
    numbers = ",".join("1" for _ in range(4000))
    assert sql.execute(f"SELECT 1 IN ({numbers}) AS found; SELECT 2 AS last") == [{"last": 2}]


def test_a_transaction_is_all_or_nothing(sql):
    sql.execute("CREATE TABLE t (a)")

    def work():
        sql.execute("INSERT INTO t VALUES (1)")
        raise KeyError

    with pytest.raises(KeyError):
        sql.transaction(work)
    assert sql.transaction(lambda: sql.execute("SELECT count(*) AS n FROM t")) == [{"n": 0}]


def test_keys_share_the_turn_with_sql(sql, database, make):
    keys = LocalKeyValue(database)
    keys.put("a", {"x": [1]})
    sql.execute("CREATE TABLE t (a)")
    assert make.dirty == 1
    assert keys.get("a") == {"x": [1]}
    assert keys.get("b") is None
    database.rollback()
    assert keys.get("a") is None
    keys.put("a", 1)
    database.commit()
    assert keys.delete("a") is True
    assert keys.delete("a") is False
    assert database.is_dirty


def test_deleting_a_key_that_is_not_there_writes_nothing(database):
    assert LocalKeyValue(database).delete("a") is False
    assert not database.is_dirty
