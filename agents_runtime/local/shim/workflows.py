"""Names of `workers.workflows`."""

from __future__ import annotations


class NonRetryableError(Exception):
    """Raised by a workflow step that must not be tried again."""
