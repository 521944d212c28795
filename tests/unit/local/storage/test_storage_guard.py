"""What user SQL may and may not do, on a real connection."""

from __future__ import annotations

import sqlite3

import pytest

from agents_runtime.local.storage.guard import Guard, is_reserved, missing_functions


@pytest.fixture
def connection():
    opened = sqlite3.connect(":memory:", isolation_level=None)
    opened.execute("CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
    opened.execute("CREATE TABLE t (a PRIMARY KEY, b)")
    guard = Guard()
    guard.apply(opened)
    guard.is_trusted = False
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM t",
        "CREATE TABLE u AS SELECT * FROM t",
        "CREATE INDEX i ON t (b)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END",
        "ALTER TABLE t ADD COLUMN c",
        "ALTER TABLE t RENAME COLUMN b TO c",
        "ALTER TABLE t DROP COLUMN b",
        "DROP TABLE t",
        "REINDEX t",
        "ANALYZE",
        "CREATE VIRTUAL TABLE f USING fts5(x)",
        "CREATE VIRTUAL TABLE r USING RTREE(id, a, b)",
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3) SELECT * FROM c",
        "SELECT row_number() OVER () FROM t",
        "SELECT value FROM json_each('[1]')",
        "PRAGMA table_list",
        "PRAGMA table_info(t)",
        "PRAGMA table_xinfo('t')",
        "PRAGMA index_list(t)",
        "PRAGMA data_version",
        "PRAGMA page_size",
        "PRAGMA foreign_keys",
        "PRAGMA foreign_keys = ON",
        "PRAGMA case_sensitive_like = 'true'",
        "PRAGMA recursive_triggers = 0",
        "PRAGMA foreign_key_check",
        "PRAGMA foreign_key_check(t)",
        "PRAGMA quick_check",
        "PRAGMA quick_check(5)",
        "PRAGMA optimize",
        "PRAGMA optimize(2)",
    ],
)
def test_allowed(connection, statement):
    connection.execute(statement).fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM _cf_KV",
        "SELECT key FROM _CF_kv",
        "INSERT INTO _cf_KV VALUES (1, 2)",
        "UPDATE _cf_KV SET value = 1",
        "DELETE FROM _cf_KV",
        "DROP TABLE _cf_KV",
        "CREATE TABLE _cf_mine (a)",
        "CREATE VIEW _cf_v AS SELECT 1",
        "CREATE INDEX _cf_i ON t (b)",
        "CREATE INDEX i ON _cf_KV (value)",
        "CREATE TRIGGER tr AFTER INSERT ON _cf_KV BEGIN SELECT 1; END",
        "CREATE TRIGGER _cf_tr AFTER INSERT ON t BEGIN SELECT 1; END",
        "ALTER TABLE _cf_KV RENAME TO mine",
        "CREATE VIRTUAL TABLE _cf_f USING fts5(x)",
        "CREATE VIRTUAL TABLE d USING dbstat",
        "CREATE TEMP TABLE x (a)",
        "CREATE TEMP VIEW x AS SELECT 1",
        "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "BEGIN",
        "SAVEPOINT x",
        "SELECT sqlite_version()",
        "SELECT sqlite_compileoption_get(0)",
        "PRAGMA user_version",
        "PRAGMA journal_mode",
        "PRAGMA writable_schema = ON",
        "PRAGMA page_size = 1024",
        "PRAGMA data_version = 1",
        "PRAGMA foreign_keys = maybe",
        "PRAGMA optimize(x)",
        "PRAGMA table_info",
        "PRAGMA table_info(_cf_KV)",
        "PRAGMA quick_check(_cf_KV)",
        "PRAGMA foreign_key_check(_cf_KV)",
        "PRAGMA database_list",
        "PRAGMA function_list",
    ],
)
def test_refused(connection, statement):
    with pytest.raises(sqlite3.DatabaseError, match=r"not authorized|prohibited|no such module"):
        connection.execute(statement).fetchall()


def test_the_host_itself_may_do_everything():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    Guard().apply(connection)
    connection.execute("CREATE TABLE _cf_x (a)")
    connection.execute("PRAGMA user_version = 3")
    assert connection.execute("SELECT sqlite_version() <> ''").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize("name", ["_cf_KV", "_CF_x", "_cf_"])
def test_reserved_names(name):
    assert is_reserved(name)


@pytest.mark.parametrize("name", [None, "", "cf_agents_state", "_c", "x_cf_"])
def test_free_names(name):
    assert not is_reserved(name)


def test_functions_are_added_only_where_sqlite_lacks_them():
    plain = sqlite3.connect(":memory:")
    for name, _, _ in missing_functions():
        with pytest.raises(sqlite3.OperationalError, match="no such function"):
            plain.execute(f"SELECT {name}('a')")
    plain.close()
