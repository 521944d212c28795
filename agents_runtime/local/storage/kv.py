"""Values by key: the table behind every form of key-value storage, and `ctx.storage.kv`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from agents_runtime.local.storage.binding import clean_text, js_text
from agents_runtime.local.storage.database import Database
from agents_runtime.local.storage.iteration import Steps
from agents_runtime.local.storage.messages import platform_error
from agents_runtime.local.values import JsDict, JsException, JsValue, decode, encode

ListOptions = Mapping[str, JsValue]
"""`prefix`, `start` or `startAfter`, `end` (exclusive), `limit`, `reverse`; other keys are ignored.

None is a value as on Workers (the text "null", the limit 0): leave out what you do not want.
"""

EncodedRows = list[tuple[str, bytes]]
"""Keys with their values as `encode` made them."""

Entry = list[JsValue]
"""`[key, value]`."""

_GET = "SELECT value FROM _cf_KV WHERE key = ?"
_PUT = "INSERT OR REPLACE INTO _cf_KV VALUES (?, ?)"
_DELETE = "DELETE FROM _cf_KV WHERE key = ?"
_LAST_CHARACTER = chr(0x10FFFF)


class KeyValueTable:
    """The rows of `_cf_KV`. Keys are texts; values are copies."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> JsValue:
        """The value of a key; None when it has none."""
        rows = self._database.read(_GET, (key,))
        return decode(rows[0][0]) if rows else None  # type: ignore[arg-type]  # the column holds what `encode` made

    def put(self, key: str, value: JsValue) -> None:
        """Store a copy of a value, in the turn's transaction.

        Raises:
            JsException: it cannot be stored, or is larger than a row may be.
        """
        data = encode(value)
        database = self._database
        database.begin_write()
        try:
            database.connection.execute(_PUT, (key, data))
        except sqlite3.Error as error:
            raise database.note_failure(error) or platform_error(error, _PUT) from error

    def put_all(self, entries: list[tuple[str, JsValue]]) -> None:
        """Store several values: all of them, or none when one cannot be stored."""

        def put_each() -> None:
            for key, value in entries:
                self.put(key, value)

        self._database.transaction(put_each)

    def delete(self, key: str) -> bool:
        """Delete a key, in the turn's transaction; whether it was there."""
        if not self._database.read(_GET, (key,)):
            return False
        self._database.write(_DELETE, (key,))
        return True

    def select(self, options: ListOptions | None) -> EncodedRows:
        """The keys in range with their encoded values, in the order of the keys' UTF-8 bytes."""
        span = _span_of(options or {})
        if span is None:
            return []
        conditions = "key >= ?" if span.end is None else "key >= ? AND key < ?"
        bounds = (span.start,) if span.end is None else (span.start, span.end)
        query = f"SELECT key, value FROM _cf_KV WHERE {conditions} ORDER BY key {span.order} LIMIT {span.limit}"
        return self._database.read(query, bounds)  # type: ignore[return-value]  # the table's columns


class SyncKeyValueStorage:
    """`ctx.storage.kv`. Writes of one event-loop turn share one commit with those of `sql`."""

    __slots__ = ("_listings", "_table")

    def __init__(self, table: KeyValueTable) -> None:
        self._table = table
        self._listings = 0

    def get(self, key: str) -> JsValue:
        """The value of a key; None when it has none."""
        return self._table.get(key_text(key))

    def put(self, key: str, value: JsValue) -> None:
        """Store a copy of a value under a key."""
        self._table.put(key_text(key), value)

    def delete(self, key: str) -> bool:
        """Delete a key; whether it was there."""
        return self._table.delete(key_text(key))

    def list(self, options: ListOptions | None = None) -> Steps[Entry]:
        """Iterate over `[key, value]` in the order of the keys. Starting another listing ends this one."""
        self._listings += 1
        entries = self._iterate(self._table.select(options), self._listings)
        return Steps(lambda: next(entries, None))

    def _iterate(self, rows: EncodedRows, listing: int) -> Iterator[Entry]:
        for key, data in rows:
            if listing != self._listings:
                raise JsException(
                    "Error", "this kv.list() ended because another one was started: use one at a time, or list(...) it"
                )
            yield [key, decode(data)]


def key_text(key: object) -> str:
    """A key as the platform takes it: text, or the text of a number or the like."""
    text = js_text(key)
    return text if text.isascii() else clean_text(text)


def to_dict(rows: EncodedRows) -> JsDict:
    """Rows of `KeyValueTable.select` as one dict."""
    return JsDict((key, decode(data)) for key, data in rows)


@dataclass(frozen=True, slots=True)
class _Span:
    """A range of keys to list."""

    start: str
    end: str | None
    order: Literal["ASC", "DESC"]
    limit: int


def _span_of(options: ListOptions) -> _Span | None:
    """The range the options name; None when it is empty."""
    start = key_text(options.get("start", ""))
    end = key_text(options["end"]) if "end" in options else None
    if "startAfter" in options:
        if "start" in options:
            raise JsException("TypeError", "list() cannot be called with both start and startAfter values.")
        start = key_text(options["startAfter"]) + "\0"
    prefix = key_text(options.get("prefix", ""))
    if prefix:
        start = max(start, prefix)
        after = _after_prefix(prefix)
        end = after if end is None else end if after is None else min(end, after)
    limit = int(options["limit"] or 0) if "limit" in options else -1
    if limit <= 0 and "limit" in options:
        raise JsException("TypeError", "List limit must be positive.")
    if end is not None and end <= start:
        return None
    return _Span(start, end, "DESC" if options.get("reverse") else "ASC", limit)


def _after_prefix(prefix: str) -> str | None:
    """The least text after all texts with a prefix; None when there is none."""
    stem = prefix.rstrip(_LAST_CHARACTER)
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)
