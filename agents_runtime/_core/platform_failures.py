"""Telling the platform's failures from the application's: those come and go, and the work they hit is not to blame.

Every function takes an exception, or a text, and looks through the causes of an exception. The texts are the
platform's own; an application error that only mentions an upgrade or a reset is none of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CAUSES = 8
"""How far a chain of causes is followed; it may be a circle."""

_SUPERSEDED = re.compile(r"reset because its code was updated|this script has been upgraded", re.IGNORECASE)
_CONNECTION_LOST = re.compile(r"network connection lost", re.IGNORECASE)
_STORAGE_RESET = re.compile(r"Internal error in Durable Object storage caused object to be reset", re.IGNORECASE)
_MEMORY_LIMIT = re.compile(r"exceeded its memory limit", re.IGNORECASE)
_OVERLOADED = "Durable Object is overloaded"


def is_error_retryable(error: object) -> bool:
    """Whether the platform itself says that trying again may help, and the object is not just overloaded."""
    if not getattr(error, "retryable", False) or getattr(error, "overloaded", False):
        return False
    return _OVERLOADED not in str(error)


def is_durable_object_code_update_reset(error: object) -> bool:
    """Whether a new version of the code replaced this one. Trying again in the same process cannot help."""
    return _any_matches(error, _SUPERSEDED)


def is_durable_object_storage_reset(error: object) -> bool:
    """Whether the platform's storage reset the object."""
    return _any_matches(error, _STORAGE_RESET)


def is_durable_object_memory_limit_reset(error: object) -> bool:
    """Whether the object needed more memory than the platform gives it. The same work would need it again."""
    return _any_matches(error, _MEMORY_LIMIT)


def is_platform_transient_error(error: object) -> bool:
    """Whether the same work will succeed once the platform has recovered."""
    return any(
        _SUPERSEDED.search(text) or _CONNECTION_LOST.search(text) or _STORAGE_RESET.search(text)
        for text in map(_text, _with_causes(error))
    ) or any(map(is_error_retryable, _with_causes(error)))


def is_platform_failure(error: object) -> bool:
    """Whether the platform failed, for a time or for lack of memory: the work must be kept, not given up."""
    return is_platform_transient_error(error) or is_durable_object_memory_limit_reset(error)


def _any_matches(error: object, pattern: re.Pattern[str]) -> bool:
    return any(pattern.search(_text(each)) for each in _with_causes(error))


def _text(error: object) -> str:
    return str(error) if isinstance(error, str | BaseException) else str(getattr(error, "message", ""))


def _with_causes(error: object) -> Iterator[object]:
    current: object = error
    for _ in range(_CAUSES):
        if current is None:
            return
        yield current
        if not isinstance(current, BaseException):
            return
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
