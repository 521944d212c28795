"""Opens the SQLite connection behind a database, and tidies its file. Knows nothing of turns or transactions."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from agents_runtime.errors import CorruptDatabase
from agents_runtime.local.storage.template import SCHEMA

MANY_PAGES = 64
"""A quarter of a megabyte: what is worth giving back, and what is quickly rewritten."""

CHECKPOINT_PAGES = 250
"""After so many pages in the log SQLite writes them into the database, within a commit. With its usual 1,000 that one
commit can take 10 ms, in which no event is served."""

LOCK_WAIT_S = 1.0
"""How long to wait for another program that holds a lock on the file; the event loop waits too."""


def connect_file(path: Path, synchronous: str, *, is_exclusive: bool) -> sqlite3.Connection:
    """Open an existing file and read enough of it to know that it is one of ours.

    Exclusive: the lock is taken once and kept, which saves a file, a third of the descriptors and four system calls a
    statement; other programs find the database locked until it is closed.

    Raises:
        CorruptDatabase: it is a database, but without the host's tables.
        sqlite3.Error: SQLite cannot read it.
    """
    connection = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        if is_exclusive:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute("SELECT 1 FROM _cf_METADATA, _cf_KV LIMIT 1").fetchall()
    except sqlite3.Error as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_ERROR:
            raise CorruptDatabase(path, error) from error
        raise
    return connection


def connect_memory() -> sqlite3.Connection:
    """Open a private in-memory database with the host's tables."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    for statement in SCHEMA:
        connection.execute(statement)
    return connection


def give_back_space(connection: sqlite3.Connection) -> None:
    """Shrink a file that is mostly free pages, when that is quick. A failure is harmless: the pages are used again."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free < MANY_PAGES or pages - free > MANY_PAGES:
        return
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 1)
    try:
        connection.execute("VACUUM")
    except sqlite3.Error:
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)


def delete_files(path: Path) -> None:
    """Delete a database file and the ones SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", ".new"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
