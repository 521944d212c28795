"""The texts of errors, with the place in the query."""

from __future__ import annotations

import sqlite3

import pytest

from agents_runtime.errors import Evicted
from agents_runtime.local.storage.messages import platform_error
from agents_runtime.local.storage.sql import SqlStorage
from agents_runtime.local.values import JsException


def message_of(query, *params):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a, b)")
    try:
        connection.execute(query, params)
    except sqlite3.Error as error:
        return platform_error(error, query).message
    finally:
        connection.close()
    raise AssertionError(f"{query} ran")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT a FROM t WHERE WHERE", 'near "WHERE": syntax error at offset 22: SQLITE_ERROR'),
        ("SELECT 'WHERE' FROM t WHERE a ORDER WHERE", 'near "WHERE": syntax error at offset 36: SQLITE_ERROR'),
        ("SELECT 'é', FROM t", 'near "FROM": syntax error at offset 13: SQLITE_ERROR'),
        ("SELECT a, 'nope', t.nope FROM t", "no such column: t.nope at offset 20: SQLITE_ERROR"),
        ('SELECT upper(1), "NoFunc"(1)', "no such function: NoFunc at offset 17: SQLITE_ERROR"),
        ("SELECT a FROM t, t AS u", "ambiguous column name: a at offset 7: SQLITE_ERROR"),
        ("INSERT INTO t VALUES (1)", "table t has 2 columns but 1 values were supplied: SQLITE_ERROR"),
        ("SELECT ?", "Wrong number of parameter bindings for SQL query."),
    ],
)
def test_the_place_is_found_again(query, message):
    assert message_of(query) == message


def test_a_cursor_whose_storage_was_closed_says_so(make, tmp_path):
    database = make(tmp_path / "x.sqlite")
    cursor = SqlStorage(database).exec("VALUES (1), (2), (3)")
    cursor.next()
    database.close()
    with pytest.raises(JsException, match="SQL cursor was closed"):
        cursor.next()


def test_a_cursor_of_an_ended_life_says_so(make):
    database = make()
    cursor = SqlStorage(database).exec("VALUES (1), (2), (3)")
    database.retire(Evicted("dropped"))
    with pytest.raises(JsException, match="SQL cursor was closed"):
        cursor.toArray()
