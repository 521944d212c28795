"""The transaction of one event-loop turn: begun by the first write, shared by all, kept or undone as a whole.

Inside it the user's own transactions are savepoints. Knows nothing of files; `Database` gives it the connection.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeVar
from weakref import WeakSet

from agents_runtime.errors import StorageError
from agents_runtime.local.storage.failures import machine_failure

T = TypeVar("T")

UNREAD = (
    "a statement with RETURNING has rows that nobody read: read them all, with toArray(), one() or a loop, before the "
    "transaction or the event ends. On Workers this resets the object"
)
UNDONE = "ON CONFLICT ROLLBACK and RAISE(ROLLBACK) end the turn, use ABORT or FAIL instead"


class Faults(Protocol):
    """Failure injection: called before each write statement, before the turn's commit, and when the turn is durable.

    Each may raise anything; a `sqlite3.Error` or `OSError` acts as if SQLite had failed.
    """

    def before_write(self) -> None: ...
    def before_commit(self) -> None: ...
    def after_commit(self) -> None: ...


class Turn(ABC):
    """The turn's transaction on one connection."""

    def __init__(self, on_dirty: Callable[[], None], faults: Faults | None) -> None:
        self.is_dirty = False
        """Whether a transaction is open."""
        self.unread: set[object] = set()
        """A token for each result with RETURNING whose rows are not all read."""
        self._on_dirty = on_dirty
        self._faults = faults
        self._connection: sqlite3.Connection | None = None
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()
        self._savepoints = 0
        self.undone = 0
        """How many savepoints were undone."""
        self._holds = 0
        self._failure: StorageError | None = None

    @property
    @abstractmethod
    def file(self) -> str:
        """What an error calls the database."""

    @property
    @abstractmethod
    def connection(self) -> sqlite3.Connection:
        """The connection, opened when it is not."""

    @abstractmethod
    def _make_durable(self) -> None:
        """Sync what SQLite itself does not sync at a commit."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Close the connection for good."""

    def begin(self) -> None:
        """Begin the turn's transaction unless it is open, and tell the owner."""
        if self.is_dirty:
            if self._failure is not None:
                raise self._failure
            return
        connection = self.connection
        self._on_dirty()
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise self.failure_of(error) from error
        self.is_dirty = True

    def begin_write(self) -> None:
        """Begin the turn's transaction for one write statement: `begin`, then the injected fault if there is one."""
        if not self.is_dirty or self._failure is not None:
            self.begin()
        if self._faults is not None:
            try:
                self._faults.before_write()
            except (sqlite3.Error, OSError) as error:
                raise self.failure_of(error) from error

    @property
    def is_held(self) -> bool:
        """Whether an async transaction keeps the turn open: `commit` must wait. `on_dirty` is called when it ends."""
        return self._holds > 0

    def commit(self) -> None:
        """Make the turn's writes durable. Without any, or while `is_held`, do nothing.

        Raises:
            StorageError: the disk refused, an earlier failure undid the turn, or rows of a RETURNING are unread. Roll
                back and drop the object: what its memory believes is not stored.
        """
        if not self.is_dirty or self._holds:
            return
        self._check_complete()
        try:
            if self._faults is not None:
                self._faults.before_commit()
            self._make_durable()
            self.connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise self.failure_of(error) from error
        self.is_dirty = False
        if self._faults is not None:
            self._faults.after_commit()

    def rollback(self) -> None:
        """Undo the turn's writes and forget its failure. Never raises."""
        self._failure = None
        self._savepoints = 0
        self.unread.clear()
        if not self.is_dirty:
            return
        self.is_dirty = False
        connection = self._connection
        if connection is None or not connection.in_transaction:
            return
        self.close_cursors()
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()

    def transaction(self, work: Callable[[], T]) -> T:
        """Run `work` atomically inside the turn: an exception undoes its writes and is raised again. Nests."""
        mark = self.savepoint()
        try:
            result = work()
            self._check_complete()
        except BaseException:
            self.undo_to(mark)
            raise
        self.release(mark)
        return result

    def savepoint(self) -> int:
        """Mark a point in the turn to return to; undo or release it later, innermost first."""
        self.begin()
        self._savepoints += 1
        self._run_control(f"SAVEPOINT _cf_{self._savepoints}")
        return self._savepoints

    def release(self, mark: int) -> None:
        """Keep what was written since the mark, as part of the turn.

        Raises:
            StorageError: a failure since then undid the whole turn, or rows of a RETURNING are unread.
        """
        self._check_complete()
        self._savepoints = mark - 1
        self._run_control(f"RELEASE _cf_{mark}")

    def undo_to(self, mark: int) -> None:
        """Undo what was written since the mark."""
        connection = self._connection
        if self._savepoints < mark or connection is None or not connection.in_transaction:
            return
        self._savepoints = mark - 1
        self.undone += 1
        self.unread.clear()
        self._run_control(f"ROLLBACK TO _cf_{mark}")
        self._run_control(f"RELEASE _cf_{mark}")

    @property
    def has_savepoint(self) -> bool:
        """Whether a transaction of the user is running inside the turn."""
        return self._savepoints > 0

    def hold(self) -> None:
        """Keep the turn's transaction open until `unhold`, over any number of event-loop turns."""
        self._holds += 1

    def unhold(self) -> None:
        """Undo one `hold`; after the last, the owner is told to commit."""
        if self._holds:
            self._holds -= 1
            if not self._holds and self.is_dirty:
                self._on_dirty()

    # What the layers above share

    def watch(self, cursor: sqlite3.Cursor) -> None:
        """Remember a cursor that still has rows, so that closing the database is not kept waiting by it."""
        self._cursors.add(cursor)

    def close_cursors(self) -> None:
        """End the cursors that still have rows: their statements would stand in the way."""
        for cursor in tuple(self._cursors):
            cursor.close()
        self._cursors.clear()

    def failure_of(self, error: sqlite3.Error | OSError) -> StorageError:
        """The library's error for a failure of a statement that is not the user's."""
        return machine_failure(self.file, error) or StorageError(f"{self.file}: {error}")

    def note_failure(self, error: sqlite3.Error) -> StorageError | None:
        """The machine's fault behind a failed statement, or None when the statement itself is wrong.

        A full disk and the like make SQLite undo the whole transaction; the turn must not be committed after that.
        """
        failure = machine_failure(self.file, error)
        if self.is_dirty and self._connection is not None and not self._connection.in_transaction:
            self._failure = failure = failure or StorageError(
                f"{self.file}: the writes of this turn were undone by {error}; {UNDONE}"
            )
        return failure

    def _check_complete(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self.unread:
            raise StorageError(UNREAD)

    def _run_control(self, statement: str) -> None:
        try:
            self.connection.execute(statement)
        except sqlite3.Error as error:
            raise self.note_failure(error) or self.failure_of(error) from error
