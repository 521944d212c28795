"""SQL, keys and the alarm on the platform's raw storage object, which costs a fraction of the SDK's wrapper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pyodide.ffi import run_sync

from agents_runtime._platform.ports import Row
from agents_runtime._platform.workers.values import from_column, from_json_value, to_bound, to_json_value

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


class WorkersAlarm:
    """The port's `Alarm`. Setting starts at once and is committed with the writes of the same turn."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def get_ms(self) -> int | None:
        when = from_json_value(run_sync(self._storage.getAlarm()))
        return None if when is None else int(when)

    def set_ms(self, when_ms: int | None) -> None:
        if when_ms is None:
            self._storage.deleteAlarm()
        else:
            self._storage.setAlarm(max(int(when_ms), 1))
