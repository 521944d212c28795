"""What an agent offers for long work that must not be lost."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from agents_runtime._core.bounds import checked_limit
from agents_runtime._core.capability import DONE, Done

if TYPE_CHECKING:
    from agents_runtime._core.capability import capability
    from agents_runtime.fibers.fibers import Fibers
    from agents_runtime.fibers.models import FiberInfo, FiberRecovery, FiberResolution, FiberStatus

logger = logging.getLogger("agents_runtime")

T = TypeVar("T")


class FiberVerbs:
    """The verbs of fibers."""

    __slots__ = ()

    if TYPE_CHECKING:
        _fibers: capability[Fibers]

    async def run_fiber(self, name: str, work: Callable[..., Awaitable[T]], /) -> T:
        """Run `work` so that its interruption is noticed: `await self.run_fiber("index", self.index)`.

        Gives its result. A row says that it runs. Should the agent lose its memory meanwhile, `on_fiber_recovered` gets
        its name and what it stashed last, when the agent next wakes; an alarm sees to that. The work itself is not run
        again: its code cannot be stored. For work in steps that goes on by itself, write a `@task`.

        Args:
            name: what work it is, for the recovery hook.
            work: `async def`, without arguments or with the `Fiber`.
        """
        return await self._fibers.run(name, work)  # type: ignore[no-any-return] # what `work` gives

    async def start_fiber(
        self,
        name: str,
        work: Callable[..., Awaitable[Any]],
        /,
        *,
        fiber_id: str | None = None,
        idempotency_key: str | None = None,
        metadata: Mapping[str, object] | None = None,
        wait_for_completion: bool = False,
    ) -> FiberInfo:
        """Run `work` in the background as a fiber that is kept in a ledger: inspect, list, cancel, resolve it.

        Stored before this returns. `accepted` of the result is False when there was a fiber with this id or key, which
        then is the result; it is not run again, whatever became of it.

        Args:
            name: what work it is, for the recovery hook.
            work: `async def`, without arguments or with the `Fiber`.
            fiber_id: its id; by default a random one.
            idempotency_key: at most one fiber has it.
            metadata: JSON that is kept with it.
            wait_for_completion: return only when it has ended, was cancelled, or waits to be resolved.

        Raises:
            FiberConflict: id and key name two different fibers.
            UsageError: id, key or name are blank.
        """
        info = self._fibers.start(name, work, fiber_id, idempotency_key, metadata)
        return await self._fibers.settled(info) if wait_for_completion else info

    def stash(self, data: object, /) -> Done:
        """Keep how far the running fiber is, in place of the last stash. Acts at once; awaiting is optional.

        Found through the task it runs in, so it works in everything the fiber calls. Committed with the turn.

        Raises:
            UsageError: no fiber is running here.
            NotJson: naming the part of the data that is no JSON.
        """
        self._fibers.stash(data)
        return DONE

    async def inspect_fiber(self, fiber_id: str) -> FiberInfo | None:
        """Look up a fiber of `start_fiber`; None when there is none."""
        return self._fibers.store.get(fiber_id)

    async def inspect_fiber_by_key(self, idempotency_key: str) -> FiberInfo | None:
        """Look up a fiber of `start_fiber` by its idempotency key; None when there is none."""
        return self._fibers.store.get_by_key(idempotency_key)

    async def list_fibers(
        self, *, status: FiberStatus | None = None, name: str | None = None, limit: int = 50
    ) -> list[FiberInfo]:
        """List the fibers of `start_fiber`, newest first: with a status, of a name, at most `limit` (up to 100)."""
        from agents_runtime.fibers.models import checked_statuses

        statuses = checked_statuses(() if status is None else status)
        return self._fibers.store.find(statuses[0] if statuses else None, name, checked_limit(limit, 100))

    async def cancel_fiber(self, fiber_id: str, reason: str | None = None) -> bool:
        """Abort a fiber of `start_fiber`; False when there is none or it has ended. Stored before this returns.

        Its signal is set, and its code gets `asyncio.CancelledError` where it awaits.
        """
        return self._fibers.cancel(self._fibers.store.get(fiber_id), reason)

    async def cancel_fiber_by_key(self, idempotency_key: str, reason: str | None = None) -> bool:
        """Abort the fiber with this idempotency key; see `cancel_fiber`."""
        return self._fibers.cancel(self._fibers.store.get_by_key(idempotency_key), reason)

    async def resolve_fiber(self, fiber_id: str, result: FiberResolution) -> bool:
        """Say what became of an interrupted fiber: `{"status": "completed"}`. False when it is not interrupted."""
        return self._fibers.resolve(fiber_id, result)

    async def delete_fibers(
        self,
        *,
        status: FiberStatus | tuple[FiberStatus, ...] = ("completed", "aborted", "error"),
        settled_before: datetime | None = None,
        limit: int = 100,
    ) -> int:
        """Delete fibers of `start_fiber` that have ended, oldest first; returns how many. Interrupted ones stay.

        Args:
            status: delete those with this status, or one of these.
            settled_before: only those that ended before; a naive datetime is UTC.
            limit: how many at most, up to 500.

        Raises:
            UsageError: a fiber with such a status may still be running.
        """
        from agents_runtime.fibers.models import checked_statuses

        return self._fibers.delete(checked_statuses(status), settled_before, checked_limit(limit, 500))

    def on_fiber_recovered(self, fiber: FiberRecovery, /) -> Any:  # noqa: ANN401 - sync or async, with a result or none
        """Deal with a fiber that was interrupted: begin its work again from `fiber.snapshot`, or say what became of it.

        Called when the agent wakes, before `on_start`, at least once per interrupted fiber. Start the work again with
        `start_fiber`, which returns at once: the agent handles nothing else until this hook is done. What it returns
        for a managed fiber, `{"status": "completed"}` for example, goes to the ledger. When it raises, a managed fiber
        ends with an error and one of `run_fiber` is tried again later. By default it only logs a warning.
        """
        logger.warning("the fiber %r was interrupted; on_fiber_recovered could begin it again", fiber.name)
        return DONE
