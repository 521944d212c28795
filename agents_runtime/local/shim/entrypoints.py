"""Classes a worker is made of, and the decorator for plain handler functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from agents_runtime._platform.base import DurableObject
from agents_runtime._platform.workflows import WorkflowEntrypoint
from agents_runtime.errors import Evicted

__all__ = ["DurableObject", "DurableObjectAbort", "WorkerEntrypoint", "WorkflowEntrypoint", "handler"]

F = TypeVar("F", bound=Callable[..., Any])

DurableObjectAbort = Evicted
"""Raised by `ctx.abort()`: a BaseException, so that `except Exception` does not swallow it."""


class WorkerEntrypoint:
    """What answers requests: subclass it as `Default` and define `async def fetch(self, request)`.

    A new instance is made for every event; keep nothing in it.
    """

    def __init__(self, ctx: Any, env: Any) -> None:
        self.ctx = ctx
        self.env = env


def handler(func: F) -> F:
    """Mark a function such as `on_fetch` as a handler. Here its arguments are Python objects already."""
    return func
