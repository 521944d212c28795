"""The bytes every new database starts from, and the creation of its file.

A copied template is several times quicker than creating the tables in each new file.
"""

from __future__ import annotations

import os
import sqlite3
from functools import lru_cache
from pathlib import Path

PAGE_SIZE = 4096
"""Bytes. Smaller pages save memory per open object but make rows beyond 10 KB up to four times slower to write."""

SCHEMA = (
    "CREATE TABLE _cf_METADATA (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID",
)
"""The tables of the host itself; `_cf_KV` has the platform's own shape."""

_JOURNAL_VERSION_OFFSET = 18
_WRITE_AHEAD_LOG = b"\x02\x02"


@lru_cache(maxsize=1)
def template_bytes() -> bytes:
    """An empty database with the host's tables, marked to use a write-ahead log."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        for statement in SCHEMA:
            connection.execute(statement)
        connection.commit()
        data = connection.serialize()
    finally:
        connection.close()
    return data[:_JOURNAL_VERSION_OFFSET] + _WRITE_AHEAD_LOG + data[_JOURNAL_VERSION_OFFSET + 2 :]


def ensure_file(path: Path) -> list[Path]:
    """Create the database file when it is missing or empty; return the folders to sync with it before the first commit.

    The file appears under its name complete or not at all: a process killed here leaves no half database. The list
    is empty when the file holds more than the template, since then it has been synced before.

    Raises:
        OSError: a folder or the file cannot be made.
    """
    size = _size_of(path)
    if size:
        return [] if size > len(template_bytes()) else [path.parent]
    changed = [path.parent]
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_bytes(template_bytes())
    except FileNotFoundError:
        changed += _make_folder(path.parent)
        fresh.write_bytes(template_bytes())
    fresh.replace(path)
    return changed


def sync_file(path: Path, folders: list[Path]) -> None:
    """Make a file that `ensure_file` created survive a loss of power: its bytes, then its name."""
    for target in (path, *folders):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _make_folder(folder: Path) -> list[Path]:
    """Create a folder and the missing ones above it; return the folders that got a new entry."""
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    folder.mkdir(parents=True, exist_ok=True)
    return [made.parent for made in missing]
