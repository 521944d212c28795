"""Bounds for uvicorn's HTTP protocols: how long a client may keep us waiting."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from agents_runtime.local.server.limits import Limits

TOO_LARGE = b"The request head is too large.\n"


class Guard(asyncio.Protocol):
    """Mixed into a uvicorn protocol: watches the clock for one connection."""

    limits: Limits
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    cycle: Any
    flow: Any

    _head_since: float | None = None
    _received_at = 0.0
    _unsent_bytes = 0
    _unsent_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._head_since = self._received_at = self.loop.time()

    def data_received(self, data: bytes) -> None:
        self._received_at = now = self.loop.time()
        former = self.cycle
        if self._head_since is None and (former is None or former.response_complete):
            self._head_since = now
        super().data_received(data)
        if self.cycle is not former:
            self._head_since = None

    def check_stalled(self, now: float) -> None:
        """Cut off a client that sends its head or body, or takes its response, too slowly."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            if self._head_since is not None and now - self._head_since > self.limits.head_timeout_s:
                self.transport.close()
        elif self._is_body_overdue(now) or self._is_unread(now):
            self.transport.abort()

    def _is_body_overdue(self, now: float) -> bool:
        is_expected = self.cycle.more_body and not self.flow.read_paused
        return is_expected and now - self._received_at > self.limits.body_timeout_s

    def _is_unread(self, now: float) -> bool:
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent_bytes:
            self._unsent_bytes, self._unsent_since = unsent, now
        return now - self._unsent_since > self.limits.body_timeout_s


def guarded_http_protocol(limits: Limits) -> Callable[..., asyncio.Protocol]:
    """The fastest HTTP protocol that is installed, with bounds, for uvicorn to call."""
    if find_spec("httptools") is not None:
        from agents_runtime.local.server.guard_httptools import GuardedHttpTools

        return functools.partial(GuardedHttpTools, limits)
    from agents_runtime.local.server.guard_h11 import GuardedH11

    return functools.partial(GuardedH11, limits)
