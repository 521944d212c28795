"""One line per request: for people in `dev`, JSON in `serve`. Lines are written in batches."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, TextIO

LogFormat = Literal["text", "json"]

FLUSH_AFTER_S = 0.05
MAX_WAITING_LINES = 1_000
_to_json = json.JSONEncoder(separators=(",", ":")).encode
_COLOURS = {2: "32", 3: "36", 4: "33", 5: "31"}


class LineWriter:
    """Writes lines to a stream, those of a short while together."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self.is_terminal = stream.isatty()

    def write(self, line: str) -> None:
        """Write a line soon; the order is kept."""
        self._lines.append(line)
        if len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_later(FLUSH_AFTER_S, self.flush)
            except RuntimeError:
                self.flush()
        elif len(self._lines) >= MAX_WAITING_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting, now."""
        lines, self._lines = self._lines, []
        if lines:
            try:
                self._stream.write("\n".join(lines) + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                self._lines.clear()  # the reader of our output went away; the server stays


class AccessLog:
    """Reports each answered request."""

    def __init__(self, log_format: LogFormat, lines: LineWriter) -> None:
        self._lines = lines
        self._line: Callable[[str, str, int, float], str] = _json_line if log_format == "json" else self._text_line

    def report(self, method: str, path: str, status: int, elapsed_s: float) -> None:
        """Write the line of one request. The query is left out, since it may hold secrets."""
        self._lines.write(self._line(method, path, status, elapsed_s))

    def _text_line(self, method: str, path: str, status: int, elapsed_s: float) -> str:
        shown = "".join(c if c.isprintable() else "\ufffd" for c in path)
        code = str(status)
        if self._lines.is_terminal:
            code = f"\x1b[{_COLOURS.get(status // 100, '0')}m{status}\x1b[0m"
        return f"{method} {shown} {code} {_milliseconds(elapsed_s)}"


def _milliseconds(elapsed_s: float) -> str:
    elapsed_ms = elapsed_s * 1000
    return f"{elapsed_ms:.1f} ms" if elapsed_ms < 10 else f"{elapsed_ms:.0f} ms"


def _json_line(method: str, path: str, status: int, elapsed_s: float) -> str:
    return _to_json(
        {
            "time": timestamp(time.time()),
            "level": "info",
            "event": "request",
            "method": method,
            "path": path,
            "status": status,
            "ms": round(elapsed_s * 1000, 1),
        }
    )


def timestamp(seconds: float) -> str:
    """A time as ISO text with milliseconds, in UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def standard_lines() -> LineWriter:
    """Lines on standard output."""
    return LineWriter(sys.stdout)
