"""Log records of the host, of libraries and of the user's code, as lines in the chosen format."""

from __future__ import annotations

import io
import json
import logging
import traceback
from typing import TYPE_CHECKING

from agents_runtime.local.server.access import LineWriter, LogFormat, timestamp

if TYPE_CHECKING:
    from types import TracebackType

QUIET = ("httpx", "httpcore", "watchfiles", "asyncio", "websockets")
"""Libraries whose information is noise here."""

_COLOURS = {"WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}
_Fault = tuple[type[BaseException], BaseException, "TracebackType | None"]


def set_up_logging(log_format: LogFormat, lines: LineWriter) -> None:
    """Send every log record to `lines`."""
    handler = _LineHandler(lines)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter(lines.is_terminal))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


class _LineHandler(logging.Handler):
    def __init__(self, lines: LineWriter) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.write(self.format(record))
        except Exception:  # a log line must never take the server down; logging decides how to report it
            self.handleError(record)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        return json.dumps(fields, ensure_ascii=False, default=str, separators=(",", ":"))


class _TextFormatter(logging.Formatter):
    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def format(self, record: logging.LogRecord) -> str:
        level = record.levelname
        if self._is_terminal:
            level = f"\x1b[{_COLOURS.get(level, '2')}m{level}\x1b[0m"
        text = f"{level} {record.getMessage()}"
        if record.exc_info and record.exc_info[1] is not None:
            text += "\n" + self._fault(record.exc_info[1])
        return text

    def _fault(self, error: BaseException) -> str:
        plain = "".join(traceback.format_exception(error)).rstrip()
        return (self._is_terminal and _highlighted(error)) or plain


def _highlighted(error: BaseException) -> str | None:
    """The traceback with colours and source, when rich is installed."""
    try:
        from rich.console import Console
        from rich.traceback import Traceback
    except ImportError:
        return None
    text = io.StringIO()
    trace = Traceback.from_exception(type(error), error, error.__traceback__, extra_lines=1, max_frames=12)
    Console(file=text, force_terminal=True, width=120).print(trace)
    return text.getvalue().rstrip()
