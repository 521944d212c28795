"""`.dev.vars` and `.env` files: `NAME=value` lines, with quotes, comments and `export`."""

from __future__ import annotations

import re
from pathlib import Path

from agents_runtime.errors import ConfigError

_LINE = re.compile(
    r"""
    [ \t]*(?:export[ \t]+)?
    (?P<name>[A-Za-z_][A-Za-z0-9_.-]*)
    [ \t]*=[ \t]*
    (?: "(?P<double>(?:[^"\\]|\\.)*)" | '(?P<single>[^']*)' | `(?P<tick>[^`]*)` | (?P<bare>[^\n\r]*?) )
    [ \t]*(?:(?<=[\s"'`=])\#[^\n]*)?(?:\r?\n|\Z)
    """,
    re.VERBOSE,
)
_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"'}


def parse_dotenv(text: str) -> dict[str, str]:
    """Read the lines of a dotenv file. A later line wins over an earlier one of the same name.

    Raises:
        ValueError: a line is neither an assignment, a comment nor empty; its argument is the line's number.
    """
    values: dict[str, str] = {}
    position = 0
    while position < len(text):
        if blank := _BLANK.match(text, position):
            position = max(blank.end(), position + 1)
            continue
        line = _LINE.match(text, position)
        if line is None:
            raise ValueError(text.count("\n", 0, position) + 1)
        if (double := line["double"]) is not None:
            values[line["name"]] = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), double, flags=re.DOTALL)
        else:
            values[line["name"]] = line["single"] or line["tick"] or line["bare"] or ""
        position = line.end()
    return values


def read_dotenv(file: Path) -> dict[str, str]:
    """Read a dotenv file.

    Raises:
        ConfigError: the file cannot be read or a line makes no sense. The text never shows a value.
    """
    try:
        return parse_dotenv(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as exc:
        raise ConfigError(file, None, "not UTF-8 text. Save the file as UTF-8") from exc
    except OSError as exc:
        raise ConfigError(file, None, f"cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigError(file, f"line {exc.args[0]}", "not an assignment. Write NAME=value or NAME='value'") from exc
