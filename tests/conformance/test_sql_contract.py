"""How `ctx.storage.sql` binds, reads, iterates and reports, on every platform."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import math
import uuid

import pytest


class Level(enum.IntEnum):
    HIGH = 3


class Colour(enum.StrEnum):
    RED = "red"


def stored(storage, value):
    """How SQLite holds a bound value: its type and its quoted form."""
    row = storage.sql.exec("SELECT typeof(?) AS kind, quote(?) AS text", value, value).one()
    return row.kind, row.text


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "null", "NULL"),
        (True, "text", "'true'"),
        (False, "text", "'false'"),
        (5, "real", "5.0"),
        (-1, "real", "-1.0"),
        (1.5, "real", "1.5"),
        (Level.HIGH, "real", "3.0"),
        (2**53 - 2, "real", "9007199254740990.0"),
        (math.nan, "null", "NULL"),
        (math.inf, "real", "Inf"),
        ("text", "text", "'text'"),
        (Colour.RED, "text", "'red'"),
        (b"ab", "blob", "X'6162'"),
        (memoryview(b"ab"), "blob", "X'6162'"),
        ([1], "text", "'1'"),
        ([1, [None, True], "x"], "text", "'1,,true,x'"),
        ({"a": 1}, "text", "'[object Object]'"),
        ({1}, "text", "'[object Set]'"),
        (decimal.Decimal("1.50"), "text", "'1.50'"),
        (uuid.UUID(int=1), "text", "'00000000-0000-0000-0000-000000000001'"),
    ],
    ids=repr,
)
async def test_binding(storage, value, kind, text):
    actual_kind, actual_text = stored(storage, value)
    assert actual_kind == kind
    if kind == "real":
        assert actual_text == text or float(actual_text.replace("Inf", "inf").replace("9.0e+999", "inf")) == float(text)
    else:
        assert actual_text == text


async def test_a_datetime_binds_as_the_text_of_a_date(storage):
    moment = dt.datetime(2026, 1, 1, 2, 3, 4, tzinfo=dt.UTC)
    assert stored(storage, moment) == ("text", "'Thu Jan 01 2026 02:03:04 GMT+0000 (Coordinated Universal Time)'")


@pytest.mark.parametrize("value", [2**53 - 1, -(2**53) + 1, 2**70])
async def test_an_int_beyond_the_exact_range_is_refused(storage, js_error, value):
    with pytest.raises(js_error) as caught:
        storage.sql.exec("SELECT ?", value)
    assert caught.value.name == "TypeError"
    assert caught.value.message == "Cannot convert a BigInt value to a number"


@pytest.mark.parametrize("value", [(1, 2), bytearray(b"x")], ids=["tuple", "bytearray"])
async def test_types_that_cannot_cross_are_refused(storage, value):
    with pytest.raises(TypeError, match="cannot be sent over RPC"):
        storage.sql.exec("SELECT ?", value)


async def test_lone_surrogates_are_replaced_and_nul_is_kept(storage):
    row = storage.sql.exec("SELECT ? AS a, hex(?) AS b", "x\ud800y", "a\0b").one()
    assert row.a == "x\ufffd\ufffd\ufffdy"
    assert row.b == "610062"


async def test_affinity_decides_what_becomes_of_a_bound_int(storage):
    sql = storage.sql
    sql.exec("CREATE TABLE t (i INTEGER, r REAL, t TEXT, b BLOB, n NUMERIC, x)")
    sql.exec("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", 5, 5, 5, 5, 5, 5)
    sql.exec("INSERT INTO t VALUES (5, 5, 5, 5, 5, 5)")
    query = "SELECT typeof(i), typeof(r), typeof(t), typeof(b), typeof(n), typeof(x), t FROM t ORDER BY rowid"
    bound, literal = sql.exec(query).raw()
    assert bound == ["integer", "real", "text", "real", "integer", "real", "5.0"]
    assert literal == ["integer", "real", "text", "integer", "integer", "integer", "5"]
    assert list(sql.exec("SELECT ?/2, json_array(?)", 3, 7).raw()) == [[1.5, "[7.0]"]]


async def test_reading(storage):
    query = "SELECT 7 AS a, 2.0 AS b, 2.5 AS c, 9e999 AS d, 'x' AS e, NULL AS f, x'6162' AS g"
    row = storage.sql.exec(query).one()
    assert (row.a, row.b, row.c, row.d, row.e, row.f) == (7, 2, 2.5, math.inf, "x", None)
    assert [type(value) for value in (row.a, row.b, row.c, row.d)] == [int, int, float, float]
    assert isinstance(row.g, memoryview)
    assert bytes(row.g) == b"ab"


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1])
async def test_the_largest_exact_integers_read_as_int(storage, number):
    ((value,),) = storage.sql.exec(f"SELECT {number}").raw()
    assert (value, type(value)) == (number, int)


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**63 - 1])
async def test_larger_integers_read_as_a_rounded_float(storage, number):
    ((value,),) = storage.sql.exec(f"SELECT {number}").raw()
    assert (value, type(value)) == (float(number), float)


async def test_rows_have_attributes_and_keys_and_keep_the_last_of_equal_names(storage):
    cursor = storage.sql.exec("SELECT 1 AS a, 2 AS a, 3 AS items")
    row = cursor.one()
    assert row == {"a": 2, "items": 3}
    assert row["items"] == 3
    assert row.a == 2
    assert cursor.columnNames == ["a", "a", "items"]
    assert list(storage.sql.exec("SELECT 1 AS a, 2 AS a").raw()) == [[1, 2]]


async def test_one_wants_exactly_one_row(storage, js_error):
    with pytest.raises(js_error) as none:
        storage.sql.exec("SELECT 1 WHERE 0").one()
    assert none.value.message == "Expected exactly one result from SQL query, but got no results."
    with pytest.raises(js_error) as many:
        storage.sql.exec("VALUES (1), (2), (3)").one()
    assert many.value.message == "Expected exactly one result from SQL query, but got multiple results."


async def test_next_gives_rows_then_done_and_leaves_the_rest_to_others(storage):
    cursor = storage.sql.exec("VALUES (1), (2), (3)")
    first = cursor.next()
    assert (first.done, first.value) == (False, {"column1": 1})
    assert cursor.toArray() == [{"column1": 2}, {"column1": 3}]
    assert cursor.next().done is True
    assert cursor.toArray() == []


async def test_a_cursor_sees_only_what_it_buffered_when_rows_go_away(storage):
    storage.sql.exec("CREATE TABLE t (a)")
    storage.sql.exec("INSERT INTO t VALUES (1), (2), (3)")
    cursor = storage.sql.exec("SELECT * FROM t")
    storage.sql.exec("DELETE FROM t")
    assert cursor.toArray() == [{"a": 1}]


async def test_a_table_in_use_by_an_open_cursor_cannot_be_dropped(storage, js_error):
    storage.sql.exec("CREATE TABLE t (a)")
    storage.sql.exec("INSERT INTO t VALUES (1), (2), (3)")
    cursor = storage.sql.exec("SELECT * FROM t")
    cursor.next()
    with pytest.raises(js_error) as locked:
        storage.sql.exec("DROP TABLE t")
    assert locked.value.message == "database table is locked: SQLITE_LOCKED"
    cursor.toArray()
    storage.sql.exec("DROP TABLE t")


async def test_a_cursor_outlives_the_commit_of_its_turn(storage):
    storage.sql.exec("CREATE TABLE t (a)")
    storage.sql.exec("INSERT INTO t VALUES (1), (2), (3)")
    cursor = storage.sql.exec("SELECT * FROM t")
    cursor.next()
    await storage.sync()
    storage.sql.exec("INSERT INTO t VALUES (9)")
    assert [row.a for row in cursor] == [2, 3, 9]


async def test_a_cursor_does_not_outlive_a_rollback(storage, js_error):
    storage.sql.exec("CREATE TABLE t (a)")
    storage.sql.exec("INSERT INTO t VALUES (1), (2), (3)")
    cursor = storage.sql.exec("SELECT * FROM t")
    cursor.next()

    def work():
        storage.sql.exec("INSERT INTO t VALUES (4)")
        raise ValueError

    with pytest.raises(ValueError):
        storage.transactionSync(work)
    with pytest.raises(js_error) as caught:
        cursor.toArray()
    assert caught.value.message == "abort due to ROLLBACK: SQLITE_ABORT (extended: SQLITE_ABORT_ROLLBACK)"


async def test_raw_can_be_iterated_and_stepped_but_is_no_python_iterator(storage):
    raw = storage.sql.exec("VALUES (1), (2)").raw()
    with pytest.raises(TypeError):
        next(raw)
    first = raw.next()
    assert (first.done, first.value) == (False, [1])
    assert list(raw) == [[2]]
    assert raw.next().done is True


async def test_the_same_text_may_be_open_twice(storage):
    query = "VALUES (1), (2)"
    first, second = storage.sql.exec(query), storage.sql.exec(query)
    assert [first.next().value, second.next().value] == [{"column1": 1}] * 2
    assert first.toArray() == second.toArray() == [{"column1": 2}]


async def test_an_insert_with_returning_has_happened_before_its_rows_are_read(storage):
    storage.sql.exec("CREATE TABLE t (a)")
    cursor = storage.sql.exec("INSERT INTO t VALUES (1), (2) RETURNING a")
    assert storage.sql.exec("SELECT count(*) AS n FROM t").one().n == 2
    assert cursor.toArray() == [{"a": 1}, {"a": 2}]
    await storage.sync()
    assert storage.sql.exec("INSERT INTO t VALUES (3) RETURNING a").next().value.a == 3
    await storage.sync()


async def test_counters(storage):
    sql = storage.sql
    sql.exec("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE, c)")
    assert sql.exec("INSERT INTO t (b, c) VALUES ('a', 1)").rowsWritten == 2
    assert sql.exec("INSERT INTO t (b, c) VALUES ('b', 1), ('c', 2)").rowsWritten == 4
    cursor = sql.exec("SELECT * FROM t")
    cursor.toArray()
    assert (cursor.rowsRead, cursor.rowsWritten) == (3, 0)
    update = sql.exec("UPDATE t SET c = 9")
    assert (update.rowsRead, update.rowsWritten) == (3, 3)
    delete = sql.exec("DELETE FROM t WHERE a = 1")
    assert (delete.rowsRead, delete.rowsWritten) == (1, 1)
    literal = sql.exec("SELECT 1")
    literal.toArray()
    assert literal.rowsRead == 0
    sql.exec("CREATE TABLE k (id TEXT PRIMARY KEY, v) WITHOUT ROWID")
    assert sql.exec("INSERT INTO k VALUES ('a', 1)").rowsWritten == 1


async def test_the_size_counts_the_data(storage):
    storage.sql.exec("CREATE TABLE t (a)")
    storage.sql.exec("INSERT INTO t VALUES (?)", "x" * 100_000)
    assert storage.sql.databaseSize > 100_000  # read once: on Workers the first answer is kept


async def test_a_value_may_have_two_million_bytes_and_no_more_than_the_limit(storage, js_error):
    storage.sql.exec("CREATE TABLE t (a)")
    storage.sql.exec("INSERT INTO t VALUES (?)", "x" * 2_000_000)
    assert storage.sql.exec("SELECT length(a) AS n FROM t").one().n == 2_000_000
    with pytest.raises(js_error) as caught:
        storage.sql.exec("INSERT INTO t VALUES (?)", "x" * 9_000_000)
    assert caught.value.message == "string or blob too big: SQLITE_TOOBIG"


async def test_full_text_search_works(storage):
    storage.sql.exec("CREATE VIRTUAL TABLE f USING fts5(body)")
    storage.sql.exec("INSERT INTO f VALUES (?), (?)", "hello world", "good night")
    query = "SELECT highlight(f, 0, '<', '>') AS text, bm25(f) < 0 AS ranked FROM f WHERE f MATCH ?"
    assert storage.sql.exec(query, "world").toArray() == [{"text": "hello <world>", "ranked": 1}]


async def test_strict_tables_json_and_upserts_work(storage):
    storage.sql.exec("CREATE TABLE s (k TEXT PRIMARY KEY, n INTEGER NOT NULL, j TEXT) STRICT")
    upsert = "INSERT INTO s VALUES (?, ?, ?) ON CONFLICT (k) DO UPDATE SET n = n + excluded.n RETURNING n"
    assert storage.sql.exec(upsert, "a", 1, '{"x":[1,2]}').one().n == 1
    assert storage.sql.exec(upsert, "a", 4, "{}").one().n == 5
    assert storage.sql.exec("SELECT j ->> '$.x[1]' AS v FROM s").one().v == 2


async def test_the_rows_of_the_host_cannot_be_read_or_written(storage, js_error):
    storage.kv.put("secret", 1)
    attempts = (
        "SELECT * FROM _cf_KV",
        "SELECT value FROM _cf_KV WHERE key = ?",
        "INSERT OR REPLACE INTO _cf_KV VALUES (?, ?)",
        "DELETE FROM _cf_KV WHERE key = ?",
        "DROP TABLE _cf_KV",
        "CREATE TRIGGER tr AFTER INSERT ON _cf_KV BEGIN SELECT 1; END",
        "CREATE TABLE copy AS SELECT * FROM _CF_kv",
    )
    for query in attempts:
        with pytest.raises(js_error, match="SQLITE_AUTH"):
            storage.sql.exec(query, *["x"] * query.count("?"))
    assert storage.kv.get("secret") == 1


async def test_a_view_on_the_hosts_rows_cannot_be_read(storage, js_error):
    storage.kv.put("secret", 1)
    try:
        storage.sql.exec("CREATE VIEW v AS SELECT * FROM _cf_KV")
    except js_error:
        return
    with pytest.raises(js_error, match="SQLITE_AUTH"):
        storage.sql.exec("SELECT * FROM v")
