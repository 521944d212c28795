"""What agents offer for the queue. The work is done by `Queue`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast, overload

if TYPE_CHECKING:
    from agents_runtime._core.callbacks import Callback
    from agents_runtime._core.capability import capability
    from agents_runtime._core.jsonx import Json
    from agents_runtime._core.retry import RetryLike
    from agents_runtime.queue.items import Queue
    from agents_runtime.queue.models import DeadLetter, QueueItem


class QueueVerbs:
    """The verbs of an agent's queue."""

    __slots__ = ()

    if TYPE_CHECKING:
        _queue: capability[Queue]

    @overload
    async def queue(
        self,
        callback: Callback,
        payload: object = None,
        /,
        *,
        retry: RetryLike = None,
        id: str | None = None,
        priority: int = 0,
    ) -> str: ...
    @overload
    async def queue(self, payload: Mapping[str, object], /, *, id: str | None = None) -> str: ...
    async def queue(
        self,
        callback: Any,
        payload: object = None,
        /,
        *,
        retry: RetryLike = None,
        id: str | None = None,  # noqa: A002 - as above
        priority: int = 0,
    ) -> str:
        """Queue a call of a method, which runs right after this event; or a payload that waits to be pulled.

        `await self.queue(self.index, {"doc": 42})` calls `index(payload, item)`, at least once, in the order of
        queueing. When it fails at every attempt, `on_error` is told and the item becomes a dead letter; the next items
        go on. `await self.queue({"doc": 42})` waits for `dequeue()`. Stored before this returns.

        Returns:
            The item's id.

        Args:
            callback: a method of the agent, or its name.
            payload: JSON.
            retry: `{"max_attempts": 3, "base_delay_ms": 100, "max_delay_ms": 3000}`, or part of it.
            id: names the item. Queueing under the same id again replaces the one that waits; it keeps its place.
            priority: items with a higher one go first; 0 by default.

        Raises:
            UnknownCallback: the agent has no such method.
            NotJson: naming the part of the payload that is no JSON.
            TooManyPending: `options["max_pending"]` items wait.
        """
        if isinstance(callback, Mapping):
            return self._queue.add_to_pull(cast("Mapping[str, object]", callback), item_id=id)
        return self._queue.add(callback, payload, retry=retry, item_id=id, priority=priority)

    @overload
    async def dequeue(self, /) -> Json: ...
    @overload
    async def dequeue(self, item_id: str, /) -> bool: ...
    async def dequeue(self, item_id: str | None = None, /) -> Json:
        """Take the oldest payload that waits to be pulled, None if none does; or remove the item with an id: a bool.

        What was taken is gone: it is handed out at most once. Removing an item does not stop a run that goes on.
        """
        return self._queue.pull() if item_id is None else self._queue.remove(item_id)

    async def dequeue_all(self) -> list[Json]:
        """Remove every item that waits, with a method or without, and return their payloads."""
        return self._queue.remove_all()

    async def dequeue_all_by_callback(self, callback: Callback, /) -> int:
        """Remove the items of one method that wait, and return how many there were."""
        return self._queue.remove_by_callback(callback)

    @overload
    async def get_queue(self, /) -> list[Json]: ...
    @overload
    async def get_queue(self, item_id: str, /) -> QueueItem | None: ...
    async def get_queue(self, item_id: str | None = None, /) -> list[Json] | QueueItem | None:
        """List the payloads that wait to be pulled, oldest first; or find the item with an id, of either kind."""
        return self._queue.waiting() if item_id is None else self._queue.get(item_id)

    async def get_queues(self, key: str | None = None, value: object = None, /) -> list[QueueItem]:
        """List the items that wait, with a method or without; only those whose payload has `value` under `key`."""
        return self._queue.matching(key, value)

    async def list_dead_letters(self, callback: str | None = None) -> list[DeadLetter]:
        """List the items that failed at every attempt, oldest first; at most 1,000 are kept."""
        return self._queue.dead_letters(callback)

    async def requeue_dead_letters(self, *ids: str, callback: str | None = None) -> int:
        """Queue dead letters again, at the end: those with these ids, of one callback, or all. Returns how many."""
        return self._queue.requeue(*ids, callback=callback)

    async def delete_dead_letters(self, *ids: str, callback: str | None = None) -> int:
        """Delete dead letters: those with these ids, of one callback, or all. Returns how many."""
        return self._queue.delete_dead_letters(*ids, callback=callback)
