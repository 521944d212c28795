"""The queue of one agent.

An item with a method is a job that is due at once: the method runs at least once, in the order of queueing, after the
event that queued it. One that fails at every attempt becomes a dead letter and holds nobody up. An item without a
method waits to be pulled; pulling removes it, so it is handed out at most once.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from agents_runtime._core.capability import Capability
from agents_runtime._core.ids import OrderedIds
from agents_runtime._core.jobs.attempts import Attempts
from agents_runtime._core.jobs.port import QUEUE
from agents_runtime._core.jobs.table import has_table
from agents_runtime._core.jsonx import Json, dumps, size_bytes
from agents_runtime._core.retry import RetryLike, resolve_retry, retry_from_json, retry_to_json
from agents_runtime.errors import SchemaTooNew, StorageError, TooManyPending, UsageError
from agents_runtime.queue.models import DeadLetter, QueueItem
from agents_runtime.queue.store import QueueStore

if TYPE_CHECKING:
    from agents_runtime._core.callbacks import Callback, Callbacks
    from agents_runtime._core.jobs.port import Job, Outcome
    from agents_runtime._core.options import AgentOptions
    from agents_runtime._core.retry import RetryPolicy
    from agents_runtime._core.surroundings import Surroundings

logger = logging.getLogger("agents_runtime")

VERSION_KEY = "cf_agents:queue_schema_version"
VERSION = 1
OLD_TABLE = "cf_agents_queues"
MAX_PAYLOAD_BYTES = 1_048_576
MAX_PRIORITY = 1_000
LARGEST_STEP_BACK_MS = 60_000
"""By so much the machine's clock may be set back without changing the order of the items."""

_ENVELOPE_TAIL = '"owner_path":null,"owner_path_key":null}'
_NO_METHOD = "the class has no such method"


class Queue(Capability):
    """The queue of one agent."""

    def __init__(self, around: Surroundings, callbacks: Callbacks, options: AgentOptions) -> None:
        self._jobs = around.jobs
        self._hand_over = around.hand_over
        self._callbacks = callbacks
        self._attempts = Attempts.of(around, "queue")
        self._platform = around.platform
        self._options = options
        self._ids = OrderedIds(around.platform.entropy.random_bytes)
        self._store = QueueStore(around.platform.sql)
        self._last_ms = 0
        self._pending: int | None = None
        self._refusal: SchemaTooNew | None = None
        around.jobs.register(QUEUE, self._run, concurrency=options.queue_concurrency)

    async def on_start(self) -> None:
        """Take over the items of an older table."""
        version: Any = self._platform.kv.get(VERSION_KEY) or 0
        if version > VERSION:
            self._refusal = SchemaTooNew(VERSION_KEY, version, VERSION)
            logger.error("the queue is kept, but neither runs nor changes: %s", self._refusal)
        elif version < VERSION and has_table(self._platform.sql, OLD_TABLE):
            from agents_runtime.queue.migration import migrate

            migrate(self._platform, self._jobs, self._options.retry)

    # Queueing

    def add(
        self,
        callback: Callback,
        payload: object = None,
        *,
        retry: RetryLike = None,
        item_id: str | None = None,
        priority: int = 0,
    ) -> str:
        """Queue a call of a method; returns the item's id."""
        if self._refusal is not None:
            raise self._refusal
        name = self._callbacks.name_of(callback)
        policy = resolve_retry(retry, self._options.retry)
        if priority:
            _check_priority(priority)
        existing = None if item_id is None else self._jobs.get(QUEUE, item_id)
        if existing is None:
            self._check_room(self._jobs.count(QUEUE))
        if item_id is not None and self._store.item(item_id) is not None:
            raise UsageError(f"the id {item_id!r} belongs to an item that waits to be pulled: choose another")
        job = self._push(
            name,
            self._next_ms() if existing is None else existing.time_ms,
            item_id,
            _text_of(payload),
            policy,
            priority,
        )
        self._attempts.emit("queue:create", {"callback": name, "id": job.id})
        return job.id

    def _push(
        self,
        name: str,
        time_ms: int,
        item_id: str | None,
        payload_text: str | None,
        policy: RetryPolicy,
        priority: int,
    ) -> Job:
        head = "{" if payload_text is None else f'{{"payload":{payload_text},'
        return self._jobs.push(
            QUEUE,
            name,
            time_ms,
            job_id=item_id,
            payload_text=head + _ENVELOPE_TAIL,
            retry=policy,
            priority=priority,
        )

    def add_to_pull(self, payload: object, *, item_id: str | None = None) -> str:
        """Queue an item that waits to be pulled; returns its id."""
        if item_id is None:
            item_id = self._ids.make(self._platform.clock.now_ms())
        elif not item_id.strip() or self._jobs.get(QUEUE, item_id) is not None:
            raise UsageError(f"the id {item_id!r} is blank, or belongs to an item with a method: choose another")
        if self._pending is None:
            self._pending = self._store.count()
        self._check_room(self._pending)
        is_new = self._store.item(item_id) is None
        self._store.put(item_id, _text_of(payload), self._platform.clock.now_ms() // 1000)
        self._pending += is_new
        self._attempts.emit("queue:create", {"id": item_id})
        return item_id

    def _check_room(self, count: int) -> None:
        limit = self._options.max_pending
        if count >= limit:
            raise TooManyPending("queue items", limit, 'wait until some are done, or raise options["max_pending"]')

    def _next_ms(self) -> int:
        """Now; or the time of the item before, when the machine's clock was set back a little."""
        now_ms = self._platform.clock.now_ms()
        if now_ms < self._last_ms <= now_ms + LARGEST_STEP_BACK_MS:
            return self._last_ms
        self._last_ms = now_ms
        return now_ms

    # Reading

    def get(self, item_id: str) -> QueueItem | None:
        """The item with an id, of either kind."""
        job = self._jobs.get(QUEUE, item_id)
        return self._store.item(item_id) if job is None else _shown(job)

    def waiting(self) -> list[Json]:
        """The payloads that wait to be pulled, oldest first."""
        return [item.payload for item in self._store.items()]

    def matching(self, key: str | None, value: object) -> list[QueueItem]:
        """The items of both kinds, in order; only those whose payload has `value` under `key` when a key is given."""
        items = [item for job in self._jobs.list(QUEUE) if (item := _shown(job)) is not None]
        items += self._store.items()
        return [item for item in items if key is None or _has(item.payload, key, value)]

    # Taking out

    def pull(self) -> Json:
        """Remove the oldest item that waits to be pulled and return its payload; None when none waits."""
        item = self._store.pull()
        if item is None:
            return None
        self._removed(1)
        return item.payload

    def remove(self, item_id: str) -> bool:
        """Remove an item of either kind."""
        if self._jobs.cancel(QUEUE, item_id):
            return True
        if self._store.item(item_id) is None:
            return False
        self._store.remove(item_id)
        self._removed(1)
        return True

    def remove_all(self) -> list[Json]:
        """Remove every item of both kinds and return their payloads: those to be pulled first."""
        payloads = self.waiting()
        self._store.remove_all()
        self._pending = None
        for job in self._jobs.list(QUEUE):
            item = _shown(job)
            if item is not None and self._jobs.cancel(QUEUE, job.id):
                payloads.append(item.payload)
        return payloads

    def remove_by_callback(self, callback: Callback) -> int:
        """Remove the items of one method."""
        name = callback if isinstance(callback, str) else self._callbacks.name_of(callback)
        return sum(self._jobs.cancel(QUEUE, job.id) for job in self._jobs.list(QUEUE, fn=name))

    def _removed(self, count: int) -> None:
        if self._pending is not None:
            self._pending -= count

    # Dead letters

    def dead_letters(self, callback: str | None = None) -> list[DeadLetter]:
        """The items that failed, oldest first."""
        return [buried.letter for buried in self._store.buried((), callback)]

    def requeue(self, *ids: str, callback: str | None = None) -> int:
        """Queue dead letters again, at the end."""
        buried = self._store.buried(ids, callback)
        for each in buried:
            letter = each.letter
            policy = self._options.retry if each.retry_text is None else retry_from_json(each.retry_text)
            name = self._callbacks.name_of(letter.callback)
            self._push(name, self._next_ms(), letter.id, each.payload_text, policy, letter.priority)
            self._store.unbury(letter.id)
        return len(buried)

    def delete_dead_letters(self, *ids: str, callback: str | None = None) -> int:
        """Delete dead letters."""
        buried = self._store.buried(ids, callback)
        for each in buried:
            self._store.unbury(each.letter.id)
        return len(buried)

    # Running

    async def _run(self, job: Job) -> Outcome:
        if self._refusal is not None:
            raise self._refusal
        item = _shown(job)
        if item is None:
            await self._hand_over(job)
            return None
        method = self._callbacks.find(job.fn)
        if method is None:
            self._attempts.missing(job)
            self._bury(job, item.payload, _NO_METHOD, 0)
            return None
        policy = job.retry or self._options.retry
        failure = await self._attempts.run(job, method, item.payload, item, policy)
        if failure is not None:
            self._bury(job, item.payload, str(failure.error), failure.attempts)
        return None

    def _bury(self, job: Job, payload: Json, error: str, attempts: int) -> None:
        if self._jobs.get(QUEUE, job.id) != job:
            return  # it was dequeued or replaced, or the agent was destroyed, while it ran
        retry_text = retry_to_json(job.retry or self._options.retry)
        text = None if payload is None else dumps(payload)
        self._store.bury(job, text, retry_text, error, attempts, self._platform.clock.now_ms())


def _shown(job: Job) -> QueueItem | None:
    """An item as users see it; None when it belongs to a sub-agent."""
    try:
        envelope: Any = job.payload
        if envelope.get("owner_path") is not None:
            return None
        payload = envelope.get("payload")
    except (ValueError, AttributeError) as error:
        raise StorageError(f"the queue item {job.id} cannot be read ({error}): {job.payload_text!r}"[:500]) from error
    return QueueItem(job.id, job.fn, payload, job.created_s, job.retry, job.priority)


def _text_of(payload: object) -> str | None:
    if payload is None:
        return None
    text = dumps(payload, "payload")
    if len(text) * 4 > MAX_PAYLOAD_BYTES and (size := size_bytes(text)) > MAX_PAYLOAD_BYTES:
        raise UsageError(
            f"the payload has {size:,} bytes of JSON and at most {MAX_PAYLOAD_BYTES:,} are kept: store what is large "
            "in a table with self.sql(...), and pass its key"
        )
    return text


def _has(payload: Json, key: str, value: object) -> bool:
    return isinstance(payload, dict) and key in payload and payload[key] == value


def _check_priority(priority: object) -> None:
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > MAX_PRIORITY:
        raise UsageError(
            f"priority must be a whole number from -{MAX_PRIORITY:,} to {MAX_PRIORITY:,}, not {priority!r}"
        )
