"""The local host: it keeps a worker's objects alive, wakes them, fires their alarms and puts them to sleep.

A `Host` knows nothing of HTTP servers, project files or tests; those drive it. All of it runs on one event loop.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from agents_runtime.errors import UsageError
from agents_runtime.local.actor import RESTART_CODE, Actor
from agents_runtime.local.alarms import AlarmScheduler
from agents_runtime.local.clock import HostClock, SystemClock, Timer
from agents_runtime.local.entropy import Entropy, SystemEntropy
from agents_runtime.local.environment import Env, ExecutionContext, host_wait_until
from agents_runtime.local.exports import Exports, exported_classes
from agents_runtime.local.fetching import fetch_over_network
from agents_runtime.local.files import default_open_databases
from agents_runtime.local.life import Life, install_task_factory
from agents_runtime.local.mail.room import MailRoom
from agents_runtime.local.memory import give_back_memory
from agents_runtime.local.namespaces import LocalId, LocalNamespace
from agents_runtime.local.options import HostOptions
from agents_runtime.local.shim import runtime
from agents_runtime.local.sockets import ABNORMAL
from agents_runtime.local.store import DiskStore, MemoryStore, Store
from agents_runtime.local.values import JsException

if TYPE_CHECKING:
    from types import ModuleType

    from agents_runtime._platform.ports import Fetch
    from agents_runtime.local.shim.request import Request
    from agents_runtime.local.shim.response import Response
    from agents_runtime.local.storage.database import Faults

T = TypeVar("T")

ErrorListener = Callable[[Actor, str, BaseException], None]

CRASH_MESSAGE = "The object crashed."

logger = logging.getLogger("agents_runtime.local")


class Host:
    """Runs the objects of one worker in this process.

    Args:
        options: where data lives, what a commit survives, when idle objects leave memory.
        clock: time; a `VirtualClock` in tests.
        entropy: chance; seeded in tests.
        faults: called before every write and commit, to make them fail in tests.
        store: an existing store to go on with, instead of the one `options.data` names.
    """

    def __init__(
        self,
        options: HostOptions | None = None,
        *,
        clock: HostClock | None = None,
        entropy: Entropy | None = None,
        faults: Faults | None = None,
        store: Store | None = None,
    ) -> None:
        self.options = options = options or HostOptions()
        self.clock: HostClock = clock or SystemClock()
        self.entropy: Entropy = entropy or SystemEntropy()
        self.store: Store = store or (
            DiskStore(options.data, options.durability, faults, lock_files=options.lock_files)
            if options.data
            else MemoryStore(faults)
        )
        self.env = Env()
        self.env.agents_host = self
        self.wait_until = host_wait_until(self)
        self.exports = Exports(self)
        self._main_module: ModuleType | None = None
        self.alarms = AlarmScheduler(self.clock, self.store.alarms, self._fire_alarm)
        self.on_error: ErrorListener = log_error
        self.outgoing: Fetch = fetch_over_network
        self.fetcher: runtime.Fetcher | None = None
        self._entrypoint: Any = None
        self.mail = MailRoom(self)
        self._classes: dict[str, type] = {}
        self._actors: dict[LocalId, Actor] = {}
        self._idle: OrderedDict[Life, int] = OrderedDict()
        self._open: set[Life] = set()
        self._open_idle: OrderedDict[Life, None] = OrderedDict()
        self._max_open = options.max_open_databases or default_open_databases()
        self._sweeper: Timer | None = None
        self._evicted = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.stopping = asyncio.Event()
        """Set once the host lets nothing new in."""
        self.activity = 0

    # Set-up

    def bind(self, cls: type, binding: str | None = None, *, key: str | None = None) -> LocalNamespace:
        """Make a Durable Object class reachable as `env.<binding>`.

        Ids and data belong to `key`, by default the name of the class; a renamed class keeps its first key.
        """
        key = key or cls.__name__
        known = self._classes.get(key)
        if known is not None and known is not cls:
            raise UsageError(f"two classes are named {key}: rename one, since data is kept by class name")
        self._classes[key] = cls
        namespace = LocalNamespace(self, cls, key)
        self.env.define(binding or cls.__name__, namespace)
        return namespace

    def export(self, module: ModuleType) -> None:
        """Let the classes that this main module has be those of `ctx.exports`."""
        self._main_module = module

    def exported_classes(self) -> Mapping[str, type]:
        """The classes of `ctx.exports` by name: those bound, and those that the main module has."""
        return exported_classes(self._main_module, self._classes.values())

    def set_entrypoint(self, entrypoint: Any) -> None:
        """The worker's `Default` class, or a function `(request, env, ctx)`; it answers `fetch`."""
        self._entrypoint = self.mail.entrypoint = entrypoint

    def enter_worker(self) -> None:
        """Let `env` and `wait_until` of the `workers` module mean this host, in this context and its tasks."""
        runtime.bind_environment(self.env)
        runtime.bind_wait_until(self.wait_until)
        runtime.bind_fetcher(self.fetcher)

    async def start(self) -> None:
        """Arm the alarms of the store; overdue ones fire at once."""
        self.enter_worker()
        install_task_factory(asyncio.get_running_loop())
        known = [
            (object_id, when) for object_id, when in self.store.list_alarms() if object_id.class_name in self._classes
        ]
        self.alarms.load(known)
        self.alarms.start()

    async def stop(self, grace_s: float = 10.0) -> None:
        """Let events in progress finish, commit, close WebSockets with 1012, close every database."""
        self.alarms.stop()
        self.stopping.set()
        if not await self._drained(grace_s):
            logger.warning("some events did not finish within %s s and are cut off", grace_s)
        for actor in list(self._actors.values()):
            await actor.stop(RESTART_CODE)
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.store.close()

    async def _drained(self, limit_s: float) -> bool:
        """Wait until no event is being handled. False: some still are after `limit_s`."""
        for pause_s in itertools.repeat(DRAIN_CHECK_S, int(limit_s / DRAIN_CHECK_S) + 1):
            if not any(life.is_handling for life in self._lives()):
                return True
            await asyncio.sleep(pause_s)
        return False

    # Requests and objects

    async def fetch(self, request: Request) -> Response:
        """Give a request to the worker's entrypoint. Raises what it raised."""
        entrypoint = self._entrypoint
        if entrypoint is None:
            raise UsageError(
                "this worker has no entrypoint: define `class Default(WorkerEntrypoint)` in its main module"
            )
        context = ExecutionContext(self)
        self.enter_worker()
        response: Response
        if isinstance(entrypoint, type):
            response = await entrypoint(context, self.env).fetch(request)
        else:
            response = await entrypoint(request, self.env, context)
        return response

    def actor(self, object_id: LocalId) -> Actor:
        """The address of an object, made when it is not live."""
        actor = self._actors.get(object_id)
        if actor is None:
            cls = self._classes.get(object_id.class_name)
            if cls is None:
                raise JsException("Error", f"no class named {object_id.class_name} is bound")
            actor = self._actors[object_id] = Actor(self, cls, object_id)
        return actor

    async def run_in(self, object_id: LocalId, work: Callable[[Any], T | Awaitable[T]]) -> T:
        """Run `work(instance)` inside the object, as one event."""
        return await self.actor(object_id).run_in(work)

    async def run_alarm(self, object_id: LocalId) -> bool:
        """Run the object's alarm handler now, whatever the time. False: it has no alarm."""
        actor = self.actor(object_id)
        slot = actor.wake().alarm
        due_ms = slot.stored_ms
        if due_ms is None:
            return False
        self.alarms.disarm(object_id)
        return await actor.fire_alarm(early=True)

    def ids(self, cls: type | str) -> list[LocalId]:
        """Objects of a class that have stored something or are live, by id."""
        name = cls if isinstance(cls, str) else self._key_of(cls)
        live = {actor.id.hex: actor.id for actor in self._actors.values() if actor.id.class_name == name}
        return sorted([*live.values(), *self.store.ids(name, live)], key=lambda object_id: object_id.hex)

    async def evict(self, object_id: LocalId, *, websockets: str = "hibernate") -> bool:
        """Drop an object's memory once its events are done. `websockets="close"` closes them with 1012."""
        actor = self._actors.get(object_id)
        if actor is None:
            return False
        await self.settle()
        if websockets == "close":
            actor.sockets.drop_all(RESTART_CODE, "Service restart")
        return actor.evict()

    async def evict_all(self, *, websockets: str = "hibernate") -> None:
        for object_id, actor in list(self._actors.items()):
            await self.evict(object_id, websockets=websockets)
            for inner in [*actor.tree()][1:]:
                inner.evict()

    def crash(self, object_id: LocalId) -> None:
        """Drop an object as a dying machine would: uncommitted writes are lost, sockets vanish (1006)."""
        actor = self._actors.get(object_id)
        if actor is not None:
            actor.reset(JsException("Error", CRASH_MESSAGE), code=ABNORMAL)

    def is_live(self, object_id: LocalId) -> bool:
        """Whether the object is in memory."""
        actor = self._actors.get(object_id)
        return actor is not None and actor.life is not None

    def live_count(self) -> int:
        """How many objects are in memory."""
        return sum(1 for _ in self._lives())

    async def settle(self) -> None:
        """Return when no event is making progress: all are done, or wait for time or the outside world."""
        quiet = 0
        while quiet < SETTLED_AFTER_PASSES:
            before = self.activity
            real_wait_s = 0.001 if quiet >= SETTLED_AFTER_PASSES - 2 and not self._is_quiet() else 0
            await asyncio.sleep(real_wait_s)
            if self.activity != before or self._has_uncommitted():
                quiet = 0
            elif self._is_quiet():
                quiet = max(quiet + 1, SETTLED_AFTER_PASSES - 4)
            else:
                quiet += 1

    # Told by actors and lives

    def check_running(self) -> None:
        if self.stopping.is_set():
            raise JsException("Error", "The host is stopping.")

    def start_task(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run an event that nobody awaits."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def entered(self, life: Life) -> None:
        """An event is about to enter `life`."""
        self.activity += 1
        self._idle.pop(life, None)
        self._open_idle.pop(life, None)
        if life not in self._open:
            self._open.add(life)
            if len(self._open) > self._max_open:
                self._close_oldest()

    def idled(self, life: Life) -> None:
        """Nothing runs in `life` any more: its time to live begins."""
        self.activity += 1
        if life.is_busy or life.ended is not None:
            return
        if life in self._open:
            self._open_idle[life] = None
        timeout_s = self.options.idle_timeout_s
        if timeout_s is None:
            self._idle[life] = 0
            return
        if timeout_s == 0:
            asyncio.get_running_loop().call_soon(life.actor.evict)
            return
        deadline_ms = self.clock.now_ms() + round(timeout_s * 1000)
        self._idle[life] = deadline_ms
        self._idle.move_to_end(life)
        if self._sweeper is None:
            self._sweeper = self.clock.call_at_ms(deadline_ms, self._sweep)

    def left(self, life: Life) -> None:
        """`life` has ended."""
        self._idle.pop(life, None)
        self._open.discard(life)
        self._open_idle.pop(life, None)

    def occupied(self, actor: Actor) -> None:
        """`actor` has an object in memory: every event of its id must come to it."""
        self._actors[actor.id] = actor

    def vacated(self, actor: Actor) -> None:
        """`actor` has neither memory nor sockets; it is made again when needed."""
        self._actors.pop(actor.id, None)

    def report(self, actor: Actor, event: str, error: BaseException) -> None:
        """Pass an exception nobody else will see to `on_error`."""
        self.on_error(actor, event, error)

    def _key_of(self, cls: type) -> str:
        return next((key for key, known in self._classes.items() if known is cls), cls.__name__)

    def _fire_alarm(self, object_id: LocalId) -> None:
        self.start_task(self._alarm(object_id))

    async def _alarm(self, object_id: LocalId) -> None:
        await self.actor(object_id).fire_alarm()  # looked up only now: the address may have changed hands meanwhile

    def _sweep(self) -> None:
        """Evict what was idle long enough: some at once, so that events get in between, the rest right after."""
        self._sweeper = None
        now_ms = self.clock.now_ms()
        due = [
            life
            for life, deadline_ms in itertools.islice(self._idle.items(), EVICTIONS_AT_ONCE)
            if deadline_ms <= now_ms
        ]
        for life in due:
            self._idle.pop(life, None)
            life.actor.evict()
        self._evicted += len(due)
        if self._evicted >= TRIM_AFTER_EVICTIONS or (self._evicted and not self._idle):
            self._evicted = 0
            give_back_memory()
        if self._idle:
            self._sweeper = self.clock.call_at_ms(next(iter(self._idle.values())), self._sweep)

    def _close_oldest(self) -> None:
        """Close the database that was idle longest; its object stays in memory and opens it again when needed."""
        oldest = next((life for life in self._open_idle if not life.output.is_dirty), None)
        if oldest is not None:
            del self._open_idle[oldest]
            self._open.discard(oldest)
            oldest.database.close()

    def _has_uncommitted(self) -> bool:
        """Whether a commit is about to happen. One held back by a transaction that is waiting is not."""
        return any(life.output.is_dirty and not life.database.is_held for life in self._lives())

    def _is_quiet(self) -> bool:
        return not self._tasks and not any(life.is_busy for life in self._lives())

    def _lives(self) -> Iterator[Life]:
        """Everything that is in memory."""
        for actor in self._actors.values():
            for inner in actor.tree() if actor.facets else (actor,):
                if inner.life is not None:
                    yield inner.life


DRAIN_CHECK_S = 0.005

EVICTIONS_AT_ONCE = 20
"""Objects dropped without letting events in between. Closing a database takes about half a millisecond."""

TRIM_AFTER_EVICTIONS = 100
"""Free memory goes back to the system after so many evictions, and when the last idle object has left."""

SETTLED_AFTER_PASSES = 12
"""Passes of the event loop without progress after which waiting events count as settled."""


def log_error(actor: Actor, event: str, error: BaseException) -> None:
    """Log an exception that no caller will see."""
    logger.error("%r: %s failed", actor, event, exc_info=error)
