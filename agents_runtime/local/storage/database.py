"""One object's SQLite database: opened on first use, one transaction per event-loop turn, closed when idle.

Knows nothing of events or gates. It says when a transaction begins (`on_dirty`); whoever owns it commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal
from weakref import finalize

from agents_runtime.errors import InternalError
from agents_runtime.local.storage.connect import connect_file, connect_memory, delete_files, give_back_space
from agents_runtime.local.storage.emptying import drop_everything
from agents_runtime.local.storage.guard import Guard
from agents_runtime.local.storage.template import ensure_file, sync_file
from agents_runtime.local.storage.turn import Faults, Turn

__all__ = ["Database", "Durability", "Faults", "SqlParameter", "SqlRow"]

SqlParameter = str | int | float | bytes | memoryview | None
SqlRow = tuple["str | int | float | bytes | None", ...]
Durability = Literal["power", "process"]

_GET_META = "SELECT value FROM _cf_METADATA WHERE key = ?"
_MEMORY = "the in-memory database"


class Database(Turn):
    """The database of one life of an object.

    Nothing is opened before the first use, and `close` gives back all descriptors and memory until the next. A write
    begins the turn's transaction and calls `on_dirty`, once. The in-memory form (no path) keeps its data until
    `destroy`; `next_life` hands it to the object's next life.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        durability: Durability = "power",
        on_dirty: Callable[[], None],
        faults: Faults | None = None,
        is_exclusive: bool = False,
    ) -> None:
        super().__init__(on_dirty, faults)
        self.guard = Guard()
        self._path = path
        self._durability = durability
        self._is_exclusive = is_exclusive
        self._kept: sqlite3.Connection | None = None
        self._closer: finalize[[], Database] | None = None
        self._unsynced: list[Path] = []
        self._is_unused_file = False
        self._retired: BaseException | None = None

    # Opening and closing

    @property
    def file(self) -> str:
        """What an error calls this database."""
        return str(self._path) if self._path is not None else _MEMORY

    @property
    def is_open(self) -> bool:
        """Whether descriptors and memory are held right now."""
        return self._connection is not None

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection.

        Raises:
            StorageError: the file cannot be opened or is damaged.
            BaseException: what `retire` was given, after it.
        """
        return self._connection or self._open()

    def _open(self) -> sqlite3.Connection:
        if self._retired is not None:
            raise self._retired.with_traceback(None)  # raised often, and its frames would keep the life in memory
        if self._kept is not None:
            connection, self._kept = self._kept, None
        else:
            connection = self._connect()
            self.guard.apply(connection)
            self._closer = finalize(self, connection.close)
        self._connection = connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        if self._path is None:
            return connect_memory()
        try:
            self._is_unused_file = not self._path.exists()
            self._unsynced = ensure_file(self._path)
            synchronous = "FULL" if self._durability == "power" else "NORMAL"
            return connect_file(self._path, synchronous, is_exclusive=self._is_exclusive)
        except (sqlite3.Error, OSError) as error:
            raise self.failure_of(error) from error

    def close(self) -> None:
        """Give back the descriptors and memory. The next use opens the database again.

        Raises:
            InternalError: a transaction is open; commit or roll back first.
        """
        if self.is_dirty:
            raise InternalError("a database was closed with uncommitted writes")
        connection = self._connection
        if connection is None:
            return
        self._connection = None
        self.close_cursors()
        if self._path is None:
            self._kept = connection
            return
        if not self._is_unused_file:
            give_back_space(connection)
        self._disconnect()
        if self._is_unused_file:  # who only reads, or is only asked for, leaves no file behind
            delete_files(self._path)

    def retire(self, reason: BaseException) -> None:
        """End this life: roll back, close, and raise `reason` at every later use. Does not raise itself."""
        self._retired = reason
        self._holds = 0
        self.rollback()
        self.close()

    def next_life(self, on_dirty: Callable[[], None]) -> Database:
        """The same in-memory data for the object's next life; this handle must be retired or unused by then."""
        heir = Database(None, on_dirty=on_dirty, faults=self._faults)
        connection = self._connection or self._kept
        if connection is not None:
            connection.set_authorizer(heir.guard.authorize)
            heir._kept, heir._closer = connection, finalize(heir, connection.close)
            if self._closer is not None:
                self._closer.detach()
            self._kept = self._connection = self._closer = None
        return heir

    def destroy(self) -> None:
        """Delete the data for good: the file and what belongs to it, or the memory."""
        self.rollback()
        self.close()
        self._disconnect()
        if self._path is not None:
            delete_files(self._path)

    # The host's own statements

    def read(self, query: str, params: Sequence[SqlParameter] = ()) -> list[SqlRow]:
        """Run a reading statement of the host itself and return its rows as SQLite has them."""
        try:
            return self.connection.execute(query, params).fetchall()
        except sqlite3.Error as error:
            raise self.failure_of(error) from error

    def write(self, query: str, params: Sequence[SqlParameter] = ()) -> None:
        """Run a writing statement of the host itself, in the turn's transaction."""
        self.begin_write()
        try:
            self.connection.execute(query, params)
        except sqlite3.Error as error:
            raise self.note_failure(error) or self.failure_of(error) from error

    def get_meta(self, key: str) -> str | int | None:
        """Read a value the host keeps about the object; None when there is none."""
        rows = self.read(_GET_META, (key,))
        return _meta_value(rows[0]) if rows else None

    def put_meta(self, key: str, value: str | int) -> None:
        """Keep a value about the object, in the turn's transaction."""
        self.write("INSERT OR REPLACE INTO _cf_METADATA VALUES (?, ?)", (key, value))

    def delete_meta(self, key: str) -> None:
        """Forget a value about the object, in the turn's transaction."""
        self.write("DELETE FROM _cf_METADATA WHERE key = ?", (key,))

    def peek_meta(self, key: str) -> str | int | None:
        """Like `get_meta`, for an in-memory database even after `retire`; None when nothing was ever stored."""
        connection = self._connection or self._kept
        if connection is None:
            return None
        row: SqlRow | None = connection.execute(_GET_META, (key,)).fetchone()
        return None if row is None else _meta_value(row)

    @property
    def size_bytes(self) -> int:
        """The size of the data; pages that are free for reuse do not count."""
        pages, free, size = self.read(
            "SELECT p.page_count, f.freelist_count, s.page_size"
            " FROM pragma_page_count AS p, pragma_freelist_count AS f, pragma_page_size AS s"
        )[0]
        return (int(pages or 0) - int(free or 0)) * int(size or 0)

    def destroy_contents(self) -> None:
        """Drop every table, index, view and trigger of the user, all keys and the alarm, in the turn's transaction."""
        self.begin_write()
        self.close_cursors()
        try:
            drop_everything(self.connection)
        except sqlite3.Error as error:
            raise self.note_failure(error) or self.failure_of(error) from error

    def _disconnect(self) -> None:
        self._connection = self._kept = None
        if self._closer is not None:
            self._closer()
            self._closer = None

    def _make_durable(self) -> None:
        if self._unsynced and self._path is not None and self._durability == "power":
            sync_file(self._path, self._unsynced)
        self._unsynced = []
        self._is_unused_file = False


def _meta_value(row: SqlRow) -> str | int | None:
    value = row[0]
    return value if isinstance(value, str | int) else None
