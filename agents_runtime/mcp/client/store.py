"""The rows of MCP servers, as JavaScript stores them: every statement on `cf_agents_mcp_servers`.

What a server offers is kept beside it, under a key of its own, so that an agent that wakes knows it at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core.jsonx import dumps, loads, size_bytes
from agents_runtime._core.tables import Tables
from agents_runtime.mcp.client.catalogue import Catalogue

if TYPE_CHECKING:
    from agents_runtime._platform.ports import KeyValue, Row, SqlStore
    from agents_runtime.mcp.protocol.messages import Params

MAX_CATALOGUE_BYTES = 1_000_000
"""A longer catalogue is not kept and is read anew after each wake."""

_KEY = "cf_agents_py:mcp_catalogue:"
_CREATE = (
    "CREATE TABLE IF NOT EXISTS cf_agents_mcp_servers ("
    "id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, server_url TEXT NOT NULL, callback_url TEXT NOT NULL, "
    "client_id TEXT, auth_url TEXT, server_options TEXT)"
)
_PUT = (
    "INSERT OR REPLACE INTO cf_agents_mcp_servers "
    "(id, name, server_url, callback_url, client_id, auth_url, server_options) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One server, as it is stored.

    Attributes:
        server_url: where it is; `rpc:<name>` for an agent.
        callback_url: where people come back to after they gave consent; empty if nobody can be asked.
        auth_url: where a person has to give consent; None if that is not needed.
        options: `client`, `transport`, `retry`, `discoverResult`, `bindingName`, `props`, with the keys of JavaScript.
    """

    id: str
    name: str
    server_url: str
    callback_url: str = ""
    client_id: str | None = None
    auth_url: str | None = None
    options: Params = field(default_factory=dict[str, Any])

    @property
    def transport(self) -> Params:
        """The options of the transport."""
        return _object(self.options.get("transport"))

    @property
    def client(self) -> Params:
        """The options of the client."""
        return _object(self.options.get("client"))

    def with_session(self, session_id: str | None, version: str | None, discovered: Params | None) -> ServerRow:
        """The row with what lets a later life go on without opening a session again."""
        kept = {name: value for name, value in self.transport.items() if name not in ("sessionId", "protocolVersion")}
        if session_id is not None and version is not None:
            kept |= {"sessionId": session_id, "protocolVersion": version}
        elif discovered is not None and version is not None:
            kept["protocolVersion"] = version
        options = {name: value for name, value in self.options.items() if name not in ("transport", "discoverResult")}
        if kept:
            options["transport"] = kept
        if discovered is not None:
            options["discoverResult"] = discovered
        return replace(self, options=options)


@dataclass(frozen=True, slots=True)
class Failure:
    """That a server could not be used.

    Attributes:
        is_connected: whether only its lists could not be read.
    """

    error: str
    at_ms: int
    is_connected: bool


class ServerStore:
    """The servers of one object."""

    def __init__(self, sql: SqlStore, kv: KeyValue) -> None:
        self._sql = sql
        self._tables = Tables(sql, (_CREATE,))
        self._kv = kv

    def all(self) -> list[ServerRow]:
        """Every server, in the order in which they were added."""
        return [_row(row) for row in self._tables.read("SELECT * FROM cf_agents_mcp_servers ORDER BY rowid")]

    def put(self, row: ServerRow) -> None:
        """Store a server, new or changed."""
        options = dumps(row.options) if row.options else None
        values = (row.id, row.name, row.server_url, row.callback_url, row.client_id, row.auth_url, options)
        self._tables.creating(lambda: self._tables.write(_PUT, *values))

    def delete(self, server_id: str) -> None:
        """Forget a server."""
        self._tables.write("DELETE FROM cf_agents_mcp_servers WHERE id = ?", server_id)
        self._kv.delete(_KEY + server_id)

    def rename(self, row: ServerRow, server_id: str) -> ServerRow:
        """Give a server another id."""
        renamed = replace(row, id=server_id)

        def move() -> None:
            self.delete(row.id)
            self.put(renamed)

        self._sql.transaction(move)
        return renamed

    def keep_catalogue(self, server_id: str, catalogue: Catalogue, now_ms: int) -> None:
        """Keep what a server offers."""
        text = dumps({"at": now_ms, **catalogue.as_json()})
        if size_bytes(text) <= MAX_CATALOGUE_BYTES:
            self._kv.put(_KEY + server_id, text)
        else:
            self._kv.delete(_KEY + server_id)

    def catalogue(self, server_id: str) -> tuple[Catalogue, int] | None:
        """What a server offered, and when that was read."""
        stored = self._stored(server_id)
        return (Catalogue.from_json(stored), int(stored.get("at") or 0)) if "tools" in stored else None

    def _stored(self, server_id: str) -> Params:
        text = self._kv.get(_KEY + server_id)
        return _object(loads(text)) if isinstance(text, str) else {}

    def keep_failure(self, server_id: str, failure: Failure) -> None:
        """Keep that a server could not be used, beside what it offered."""
        noted = {"failedAt": failure.at_ms, "error": failure.error, "connected": failure.is_connected}
        self._kv.put(_KEY + server_id, dumps({**self._stored(server_id), **noted}))

    def failure(self, server_id: str) -> Failure | None:
        """Why a server could not be used; None if it could."""
        stored = self._stored(server_id)
        error = stored.get("error")
        is_connected = stored.get("connected") is True
        return Failure(error, int(stored.get("failedAt") or 0), is_connected) if isinstance(error, str) else None


def _row(row: Row) -> ServerRow:
    try:
        options = _object(loads(row["server_options"] or "{}"))
    except ValueError:
        options = {}
    loaded = ServerRow(
        row["id"], row["name"], row["server_url"], row["callback_url"], row["client_id"], row["auth_url"], options
    )
    transport = loaded.transport
    has_session = isinstance(transport.get("sessionId"), str) and isinstance(transport.get("protocolVersion"), str)
    is_modern = isinstance(options.get("discoverResult"), dict) and isinstance(transport.get("protocolVersion"), str)
    return loaded if has_session or is_modern else loaded.with_session(None, None, None)


def _object(value: object) -> Params:
    return cast("Params", value) if isinstance(value, dict) else {}
