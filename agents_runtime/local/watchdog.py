"""Warns about code that blocks the event loop, naming the object and the line.

A thread looks at a heartbeat of the loop, so that nothing is measured on the way of an event.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING

from agents_runtime.local.life import Life

if TYPE_CHECKING:
    from types import FrameType

    from agents_runtime.local.actor import Actor

logger = logging.getLogger("agents_runtime.local")

CHECKS_PER_LIMIT = 4


class Watchdog:
    """Watches one event loop from `start` to `stop`, both called on that loop.

    Args:
        limit_s: how long one piece of code may keep the loop before a warning is logged, once each time.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._interval_s = limit_s / CHECKS_PER_LIMIT
        self._beat_s = 0.0
        self._is_warned = False
        self._stopped = threading.Event()
        self._thread_id = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._thread_id = threading.get_ident()
        self._beat()
        threading.Thread(target=self._watch, name="agents-watchdog", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        self._beat_s = time.monotonic()
        self._is_warned = False
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._beat)

    def _watch(self) -> None:
        while not self._stopped.wait(self._interval_s):
            blocked_s = time.monotonic() - self._beat_s
            if blocked_s > self._limit_s + self._interval_s and not self._is_warned:
                self._is_warned = True
                self._warn(sys._current_frames().get(self._thread_id))  # pyright: ignore[reportPrivateUsage] - public in all but name

    def _warn(self, frame: FrameType | None) -> None:
        if frame is None:
            return
        actor = _running_actor(frame)
        where = traceback.extract_stack(frame)[-1]
        logger.warning(
            "%s has kept the event loop busy for more than %s s at %s:%s (%s): nothing else is answered meanwhile. "
            "Await what waits, and run long computations with asyncio.to_thread.",
            "the worker" if actor is None else repr(actor),
            self._limit_s,
            where.filename,
            where.lineno,
            where.name,
        )


def _running_actor(frame: FrameType | None) -> Actor | None:
    """The object whose event is on the stack, innermost first."""
    while frame is not None:
        if frame.f_code is Life.run.__code__:
            life = frame.f_locals.get("self")
            return life.actor if isinstance(life, Life) else None
        frame = frame.f_back
    return None
