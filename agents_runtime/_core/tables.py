"""The tables of one part of an agent, created with the first thing that is stored in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from agents_runtime.errors import SqlError

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Row, SqlStore, SqlValue

T = TypeVar("T")
_MISSING = "no such table"


class Tables:
    """Runs the statements of one part. A table that does not exist reads as an empty one.

    Args:
        sql: the object's database.
        create: the statements that create the tables, harmless when repeated.
        created: what else to do when the tables are created, in the same transaction.
    """

    __slots__ = ("_create", "_created", "_sql")

    def __init__(self, sql: SqlStore, create: Sequence[str], created: Callable[[], None] | None = None) -> None:
        self._sql = sql
        self._create = create
        self._created = created

    def read(self, query: str, *params: SqlValue) -> list[Row]:
        """Run a statement for which a missing table is an empty one. Raises SqlError."""
        try:
            return self._sql.execute(query, *params)
        except Exception as error:
            if _MISSING in str(error):
                return []
            raise SqlError(query, error) from error

    def write(self, query: str, *params: SqlValue) -> list[Row]:
        """Run a statement that needs its table. Raises SqlError."""
        try:
            return self._sql.execute(query, *params)
        except Exception as error:
            raise SqlError(query, error) from error

    def creating(self, work: Callable[[], T]) -> T:
        """Do what writes; if a table is missing, create them all and do it again."""
        try:
            return work()
        except SqlError as error:
            if _MISSING not in str(error):
                raise
            self.create()
            return work()

    def create(self) -> None:
        """Create the tables that do not exist, all or none."""
        self._sql.transaction(self._create_all)

    def _create_all(self) -> None:
        for statement in self._create:
            self.write(statement)
        if self._created is not None:
            self._created()
