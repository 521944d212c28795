"""The HTTP protocol where httptools is not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from agents_runtime.local.server.guard import TOO_LARGE, Guard

if TYPE_CHECKING:
    from agents_runtime.local.server.limits import Limits


class GuardedH11(Guard, H11Protocol):
    """h11 with bounds. Its own limit counts only a head that is not complete yet."""

    def __init__(self, limits: Limits, **options: Any) -> None:
        self.limits = limits
        super().__init__(**options)
        self._unbounded: Any = self.app
        self.app = self._bounded

    async def _bounded(self, scope: Any, receive: Any, send: Any) -> None:
        size = len(scope["raw_path"]) + len(scope["query_string"])
        size += sum(len(name) + len(value) for name, value in scope["headers"])
        if size <= self.limits.max_head_bytes:
            await self._unbounded(scope, receive, send)
            return
        headers = [(b"content-length", b"%d" % len(TOO_LARGE)), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 431, "headers": headers})
        await send({"type": "http.response.body", "body": TOO_LARGE})
