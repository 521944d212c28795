"""SQL, keys and the alarm on the platform's raw storage object, which costs a fraction of the SDK's wrapper."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pyodide.ffi import can_run_sync, run_sync

from agents_runtime._platform.workers.values import from_column, from_json_value, to_bound, to_json_value

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, Row

T = TypeVar("T")

_WRITES = ("INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER")


class WorkersSqlStore:
    """The port's `SqlStore`."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._exec = storage.sql.exec

    def execute(self, query: str, *params: Any) -> list[Row]:
        cursor = self._exec(query, *[to_bound(value) for value in params])
        if query.lstrip()[:6].upper().startswith(_WRITES) and "RETURNING" not in query.upper():
            return []
        return [{name: from_column(value) for name, value in row.items()} for row in cursor.toArray().to_py()]

    @property
    def undone(self) -> None:
        """Unknown: the platform does not tell of transactions that user code began."""

    def transaction(self, work: Callable[[], T]) -> T:
        result: T = self._storage.transactionSync(work)
        return result


class WorkersKeyValue:
    """The port's `KeyValue`."""

    def __init__(self, storage: Any) -> None:
        self._kv = storage.kv

    def get(self, key: str) -> Any:
        return from_json_value(self._kv.get(key))

    def put(self, key: str, value: Any) -> None:
        self._kv.put(key, to_json_value(value))

    def delete(self, key: str) -> bool:
        return bool(self._kv.delete(key))

    def keys(self, prefix: str) -> list[str]:
        return [str(entry[0]) for entry in self._kv.list(to_json_value({"prefix": prefix}))]


FIRED_EARLY_MS = 10
"""By how much the platform may be early at most, seen from here. After it fired, no alarm is set for a time before."""


class WorkersAlarm:
    """The port's `Alarm`. Setting starts at once and is committed with the writes of the same turn.

    The platform can only be asked asynchronously, and while it is asked other code of the object may run. So it is
    asked at most once in a life of the object; from then on this knows what it has set itself.
    """

    def __init__(self, storage: Any, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._when_ms: int | None = None
        self._is_known = False
        self._fired_ms = 0

    def fired(self) -> None:
        """The platform may call the handler a moment before the time that was set, by this clock."""
        self._fired_ms = self._clock.now_ms()
        self._know(None)

    def get_ms(self) -> int | None:
        if not self._is_known:
            if not can_run_sync():
                return None  # within a transaction: whoever needs an alarm sets it
            when = from_json_value(run_sync(self._storage.getAlarm()))
            if not self._is_known:
                self._know(None if when is None else int(when))
        # An alarm that is due has fired, or does so when this event is over: there is none to rely on.
        return None if self._when_ms is None or self._when_ms <= self._clock.now_ms() else self._when_ms

    def set_ms(self, when_ms: int | None) -> None:
        self._know(when_ms)
        if when_ms is None:
            self._storage.deleteAlarm()
        else:
            # The time for which the handler was called does not count when set again: the platform sees no change.
            self._storage.setAlarm(max(int(when_ms), self._fired_ms + FIRED_EARLY_MS, 1))

    def forget(self) -> None:
        """Take note that the storage was emptied."""
        self._know(None)

    def _know(self, when_ms: int | None) -> None:
        self._when_ms = when_ms
        self._is_known = True
