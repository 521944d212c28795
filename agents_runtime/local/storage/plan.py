"""Takes the text of `sql.exec` apart before SQLite sees it: statements, what each does, named parameters.

Pure. Only what decides how a statement is run is looked at; SQLite judges the rest.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from agents_runtime.local.storage.guard import MAX_PARAMETERS

NO_STATEMENT = "SQL code did not contain a statement."
EARLY_PARAMETERS = (
    "When executing multiple SQL statements in a single call, only the last statement can have parameters."
)
OWN_TRANSACTION = (
    "BEGIN, COMMIT, ROLLBACK, SAVEPOINT and RELEASE are not allowed: call ctx.storage.transactionSync(fn), or await "
    "ctx.storage.transaction(fn), to write several rows atomically. All writes of one event commit together anyway."
)
NOT_AUTHORIZED = "not authorized: SQLITE_AUTH"
NO_VACUUM = "cannot VACUUM from within a transaction: SQLITE_ERROR"

TOKEN = re.compile(
    r"""
      (?P<blank>   \s+ | --[^\n]* | /\*(?:.|\n)*?(?:\*/|\Z) )
    | (?P<string>  '(?:[^']|'')*'? )
    | (?P<name>    "(?:[^"]|"")*"? | `(?:[^`]|``)*`? | \[[^\]]*\]? | [^\W\d][\w$]* )
    | (?P<numbered>\?\d+ )
    | (?P<plain>   \? )
    | (?P<named>   [:@$][\w$]+(?:::[\w$]+)* )
    | (?P<number>  \.?\d[\w.]* )
    | (?P<end>     ; )
    | (?P<other>   . )
    """,
    re.VERBOSE,
)

_READING = frozenset({"select", "values", "explain", "pragma"})
_TRANSACTION = frozenset({"begin", "commit", "end", "rollback", "savepoint", "release"})
_SIMPLE = re.compile(r"\s*([A-Za-z]+)[^;:@$]*;?\s*\Z")
_NUMBERED = re.compile(r"\?\d")
_WRITES_INSIDE = re.compile(r"\b(?:insert|update|delete|replace)\b", re.IGNORECASE)
_WRITING_PRAGMA = re.compile(r"pragma\s+(?:\w+\s*\.\s*)?(?:optimize|defer_foreign_keys)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a text."""

    text: str
    verb: str
    """The first word, in lower case."""
    writes: bool
    refusal: str | None = None
    """Why it must not run, when SQLite would not say it."""
    order: tuple[int, ...] | None = None
    """For each `?` the position of its value, from 1, where the text had numbered or named parameters."""
    parameter_count: int = 0
    """How many values it takes; known only together with `order`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The statements of a text in order. Only the last takes parameters and gives rows."""

    earlier: tuple[Statement, ...]
    last: Statement


def make_plan(query: str) -> Plan:
    """Take a text apart. Never fails: what cannot run becomes a statement with a refusal, in its place."""
    simple = _SIMPLE.match(query)
    if simple is not None and not _NUMBERED.search(query):
        return Plan((), _statement(query, simple[1]))
    statements = [_examine(part) for part in _split(query)]
    earlier = tuple(_without_parameters(statement) for statement in statements[:-1])
    return Plan(earlier, statements[-1])


plan_of = lru_cache(maxsize=1024)(make_plan)
"""`make_plan`, kept per text."""


def _statement(text: str, first_word: str) -> Statement:
    verb = first_word.lower()
    if verb == "with":
        writes = _WRITES_INSIDE.search(text) is not None
    elif verb == "pragma":
        writes = _WRITING_PRAGMA.search(text) is not None
    else:
        writes = verb not in _READING
    refusal = _refusal_of(text, verb)
    if "_cf_" in text.lower():
        text += " "  # never the same text as one of the host's own statements, which SQLite has compiled unguarded
    return Statement(text, verb, writes, refusal)


def _refusal_of(text: str, verb: str) -> str | None:
    if verb in _TRANSACTION:
        return OWN_TRANSACTION
    if verb == "vacuum":
        return NO_VACUUM
    if verb == "alter":  # SQLite does not tell the authorizer the new name of a table
        words = [token.group().strip("'\"`[]").lower() for token in TOKEN.finditer(text) if token.lastgroup != "blank"]
        for position in range(2, len(words)):
            if words[position].startswith("_cf_") and words[position - 2 : position] == ["rename", "to"]:
                return NOT_AUTHORIZED
    return None


def _split(query: str) -> Iterator[str]:
    start = 0
    for token in TOKEN.finditer(query):
        if token.lastgroup == "end" and sqlite3.complete_statement(query[start : token.end()]):
            yield query[start : token.end()]
            start = token.end() + _leading_space(query[token.end() :])
    if start < len(query) or not query:
        yield query[start:]


def _leading_space(text: str) -> int:
    return len(text) - len(text.lstrip(" \t\n\r\v\f"))


def _examine(text: str) -> Statement:
    """Look at one statement word by word, and take the values of numbered and named parameters as SQLite would.

    They become plain `?`, since Python's sqlite3 refuses to fill them by position from 3.14 on.
    """
    first_word = ""
    numbers: dict[str, int] = {}
    highest = 0
    order: list[int] = []
    is_plain = True
    parts: list[str] = []
    for token in TOKEN.finditer(text):
        kind, part = token.lastgroup, token.group()
        if not first_word and kind == "name":
            first_word = part
        elif kind in ("plain", "numbered", "named"):
            number = _number_of(part, highest, numbers)
            highest = max(highest, number)
            order.append(number)
            is_plain = is_plain and kind == "plain"
            part = "?"
        parts.append(part)
    if not first_word:
        return Statement(text, "", writes=False, refusal=None if _has_substance(text) else NO_STATEMENT)
    if is_plain or not all(0 < number <= MAX_PARAMETERS for number in order):  # SQLite says what is wrong with those
        return _statement(text, first_word)
    return replace(_statement("".join(parts), first_word), order=tuple(order), parameter_count=highest)


def _number_of(parameter: str, highest: int, numbers: dict[str, int]) -> int:
    """The number of a parameter, as SQLite counts them; a name keeps the number it got first."""
    if parameter[0] == "?":
        return int(parameter[1:]) if len(parameter) > 1 else highest + 1
    return numbers.setdefault(parameter, highest + 1)


def _has_substance(text: str) -> bool:
    return any(token.lastgroup not in ("blank", "end") for token in TOKEN.finditer(text))


def _without_parameters(statement: Statement) -> Statement:
    if statement.refusal is None and any(
        token.lastgroup in ("plain", "numbered", "named") for token in TOKEN.finditer(statement.text)
    ):
        return Statement(statement.text, statement.verb, writes=False, refusal=EARLY_PARAMETERS)
    return statement
