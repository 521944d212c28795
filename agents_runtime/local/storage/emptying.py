"""Empties a database inside an open transaction, keeping the host's own tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

_NOT_OURS = "name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"


def drop_everything(connection: sqlite3.Connection) -> None:
    """Drop every object of the user, all keys and the alarm. What the host keeps about the object stays.

    Virtual tables go first, since they take their hidden tables with them; foreign keys may point anywhere meanwhile.
    """
    connection.execute("PRAGMA defer_foreign_keys = ON")
    for condition in ("type = 'view'", "type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'", "type = 'table'"):
        query = f"SELECT type, name FROM sqlite_schema WHERE {condition} AND {_NOT_OURS}"
        for kind, name in connection.execute(query).fetchall():
            quoted = name.replace('"', '""')
            connection.execute(f'DROP {kind} IF EXISTS "{quoted}"')
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'sqlite\\_%' ESCAPE '\\'"
    ).fetchall():
        if name.startswith("sqlite_stat"):
            connection.execute(f"DROP TABLE {name}")
        else:
            connection.execute(f"DELETE FROM {name}")
    connection.execute("DELETE FROM _cf_KV")
    connection.execute("DELETE FROM _cf_METADATA WHERE key = 'alarm_ms'")
