"""The HTTP protocol where httptools is not installed. The limit for the head is a setting of uvicorn's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from agents_runtime.local.server.guard import Guard

if TYPE_CHECKING:
    from agents_runtime.local.server.limits import Limits


class GuardedH11(Guard, H11Protocol):
    """h11 with bounds."""

    def __init__(self, limits: Limits, **options: Any) -> None:
        self.limits = limits
        super().__init__(**options)
