"""`ctx.storage.sql`: SQL exactly as strict as on Workers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from agents_runtime.local.storage.binding import bind_strict, read_row_strict
from agents_runtime.local.storage.counting import rows_read, rows_written
from agents_runtime.local.storage.database import Database, SqlRow
from agents_runtime.local.storage.execute import run, user_failure
from agents_runtime.local.storage.iteration import Steps, step_of
from agents_runtime.local.storage.plan import Statement
from agents_runtime.local.values import JsDict, JsException, JsValue


class SqlStorage:
    """SQL on one object's database. Writes of one event-loop turn share one commit."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def exec(self, query: str, *bindings: JsValue) -> SqlStorageCursor:
        """Run one or more statements; the parameters and the rows are those of the last.

        It has run when this returns, up to the first row; further rows are read from the cursor as it is drained.
        """
        cursor, statement = run(self._database, query, bind_strict(bindings))
        return SqlStorageCursor(self._database, cursor, statement)

    @property
    def databaseSize(self) -> int:
        """The size of the data in bytes."""
        return self._database.size_bytes


class SqlStorageCursor:
    """The rows of one `exec`, read once, in order. Drain it before the statement's tables change."""

    __slots__ = ("_database", "_names", "_produced", "_rows", "_source", "_statement")

    def __init__(self, database: Database, source: sqlite3.Cursor, statement: Statement) -> None:
        self._database = database
        self._source = source
        self._statement = statement
        self._produced = 0
        description = source.description
        self._names: list[str] = [column[0] for column in description] if description else []
        if not description:
            self._rows: Iterator[SqlRow] = iter(())
        elif statement.writes:
            self._rows = self._returned(self._fetch_all())
        else:
            self._rows = source
            database.watch(source)

    def __iter__(self) -> Iterator[JsDict]:
        while (row := self._take()) is not None:
            yield JsDict(zip(self._names, row, strict=True))

    def toArray(self) -> list[JsDict]:
        """The remaining rows."""
        return list(self)

    def one(self) -> JsDict:
        """The only row.

        Raises:
            JsException: there is none, or more than one.
        """
        row = self._take()
        if row is None:
            raise JsException("Error", "Expected exactly one result from SQL query, but got no results.")
        if self._take() is not None:
            self._end()
            raise JsException("Error", "Expected exactly one result from SQL query, but got multiple results.")
        return JsDict(zip(self._names, row, strict=True))

    def raw(self) -> Steps[list[JsValue]]:
        """The remaining rows as lists, which keep columns of equal names apart."""
        return Steps(self._take)

    def next(self) -> JsDict:
        """The next row as `{"done": False, "value": row}`, or `{"done": True, "value": None}`."""
        row = self._take()
        return step_of(None if row is None else JsDict(zip(self._names, row, strict=True)))

    @property
    def columnNames(self) -> list[str]:
        """The names of the columns, in order; equal names appear as often as they do in the query."""
        return list(self._names)

    @property
    def rowsRead(self) -> int:
        """An estimate of the rows read so far: rows given out, or rows changed by UPDATE, DELETE and REPLACE.

        The platform counts every row that SQLite visits; Python's module does not say how many those are.
        """
        return rows_read(self._statement, self._source.rowcount, self._produced)

    @property
    def rowsWritten(self) -> int:
        """An estimate of the rows written: rows changed, and for INSERT and REPLACE one more for each index."""
        return rows_written(self._database, self._statement, self._source.rowcount)

    def _take(self) -> list[JsValue] | None:
        try:
            row = next(self._rows, None)
        except sqlite3.Error as error:
            raise user_failure(self._database, error, self._statement.text) from error
        if row is None:
            return None
        self._produced += 1
        return read_row_strict(row)

    def _returned(self, rows: list[SqlRow]) -> Iterator[SqlRow]:
        """The rows of a RETURNING: as on the platform, the turn cannot be committed until the last is read."""
        unread = self._database.unread
        if rows:
            unread.add(self)
        return self._read_returned(rows, unread)

    def _read_returned(self, rows: list[SqlRow], unread: set[object]) -> Iterator[SqlRow]:
        for number, row in enumerate(rows, 1):
            if number == len(rows):
                unread.discard(self)
            yield row

    def _end(self) -> None:
        self._source.close()
        self._database.unread.discard(self)
        self._rows = iter(())

    def _fetch_all(self) -> list[SqlRow]:
        try:
            return self._source.fetchall()
        except sqlite3.Error as error:
            raise user_failure(self._database, error, self._statement.text) from error
