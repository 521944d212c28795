"""What user SQL may not do, on one connection: limits, refused statements and names, functions SQLite may lack.

The rules are the platform's. Statements of the host itself bypass the authorizer: `Guard.is_trusted` is True
except while a statement of the user is being compiled.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from agents_runtime.local.storage.functions import ADDED_FUNCTIONS, STRING_AGG_SINCE, SqlScalar, StringAgg

MAX_VALUE_BYTES = 2 * 1024 * 1024
"""The largest row, text or blob: the documented limit; some builds of the platform take more."""

MAX_QUERY_BYTES = 100_000
MAX_PARAMETERS = 100

_LIMITS = (
    (sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES),
    (sqlite3.SQLITE_LIMIT_COLUMN, 100),
    (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100),
    (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 5),
    (sqlite3.SQLITE_LIMIT_VDBE_OP, 25_000),
    (sqlite3.SQLITE_LIMIT_FUNCTION_ARG, 127),
    (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
    (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    (sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, MAX_PARAMETERS),
    (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 10),
    (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
)

_FUNCTIONS = frozenset(
    """
    abs changes char coalesce concat concat_ws format glob hex ifnull iif instr last_insert_rowid length like
    likelihood likely load_extension lower ltrim max_scalar min_scalar nullif octet_length printf quote random
    randomblob replace round rtrim sign soundex substr substring total_changes trim typeof unhex unicode unlikely
    upper zeroblob date time datetime julianday unixepoch strftime timediff current_date current_time
    current_timestamp avg count group_concat max min string_agg sum total row_number rank dense_rank percent_rank
    cume_dist ntile lag lead first_value last_value nth_value acos acosh asin asinh atan atan2 atanh ceil cos cosh
    degrees exp floor ln log log2 mod pi pow radians sin sinh sqrt tan tanh trunc json jsonb json_array jsonb_array
    json_array_length json_extract jsonb_extract -> ->> json_insert jsonb_insert json_object jsonb_object json_patch
    jsonb_patch json_remove jsonb_remove json_replace jsonb_replace json_set jsonb_set json_type json_valid
    json_quote json_group_array jsonb_group_array json_group_object jsonb_group_object json_each json_tree match
    highlight bm25 snippet rtreecheck sqlite_rename_column sqlite_rename_table sqlite_rename_test sqlite_drop_column
    sqlite_rename_quotefix
    """.split()  # noqa: SIM905 - a list of 130 quoted names is 130 lines
)

_MODULES = frozenset({"fts5", "fts5vocab", "rtree", "rtree_i32"})

_ALWAYS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_ANALYZE})
_FIRST_NAME = frozenset(
    {
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_CREATE_VIEW,
        sqlite3.SQLITE_DROP_VIEW,
        sqlite3.SQLITE_REINDEX,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_UPDATE,
    }
)
_BOTH_NAMES = frozenset(
    {
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_DROP_TRIGGER,
    }
)
_VIRTUAL = frozenset({sqlite3.SQLITE_CREATE_VTABLE, sqlite3.SQLITE_DROP_VTABLE})
_TEMPORARY = frozenset({sqlite3.SQLITE_READ, sqlite3.SQLITE_UPDATE})

_BOOLEANS = ("true", "false", "yes", "no", "on", "off", "1", "0")


class Guard:
    """The authorizer of one connection."""

    __slots__ = ("is_trusted",)

    def __init__(self) -> None:
        self.is_trusted = True

    def apply(self, connection: sqlite3.Connection) -> None:
        """Put the limits, the authorizer and the missing functions on a connection."""
        for limit, value in _LIMITS:
            connection.setlimit(limit, value)
        for name, arguments, function in missing_functions():
            connection.create_function(name, arguments, function, deterministic=True)
        if sqlite3.sqlite_version_info < STRING_AGG_SINCE:
            aggregate: Any = StringAgg  # the stubs know aggregates of one int only
            connection.create_aggregate("string_agg", 2, aggregate)
        connection.set_authorizer(self.authorize)

    def authorize(
        self, action: int, first: str | None, second: str | None, database: str | None, _trigger: str | None
    ) -> int:
        """Answer SQLite's question about one step of a statement being compiled."""
        if self.is_trusted or _is_allowed(action, first, second, database):
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY


@lru_cache(maxsize=1)
def missing_functions() -> tuple[tuple[str, int, Callable[..., SqlScalar]], ...]:
    """The platform's functions that the SQLite of this machine lacks and that can be added."""
    connection = sqlite3.connect(":memory:")
    try:
        present = {row[0] for row in connection.execute("SELECT DISTINCT name FROM pragma_function_list")}
    finally:
        connection.close()
    return tuple(function for function in ADDED_FUNCTIONS if function[0] not in present)


def is_reserved(name: str | None) -> bool:
    """Whether a table, index or column name belongs to the host."""
    return name is not None and name[:4].lower() == "_cf_"


def _is_allowed(action: int, first: str | None, second: str | None, database: str | None) -> bool:
    if action == sqlite3.SQLITE_ALTER_TABLE:
        return first == "main" and not is_reserved(second)
    if database == "temp":
        return action in _TEMPORARY and not is_reserved(first)
    if database is not None and database != "main":
        return False
    if action in _ALWAYS:
        return True
    if action in _FIRST_NAME:
        return not is_reserved(first)
    if action == sqlite3.SQLITE_FUNCTION:
        return second in _FUNCTIONS
    if action in _BOTH_NAMES:
        return not is_reserved(first) and not is_reserved(second)
    if action == sqlite3.SQLITE_PRAGMA:
        return _is_allowed_pragma(first or "", second)
    return action in _VIRTUAL and (second or "").lower() in _MODULES and not is_reserved(first)


def _is_allowed_pragma(name: str, argument: str | None) -> bool:
    rule = _PRAGMAS.get(name)
    return rule is not None and rule(argument)


def _without_argument(argument: str | None) -> bool:
    return argument is None


def _boolean(argument: str | None) -> bool:
    return argument is None or argument.strip("'\"").lower().startswith(_BOOLEANS)


def _name(argument: str | None) -> bool:
    return argument is not None and not is_reserved(argument)


def _optional_name(argument: str | None) -> bool:
    return not is_reserved(argument)


def _optional_number(argument: str | None) -> bool:
    return argument is None or argument.lstrip("+-").isdecimal()


def _anything(_argument: str | None) -> bool:
    return True


_PRAGMAS: dict[str, Callable[[str | None], bool]] = {
    "table_list": _anything,
    "table_info": _name,
    "table_xinfo": _name,
    "data_version": _without_argument,
    "page_size": _without_argument,
    "case_sensitive_like": _boolean,
    "foreign_keys": _boolean,
    "defer_foreign_keys": _boolean,
    "ignore_check_constraints": _boolean,
    "legacy_alter_table": _boolean,
    "recursive_triggers": _boolean,
    "reverse_unordered_selects": _boolean,
    "foreign_key_check": _optional_name,
    "foreign_key_list": _name,
    "index_info": _name,
    "index_list": _name,
    "index_xinfo": _name,
    "quick_check": _optional_name,
    "optimize": _optional_number,
}
