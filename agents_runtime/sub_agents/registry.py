"""The rows of an agent's children: every statement on `cf_agents_sub_agents`, which the JavaScript SDK shares."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agents_runtime._platform.child.identity import VERSION
from agents_runtime.errors import SqlError

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Row, SqlStore, SqlValue

_CREATE = (
    "CREATE TABLE IF NOT EXISTS cf_agents_sub_agents (class TEXT NOT NULL, name TEXT NOT NULL, "
    "created_at INTEGER NOT NULL, identity_version TEXT, identity_name TEXT, PRIMARY KEY (class, name))"
)
_COLUMNS = "SELECT name FROM pragma_table_info('cf_agents_sub_agents')"
_INSERT = (
    "INSERT OR IGNORE INTO cf_agents_sub_agents (class, name, created_at, identity_version, identity_name) "
    "VALUES (?, ?, ?, ?, ?)"
)


class SubAgentInfo(NamedTuple):
    """One sub-agent, as `list_sub_agents` tells of it."""

    class_name: str
    """The name of its class."""
    name: str
    """Its name."""
    created_at: int
    """When it was created, in milliseconds since the epoch."""


class Registry:
    """Which children an agent has. The table is made by the first child."""

    def __init__(self, sql: SqlStore) -> None:
        self._sql = sql
        self._exists: bool | None = None
        self._present: set[tuple[str, str]] = set()

    @property
    def exists(self) -> bool:
        """Whether the table is there. One of an earlier JavaScript SDK gets the columns it lacks."""
        if self._exists is None:
            columns = {str(row["name"]) for row in self._execute(_COLUMNS)}
            if columns:
                for column in ("identity_version", "identity_name"):
                    if column not in columns:
                        self._execute(f"ALTER TABLE cf_agents_sub_agents ADD COLUMN {column} TEXT")
            self._exists = bool(columns)
        return self._exists

    def add(self, class_name: str, name: str, now_ms: int, identity: str) -> None:
        """Note a new child; one that is there already stays as it is."""
        if not self.exists:
            self._execute(_CREATE)
            self._exists = True
        self._execute(_INSERT, class_name, name, now_ms, VERSION, identity)

    def remove(self, class_name: str, name: str) -> None:
        """Forget a child."""
        self._present.discard((class_name, name))
        if self.exists:
            self._execute("DELETE FROM cf_agents_sub_agents WHERE class = ? AND name = ?", class_name, name)

    def has(self, class_name: str, name: str) -> bool:
        """Whether there is this child."""
        if (class_name, name) in self._present:
            return True
        statement = "SELECT 1 AS found FROM cf_agents_sub_agents WHERE class = ? AND name = ?"
        found = self.exists and bool(self._execute(statement, class_name, name))
        if found:
            self._present.add((class_name, name))
        return found

    def count(self) -> int:
        """How many children there are."""
        return int(self._execute("SELECT count(*) AS n FROM cf_agents_sub_agents")[0]["n"]) if self.exists else 0

    def all(self, class_name: str | None) -> list[SubAgentInfo]:
        """The children, of one class or all, the oldest first."""
        if not self.exists:
            return []
        where, params = ("", ()) if class_name is None else ("WHERE class = ?", (class_name,))
        statement = f"SELECT class, name, created_at FROM cf_agents_sub_agents {where} ORDER BY created_at, rowid"
        return [
            SubAgentInfo(row["class"], row["name"], int(row["created_at"])) for row in self._execute(statement, *params)
        ]

    def _execute(self, statement: str, *params: SqlValue) -> list[Row]:
        try:
            return self._sql.execute(statement, *params)
        except Exception as error:
            raise SqlError(statement, error) from error
