"""The port's SQL and key-value storage over one object's database: what the library's own code uses."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from agents_runtime._platform.ports import Row, SqlValue
from agents_runtime.local.storage.binding import bind_friendly, read_row_friendly
from agents_runtime.local.storage.database import Database
from agents_runtime.local.storage.execute import run, user_failure
from agents_runtime.local.storage.kv import KeyValueTable
from agents_runtime.local.values import JsValue

T = TypeVar("T")


class LocalSqlStore:
    """SQL in the friendly form: a bool is 0 or 1, bytes stay bytes, rows are plain dicts."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def execute(self, query: str, *params: SqlValue) -> list[Row]:
        """Run one statement and return its rows.

        Raises:
            ValueError: an int beyond 2**53 - 2 in size, or a value that is no `SqlValue`.
            JsException: SQLite refused.
            StorageError: the machine did.
        """
        cursor, statement = run(self._database, query, bind_friendly(params) if params else ())
        description = cursor.description
        if description is None:
            return []
        names = [column[0] for column in description]
        try:
            return [dict(zip(names, read_row_friendly(row), strict=True)) for row in cursor]
        except sqlite3.Error as error:
            raise user_failure(self._database, error, statement.text) from error

    @property
    def undone(self) -> int:
        """How many transactions inside a turn were undone in this life of the object."""
        return self._database.undone

    def transaction(self, work: Callable[[], T]) -> T:
        """Run `work` atomically: an exception rolls back its writes and is raised again. Nests."""
        return self._database.transaction(work)


class LocalKeyValue:
    """Small values by key, in the same database and the same commit as `LocalSqlStore`."""

    __slots__ = ("_table",)

    def __init__(self, database: Database) -> None:
        self._table = KeyValueTable(database)

    def get(self, key: str) -> JsValue:
        """The value of a key; None when it has none."""
        return self._table.get(key)

    def put(self, key: str, value: JsValue) -> None:
        """Store a copy of a value under a key."""
        self._table.put(key, value)

    def delete(self, key: str) -> bool:
        """Delete a key; whether it was there."""
        return self._table.delete(key)

    def keys(self, prefix: str) -> list[str]:
        """The keys that start with a text, in the order of their UTF-8 bytes."""
        return [key for key, _ in self._table.select({"prefix": prefix})]
