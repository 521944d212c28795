"""Collects the exceptions inside objects that no caller received: those the host reports, and those that are logged.

An agent whose `on_error` was not overridden logs what goes wrong in its hooks; in a test that must not pass unseen.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from agents_runtime.testing.reports import ObjectError

LOGGER = "agents_runtime"


class ErrorLog(logging.Handler):
    """The errors of one runtime, in order of appearance, each once.

    Args:
        where: which object of the runtime the current task works for; None for a task of another runtime.
    """

    def __init__(self, where: Callable[[], str | None]) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[ObjectError] = []
        self._logged: list[ObjectError] = []
        self._where = where

    def open(self) -> None:
        """Listen to the library's log."""
        logging.getLogger(LOGGER).addHandler(self)

    def close(self) -> None:
        """Listen no more; what was found stays."""
        logging.getLogger(LOGGER).removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Take an exception from the log, unless it was answered to a caller."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None or getattr(record, "is_answered", False):
            return
        where = self._where()
        if where is not None and self._find(error) is None:
            found = ObjectError(where, record.getMessage(), error)
            self._logged.append(found)
            self.errors.append(found)

    def add(self, where: str, event: str, error: BaseException) -> None:
        """Take an exception that the host reports. It knows the event better than the log does."""
        known = self._find(error)
        if known is None:
            self.errors.append(ObjectError(where, event, error))
        elif known in self._logged:
            self._logged.remove(known)
            self.errors[self.errors.index(known)] = ObjectError(where, event, error)

    def _find(self, error: BaseException) -> ObjectError | None:
        return next((known for known in self.errors if known.error is error), None)
