"""Bounds that several capabilities share."""

from __future__ import annotations

from agents_runtime.errors import UsageError

MAX_LIMIT = 1_000


def checked_limit(limit: object, most: int = MAX_LIMIT) -> int:
    """`limit` if it is one. Raises UsageError if it is not a whole number from 1 to `most`."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= most:
        raise UsageError(f"limit must be a whole number from 1 to {most:,}, not {limit!r}")
    return limit
