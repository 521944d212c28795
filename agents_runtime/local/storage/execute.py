"""Runs statements of the user on a database: under guard, in the turn's transaction, with the platform's errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from agents_runtime.local.storage.binding import clean_text
from agents_runtime.local.storage.database import Database, SqlParameter
from agents_runtime.local.storage.guard import MAX_QUERY_BYTES
from agents_runtime.local.storage.messages import WRONG_BINDINGS, platform_error
from agents_runtime.local.storage.plan import Statement, make_plan, plan_of
from agents_runtime.local.values import JsException

_KEPT_LENGTH = 4_000
"""Characters. Longer texts are mostly made for one use; keeping them would cost memory for nothing."""


def run(database: Database, query: str, parameters: Sequence[SqlParameter]) -> tuple[sqlite3.Cursor, Statement]:
    """Run every statement of a text; return the cursor of the last, stepped to its first row, and what it was.

    Raises:
        JsException: the platform's error, when the text, a value or a constraint is at fault.
        StorageError: the machine is.
    """
    if len(query) * 4 > MAX_QUERY_BYTES and len(query.encode("utf-8", "replace")) > MAX_QUERY_BYTES:
        raise JsException("Error", "statement too long: SQLITE_TOOBIG")
    plan = plan_of(query) if len(query) <= _KEPT_LENGTH else make_plan(query)
    for statement in plan.earlier:
        _step(database, statement, ()).close()
    return _step(database, plan.last, parameters), plan.last


def user_failure(database: Database, error: sqlite3.Error, text: str) -> Exception:
    """The error to raise for a failed statement of the user."""
    return database.note_failure(error) or platform_error(error, text)


def _step(database: Database, statement: Statement, parameters: Sequence[SqlParameter]) -> sqlite3.Cursor:
    if statement.refusal is not None:
        raise JsException("Error", statement.refusal)
    if statement.writes:
        database.begin_write()
    if statement.order is not None:
        if len(parameters) != statement.parameter_count:
            raise JsException("Error", WRONG_BINDINGS)
        parameters = [parameters[position - 1] for position in statement.order]
    connection = database.connection
    guard = database.guard
    guard.is_trusted = False
    try:
        try:
            return connection.execute(statement.text, parameters)
        except UnicodeEncodeError:
            cleaned = [clean_text(value) if isinstance(value, str) else value for value in parameters]
            return connection.execute(clean_text(statement.text), cleaned)
    except sqlite3.Error as error:
        raise user_failure(database, error, statement.text) from error
    finally:
        guard.is_trusted = True
