"""How often work is tried again and after which waits. Pure, but for `retrying`, which waits through the clock port."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often something is tried, and the bounds of the waits between the attempts.

    Attributes:
        max_attempts: how often it is tried in all; 1 means no second attempt.
        base_delay_ms: half of the upper bound of the first wait; the bound doubles with every failure.
        max_delay_ms: the largest upper bound.
    """

    max_attempts: int = 3
    base_delay_ms: int = 100
    max_delay_ms: int = 3_000


DEFAULT_RETRY = RetryPolicy()
