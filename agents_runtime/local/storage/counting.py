"""Estimates of the rows a statement read and wrote. The platform's SQLite counts them; Python's does not."""

from __future__ import annotations

import re

from agents_runtime.local.storage.database import Database
from agents_runtime.local.storage.plan import Statement

_TARGET = re.compile(
    r"\b(?:insert(?:\s+or\s+\w+)?|replace)\s+into\s+(?:main\s*\.\s*)?"
    r"(?:\"((?:[^\"]|\"\")+)\"|\[([^\]]+)\]|`([^`]+)`|(\w+))",
    re.IGNORECASE,
)
_SEARCHES = re.compile(r"\b(?:update|replace)\b|\bdelete\b.*\bwhere\b", re.IGNORECASE | re.DOTALL)
_FROM_TABLE = re.compile(r"\s*(?:select|with)\b.*\bfrom\b", re.IGNORECASE | re.DOTALL)


def rows_read(statement: Statement, changed: int, produced: int) -> int:
    """Rows given out by a statement that reads a table, or changed by one that looks for the rows it changes."""
    if not statement.writes:
        return produced if _FROM_TABLE.match(statement.text) else 0
    return max(changed, 0) if _SEARCHES.search(statement.text) else 0


def rows_written(database: Database, statement: Statement, changed: int) -> int:
    """Rows changed; an inserted row counts once more for each index of its table."""
    if not statement.writes or changed <= 0:
        return 0
    target = _TARGET.search(statement.text)
    if target is None:
        return changed
    table = next(name for name in target.groups() if name is not None).replace('""', '"')
    return changed * (1 + _index_count(database, table))


def _index_count(database: Database, table: str) -> int:
    """Indexes of a table; the primary key of a table without rowid is the table itself."""
    rows = database.read(
        "SELECT count(*) FROM pragma_index_list(?) WHERE NOT (origin = 'pk' AND EXISTS"
        " (SELECT 1 FROM pragma_table_list(?) WHERE wr))",
        (table, table),
    )
    return int(rows[0][0] or 0)
