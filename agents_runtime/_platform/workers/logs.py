"""Log records on the platform's console, each at its own level."""

from __future__ import annotations

import logging

import js


class ConsoleHandler(logging.Handler):
    """Writes records with `console.error`, `.warn`, `.info` or `.debug`, so that the log keeps their level."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            write = js.console.error
        elif record.levelno >= logging.WARNING:
            write = js.console.warn
        elif record.levelno >= logging.INFO:
            write = js.console.info
        else:
            write = js.console.debug
        write(self.format(record))


def install() -> None:
    """Let records that no handler takes reach the console; Python's own way is standard error, all of it as errors.

    Handlers that the worker installs itself, with `logging.basicConfig()` say, take precedence as usual.
    """
    if isinstance(logging.lastResort, ConsoleHandler):
        return
    handler = ConsoleHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logging.lastResort = handler
