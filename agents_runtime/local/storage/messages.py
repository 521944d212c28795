"""The texts the platform gives for errors of SQLite: SQLite's own text, the place in the query, the code.

SQLite knows the place but Python's module does not pass it on, so it is found again from the text of the error.
"""

from __future__ import annotations

import re
import sqlite3

from agents_runtime.local.storage.plan import TOKEN
from agents_runtime.local.values import JsException

WRONG_BINDINGS = "Wrong number of parameter bindings for SQL query."
CURSOR_CLOSED = (
    "SQL cursor was closed because the object's storage was closed or rolled back; read all rows before the event ends"
)

_CODES = {
    getattr(sqlite3, name): name
    for name in (
        "SQLITE_ERROR", "SQLITE_INTERNAL", "SQLITE_PERM", "SQLITE_ABORT", "SQLITE_BUSY", "SQLITE_LOCKED",
        "SQLITE_NOMEM", "SQLITE_READONLY", "SQLITE_INTERRUPT", "SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTFOUND",
        "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_PROTOCOL", "SQLITE_EMPTY", "SQLITE_SCHEMA", "SQLITE_TOOBIG",
        "SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_MISUSE", "SQLITE_NOLFS", "SQLITE_AUTH", "SQLITE_FORMAT",
        "SQLITE_RANGE", "SQLITE_NOTADB",
    )
}  # fmt: skip

_QUOTED = re.compile(r'(?:near|unrecognized token:) "(.*)"(?:: syntax error)?\Z', re.DOTALL)
_NAMED = re.compile(
    r"(?:no such column: |ambiguous column name: |no such function: |not authorized to use function: "
    r"|too many arguments on function |wrong number of arguments to function )(?:.*\.)?([^.()]+)(?:\(\))?\Z",
    re.DOTALL,
)


def platform_error(error: sqlite3.Error, text: str) -> JsException:
    """The error a statement of the user raises on the platform. `text` is the statement."""
    message = str(error)
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        if message.startswith("Incorrect number of bindings"):
            message = WRONG_BINDINGS
        elif "closed" in message:
            message = CURSOR_CLOSED
        return JsException("Error", message)
    offset = _offset_of(message, text)
    place = "" if offset is None else f" at offset {offset}"
    name = _CODES.get(code & 0xFF, f"SQLITE_UNKNOWN_ERROR_CODE({code & 0xFF})")
    extended = "" if code < 0x100 else f" (extended: {error.sqlite_errorname})"
    return JsException("Error", f"{message}{place}: {name}{extended}")


def _offset_of(message: str, text: str) -> int | None:
    """Where in the statement, in bytes, SQLite saw the error; None when it is about no place in particular."""
    if message == "too many SQL variables":
        places = [token.start() for token in TOKEN.finditer(text) if token.lastgroup == "plain"]
        return _bytes_before(text, places[100]) if len(places) > 100 else None
    quoted = _QUOTED.match(message)
    if quoted is not None:
        return _offset_of_syntax(message, quoted[1], text)
    named = _NAMED.match(message)
    if named is None:
        return None
    wanted = named[1].lower()
    for token in TOKEN.finditer(text):
        if token.lastgroup == "name" and token.group().strip('"`[]').lower() == wanted:
            return _bytes_before(text, token.start())
    return None


def _offset_of_syntax(message: str, wanted: str, text: str) -> int | None:
    places = [token.start() for token in TOKEN.finditer(text) if token.group().startswith(wanted)]
    if len(places) > 1:
        places = [place for place in places if _fails_with(message, text[: place + len(wanted)])] or places
    return _bytes_before(text, places[0]) if places else None


def _fails_with(message: str, beginning: str) -> bool:
    """Whether the parser already fails in the same way at this beginning of the statement."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute(f"EXPLAIN {beginning}")
    except sqlite3.Error as error:
        return str(error) == message
    finally:
        connection.close()
    return False


def _bytes_before(text: str, place: int) -> int:
    return len(text[:place].encode("utf-8", "replace"))
