"""What a session keeps in its object: how it was opened, its events, and which requests are still to be answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from agents_runtime._core.jsonx import dumps, loads

if TYPE_CHECKING:
    from agents_runtime._platform.ports import KeyValue, SqlStore
    from agents_runtime.mcp.protocol.messages import Params, RequestId

OPENING_KEY = "initializeRequest"
"""Where the JavaScript SDK keeps it as well."""

SETTINGS_KEY = "cf_agents_mcp:settings"

OWNER = "owner"
"""The setting that says whose the session is."""

MAX_REPLAY = 1_000
"""The most events of one stream that are kept; the oldest go first."""

TRIM_EVERY = 128


class LazyTable:
    """A table that is made with the first row of it; to look for one does not make it."""

    def __init__(self, sql: SqlStore, name: str, columns: str) -> None:
        self._sql = sql
        self._name = name
        self._columns = columns
        self._is_there = False

    def exists(self) -> bool:
        """Whether there is anything to look for."""
        if not self._is_there:
            query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
            self._is_there = bool(self._sql.execute(query, self._name))
        return self._is_there

    def make(self) -> None:
        """See to it that the table is there."""
        if not self._is_there:
            self._sql.execute(f"CREATE TABLE IF NOT EXISTS {self._name} {self._columns}")
            self._is_there = True


class EventStore(Protocol):
    """Where the events of a session's streams are kept, so that a client can go on after one that it has seen.

    An event's id for the client is `<stream>:<number>`. Numbers of one stream rise by one and are never used again.
    """

    def append(self, stream: str, data: str) -> int:
        """Keep an event; gives its number."""
        ...

    def after(self, stream: str, number: int, limit: int) -> list[tuple[int, str]]:
        """Give the events of a stream after a number, oldest first."""
        ...

    def forget(self, stream: str) -> None:
        """Delete the events of a stream."""
        ...


class SqlEventStore:
    """Events in the object's own database, committed with everything else of the turn."""

    def __init__(self, sql: SqlStore) -> None:
        self._sql = sql
        self._last: dict[str, int] = {}
        columns = "(stream TEXT NOT NULL, number INTEGER NOT NULL, data TEXT NOT NULL, PRIMARY KEY (stream, number))"
        self._table = LazyTable(sql, "cf_agents_mcp_events", f"{columns} WITHOUT ROWID")

    def append(self, stream: str, data: str) -> int:
        """Keep an event; gives its number."""
        self._table.make()
        last = self._last.get(stream)
        if last is None:
            query = "SELECT max(number) AS last FROM cf_agents_mcp_events WHERE stream = ?"
            last = int(self._sql.execute(query, stream)[0]["last"] or 0)
        number = last + 1
        self._sql.execute("INSERT INTO cf_agents_mcp_events VALUES (?, ?, ?)", stream, number, data)
        if number > MAX_REPLAY and number % TRIM_EVERY == 0:
            query = "DELETE FROM cf_agents_mcp_events WHERE stream = ? AND number <= ?"
            self._sql.execute(query, stream, number - MAX_REPLAY)
        self._last[stream] = number
        return number

    def after(self, stream: str, number: int, limit: int) -> list[tuple[int, str]]:
        """Give the events of a stream after a number, oldest first."""
        if not self._table.exists():
            return []
        query = "SELECT number, data FROM cf_agents_mcp_events WHERE stream = ? AND number > ? ORDER BY number LIMIT ?"
        return [(int(row["number"]), row["data"]) for row in self._sql.execute(query, stream, number, limit)]

    def forget(self, stream: str) -> None:
        """Delete the events of a stream."""
        self._last.pop(stream, None)
        self._table.make()
        self._sql.execute("DELETE FROM cf_agents_mcp_events WHERE stream = ?", stream)


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream that answers a POST.

    Attributes:
        stream: its id.
        open_requests: the ids of the requests that it still has to answer.
        done_ms: when it had answered all; None while it has not.
    """

    stream: str
    open_requests: tuple[RequestId, ...]
    done_ms: int | None


class SessionStore:
    """The rest of what a session keeps. How it was opened and its settings are read once in a life of the object."""

    def __init__(self, sql: SqlStore, kv: KeyValue) -> None:
        self._sql = sql
        self._kv = kv
        columns = "(stream TEXT PRIMARY KEY NOT NULL, requests TEXT NOT NULL, done_ms INTEGER)"
        self._table = LazyTable(sql, "cf_agents_mcp_streams", columns)
        self._opening: Params | None = None
        self._known: dict[str, Any] | None = None

    # How it was opened

    def opening(self) -> Params | None:
        """The parameters of the `initialize` that opened the session; None when nothing did."""
        if self._opening is None:
            kept: object = self._kv.get(OPENING_KEY)
            params = cast("Params", kept).get("params") if isinstance(kept, dict) else None
            self._opening = cast("Params", params) if isinstance(params, dict) else None
        return self._opening

    def open(self, request_id: RequestId, params: Params) -> None:
        """Keep how the session was opened."""
        self._kv.put(OPENING_KEY, {"jsonrpc": "2.0", "id": request_id, "method": "initialize", "params": params})
        self._opening = None

    def setting(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """What was kept under a name; None at first."""
        return self._settings().get(name)

    def set(self, name: str, value: object) -> None:
        """Keep JSON under a name."""
        self._kv.put(SETTINGS_KEY, dumps({**self._settings(), name: value}, name))
        self._known = None

    def _settings(self) -> dict[str, Any]:
        if self._known is None:
            text = self._kv.get(SETTINGS_KEY)
            self._known = {} if text is None else cast("dict[str, Any]", loads(text))
        return self._known

    # Streams that answer a POST

    def begin(self, stream: str, requests: tuple[RequestId, ...]) -> None:
        """Keep that a stream has these requests to answer."""
        self._table.make()
        text = dumps(list(requests), "requests")
        self._sql.execute("INSERT INTO cf_agents_mcp_streams VALUES (?, ?, NULL)", stream, text)

    def answered(self, stream: str, left: tuple[RequestId, ...], now_ms: int) -> None:
        """Keep which requests are left to answer."""
        query = "UPDATE cf_agents_mcp_streams SET requests = ?, done_ms = ? WHERE stream = ?"
        self._sql.execute(query, dumps(list(left), "requests"), None if left else now_ms, stream)

    def find(self, stream: str) -> StreamRow | None:
        """A stream; None when it is unknown."""
        if not self._table.exists():
            return None
        rows = self._sql.execute("SELECT * FROM cf_agents_mcp_streams WHERE stream = ?", stream)
        return _row(rows[0]) if rows else None

    def unfinished(self) -> list[StreamRow]:
        """The streams that have something left to answer."""
        if not self._table.exists():
            return []
        rows = self._sql.execute("SELECT * FROM cf_agents_mcp_streams WHERE done_ms IS NULL")
        return [_row(row) for row in rows]

    def forget_finished(self, before_ms: int, keep: int) -> list[str]:
        """Delete the streams that ended before a time, and all but the newest `keep`. Gives their ids."""
        if not self._table.exists():
            return []
        query = (
            "DELETE FROM cf_agents_mcp_streams WHERE done_ms IS NOT NULL AND (done_ms < ? OR stream NOT IN "
            "(SELECT stream FROM cf_agents_mcp_streams WHERE done_ms IS NOT NULL ORDER BY done_ms DESC LIMIT ?)) "
            "RETURNING stream"
        )
        return [row["stream"] for row in self._sql.execute(query, before_ms, keep)]


def _row(row: dict[str, Any]) -> StreamRow:
    open_requests = cast("list[RequestId]", loads(row["requests"]))
    return StreamRow(row["stream"], tuple(open_requests), row["done_ms"])
