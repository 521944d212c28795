"""`ctx.storage`: the whole storage API of a Durable Object, with the platform's names."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import NoReturn, Protocol, TypeVar, cast, overload

from agents_runtime.local.storage.database import Database
from agents_runtime.local.storage.finished import Finished
from agents_runtime.local.storage.kv import KeyValueTable, ListOptions, SyncKeyValueStorage, key_text, to_dict
from agents_runtime.local.storage.sql import SqlStorage, SqlStorageCursor
from agents_runtime.local.values import JsDict, JsException, JsValue
from agents_runtime.local.values.types import epoch_ms

T = TypeVar("T")

Pending = Coroutine[object, object, T]
"""What an async method returns: a result that is there already, to be awaited."""

_MISSING = object()
_MAX_ALARM_MS = (2**63 - 1) // 1_000_000
"""The platform counts nanoseconds in 64 bits: the year 2262, whatever its message says."""


class AlarmSlot(Protocol):
    """The object's one alarm, kept by the host."""

    def get_ms(self) -> int | None: ...
    def set_ms(self, when_ms: int | None) -> None: ...


class BlockConcurrency(Protocol):
    """Runs work while no other event enters the object."""

    def __call__(self, work: Callable[[], Awaitable[T]], /) -> Awaitable[T]: ...


class KeyValueOperations:
    """The async key-value methods, shared by the storage and by a transaction."""

    def __init__(self, table: KeyValueTable, alarm: AlarmSlot) -> None:
        self._table = table
        self._alarm = alarm

    @overload
    def get(self, key: str, options: ListOptions | None = None) -> Pending[JsValue]: ...
    @overload
    def get(self, key: list[str], options: ListOptions | None = None) -> Pending[JsDict]: ...
    def get(self, key: str | list[str], options: ListOptions | None = None) -> Pending[JsValue]:
        """The value of a key, None when it has none; for a list of keys, a dict of those that exist, in key order."""
        self._check("get")
        if not isinstance(key, list):
            return Finished(self._table.get(key_text(key)))
        found: list[tuple[str, bytes]] = []
        for name in sorted({key_text(item) for item in key}):
            found += self._table.select({"start": name, "end": name + "\0"})
        return Finished(to_dict(found))

    def put(
        self, key: str | Mapping[str, JsValue], value: JsValue = _MISSING, options: ListOptions | None = None
    ) -> Pending[None]:
        """Store a copy of a value under a key, or all of a dict. Stored when this returns, awaited or not."""
        self._check("put")
        if isinstance(key, Mapping):
            entries = [(key_text(name), item) for name, item in key.items()]
            self._table.put_all(entries)
        elif value is _MISSING:
            raise JsException("TypeError", "put() called with undefined value.")
        else:
            self._table.put(key_text(key), value)
        return Finished(None)

    @overload
    def delete(self, key: str, options: ListOptions | None = None) -> Pending[bool]: ...
    @overload
    def delete(self, key: list[str], options: ListOptions | None = None) -> Pending[int]: ...
    def delete(self, key: str | list[str], options: ListOptions | None = None) -> Pending[bool] | Pending[int]:
        """Delete a key, True when it was there; or a list of keys, giving how many were."""
        self._check("delete")
        if isinstance(key, list):
            return Finished(sum(self._table.delete(key_text(item)) for item in key))
        return Finished(self._table.delete(key_text(key)))

    def list(self, options: ListOptions | None = None) -> Pending[JsDict]:
        """Keys and values in range, in the order of the keys' UTF-8 bytes."""
        self._check("list")
        return Finished(to_dict(self._table.select(options)))

    def getAlarm(self, options: ListOptions | None = None) -> Pending[int | None]:
        """When the alarm is due, in epoch milliseconds; None when none is set, and inside the alarm's handler."""
        self._check("getAlarm")
        return Finished(self._alarm.get_ms())

    def setAlarm(self, scheduled_time: float | datetime, options: ListOptions | None = None) -> Pending[None]:
        """Set the one alarm, replacing the one before: epoch milliseconds or a datetime. A past time is due at once.

        Raises:
            JsException: a TypeError, for a time that is not after 1970, or beyond the year 2262.
        """
        self._check("setAlarm")
        self._alarm.set_ms(_alarm_ms(scheduled_time))
        return Finished(None)

    def deleteAlarm(self, options: ListOptions | None = None) -> Pending[None]:
        """Clear the alarm."""
        self._check("deleteAlarm")
        self._alarm.set_ms(None)
        return Finished(None)

    def _check(self, operation: str) -> None:
        """Refuse the operation when it is not possible any more."""


class DurableObjectTransaction(KeyValueOperations):
    """What the function of `transaction` is given. Its writes are kept when the function returns."""

    def __init__(self, database: Database, table: KeyValueTable, alarm: AlarmSlot) -> None:
        super().__init__(table, alarm)
        self._database = database
        self._mark = database.savepoint()
        self._state = ""

    def rollback(self) -> None:
        """Undo everything written in this transaction; it cannot be used after that."""
        self._check("rollback")
        self._database.undo_to(self._mark)
        self._state = "was rolled back"

    def finish(self, *, keep: bool) -> None:
        """End the transaction, keeping or undoing what it wrote unless it was rolled back."""
        if not self._state:
            self._state = "has ended"
            if keep:
                self._database.release(self._mark)
            else:
                self._database.undo_to(self._mark)

    def _check(self, operation: str) -> None:
        if self._state:
            raise JsException("Error", f"Cannot call {operation}() on a transaction that {self._state}")


class DurableObjectStorage(KeyValueOperations):
    """SQL, values by key and the alarm of one object. Nothing leaves the object before its writes are durable.

    Async methods have done their work when they return: awaiting them lets no other event in.
    """

    def __init__(
        self,
        database: Database,
        alarm: AlarmSlot,
        block_concurrency: BlockConcurrency,
        committed: Callable[[], Awaitable[None]] | None = None,
        remove_facets: Callable[[], None] | None = None,
    ) -> None:
        table = KeyValueTable(database)
        super().__init__(table, alarm)
        self.sql = SqlStorage(database)
        self.kv = SyncKeyValueStorage(table)
        self._database = database
        self._block_concurrency = block_concurrency
        self._committed = committed
        self._remove_facets = remove_facets
        self._transactions = asyncio.Lock()

    def transactionSync(self, work: Callable[[], T]) -> T:
        """Run `work` atomically: an exception undoes its writes and is raised again. Nests.

        With an `async` function only what runs before its first `await` is inside.

        Raises:
            TypeError: `work` gave back a cursor, which cannot leave on Workers; its writes are kept.
        """
        result = self._database.transaction(work)
        if isinstance(result, SqlStorageCursor):
            raise TypeError("a cursor cannot be given back by transactionSync(); return its rows, or nothing")
        return result

    async def transaction(self, work: Callable[[DurableObjectTransaction], Awaitable[T] | T]) -> T:
        """Run `work(txn)` atomically while no other event enters the object. Nests; others wait for their turn.

        Raises:
            JsException: a PythonError with the traceback of what `work` raised; its writes are undone.
        """
        if _inside.get() is self:
            result, error = await self._run_transaction(work)
        else:
            async with self._transactions:
                result, error = await self._block_concurrency(lambda: self._run_transaction(work))
        if error is not None:
            raise JsException("PythonError", "".join(traceback.format_exception(error))) from error
        return cast("T", result)

    def deleteAll(self, options: ListOptions | None = None) -> Pending[None]:
        """Delete every table, every key, the alarm and all facets. The object in memory stays; make its tables again.

        Raises:
            JsException: called within a transaction.
        """
        if self._database.has_savepoint:
            raise JsException("Error", "Cannot call deleteAll() within a transaction")
        self._database.destroy_contents()
        self._alarm.set_ms(None)
        if self._remove_facets is not None:
            self._remove_facets()
        return Finished(None)

    async def sync(self) -> None:
        """Return when every write made so far is durable; inside a transaction at once, since its end decides."""
        if _inside.get() is self:
            return
        if self._committed is not None:
            await self._committed()
        else:
            self._database.commit()

    def getCurrentBookmark(self) -> NoReturn:
        """Only on Workers: going back in time needs the platform's log."""
        _refuse_bookmarks()

    def getBookmarkForTime(self, timestamp: float | datetime) -> NoReturn:
        """Only on Workers: going back in time needs the platform's log."""
        _refuse_bookmarks()

    def onNextSessionRestoreBookmark(self, bookmark: str) -> NoReturn:
        """Only on Workers: going back in time needs the platform's log."""
        _refuse_bookmarks()

    async def _run_transaction(
        self, work: Callable[[DurableObjectTransaction], Awaitable[T] | T]
    ) -> tuple[T | None, Exception | None]:
        """Run the work between savepoints. An error is handed back, since one that escapes resets the object."""
        database = self._database
        database.hold()
        token = _inside.set(self)
        try:
            transaction = DurableObjectTransaction(database, self._table, self._alarm)
            try:
                outcome = work(transaction)
                result = await cast("Awaitable[T]", outcome) if inspect.isawaitable(outcome) else outcome
            except Exception as error:
                transaction.finish(keep=False)
                return None, error
            except BaseException:
                transaction.finish(keep=False)
                raise
            transaction.finish(keep=True)
            return result, None
        finally:
            _inside.reset(token)
            database.unhold()


_inside: ContextVar[DurableObjectStorage | None] = ContextVar("agents_runtime_inside_transaction", default=None)
"""The storage whose async transaction this code runs in."""


def _alarm_ms(when: float | datetime) -> int:
    if isinstance(when, datetime):
        when = epoch_ms(when)
    try:
        when_ms = int(when)
    except (TypeError, ValueError, OverflowError):
        raise JsException("TypeError", f"setAlarm() takes epoch milliseconds or a datetime, not {when!r}") from None
    if when_ms <= 0:
        raise JsException("TypeError", "setAlarm() cannot be called with an alarm time <= 0")
    if when_ms > _MAX_ALARM_MS:
        raise JsException("TypeError", "This API doesn't support dates after 2189.")
    return when_ms


def _refuse_bookmarks() -> NoReturn:
    raise JsException(
        "Error", "bookmarks exist on Workers only; locally, copy the data folder while the host is stopped"
    )
