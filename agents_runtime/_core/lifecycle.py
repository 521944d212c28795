"""Starting an agent: once per life, before any event, shared by all events that arrive meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from agents_runtime._core.failures import just_destroyed

Gate = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
"""Runs work while no other event enters the object."""


class Lifecycle:
    """Runs `start` until it succeeds once.

    Events that arrive during an attempt wait for it and share its failure; the next event tries again.
    """

    def __init__(self, start: Callable[[], Awaitable[None]], gate: Gate | None) -> None:
        self._start = start
        self._gate = gate
        self._attempt: asyncio.Future[Exception | None] | None = None
        self._is_over = False
        self.is_started = False

    def end(self) -> None:
        """Let no further event in: the agent was destroyed, and what is left of it is about to leave memory."""
        self._is_over = True
        self.is_started = False

    @property
    def is_starting(self) -> bool:
        """Whether an attempt is under way."""
        return self._attempt is not None

    async def ensure_started(self) -> None:
        """Return when the agent has started. Raises what its start raised, RetryableError after its end."""
        while not self.is_started:
            if self._is_over:
                raise just_destroyed()
            attempt = self._attempt
            if attempt is None:
                await self._try()
                return
            failure = await asyncio.shield(attempt)
            if failure is not None:
                raise failure

    async def _try(self) -> None:
        attempt = self._attempt = asyncio.get_running_loop().create_future()
        failure: Exception | None = None

        async def work() -> None:
            # An exception that left this function would make the platform reset the object.
            nonlocal failure
            try:
                await self._start()
                self.is_started = True
            except Exception as error:  # handed to every event that waits
                failure = error

        try:
            if self._gate is None:
                await work()
            else:
                await self._gate(work)
        finally:
            self._attempt = None
            attempt.set_result(failure)
        if failure is not None:
            raise failure
