"""Turns SQLite's failures into the library's errors: what the machine did wrong, and the text the platform gives."""

from __future__ import annotations

import sqlite3

from agents_runtime.errors import CorruptDatabase, DatabaseUnavailable, DiskFull, StorageError

_FULL = sqlite3.SQLITE_FULL
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNAVAILABLE = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOLFS,
)


def machine_failure(file: str, error: sqlite3.Error | OSError) -> StorageError | None:
    """The error to raise when the file or the machine is at fault; None when the statement is."""
    if isinstance(error, OSError):
        return DatabaseUnavailable(file, error)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == _FULL:
        return DiskFull(file)
    if code in _CORRUPT:
        return CorruptDatabase(file, error)
    if code in _UNAVAILABLE:
        return DatabaseUnavailable(file, error)
    return None
