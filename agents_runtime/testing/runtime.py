"""A whole worker in the test's own process: real host, storage in memory, time that only the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from agents_runtime.errors import UsageError
from agents_runtime.local.namespaces import LocalId, LocalStub
from agents_runtime.testing.client import TestClient
from agents_runtime.testing.connecting import accepted_end, agent_path, upgrade_request
from agents_runtime.testing.engine import Engine
from agents_runtime.testing.handle import LazyStub, ObjectHandle, absolute_url
from agents_runtime.testing.options import RuntimeOptions, to_ms
from agents_runtime.testing.passing import MAX_TIMERS, TimeMachine
from agents_runtime.testing.reports import ObjectError, show_duration, show_time

if TYPE_CHECKING:
    from agents_runtime.local.environment import Env
    from agents_runtime.local.mail.outbox import SentMail
    from agents_runtime.local.shim.request import Request
    from agents_runtime.local.shim.response import FetchResponse
    from agents_runtime.testing.faults import FaultPlan, FaultPoint
    from agents_runtime.testing.introspection import Introspection
    from agents_runtime.testing.mail import Delivery
    from agents_runtime.testing.outgoing import HttpHandler
    from agents_runtime.testing.sweep import SweepReport

O = TypeVar("O")  # noqa: E741 - an object's class
T = TypeVar("T")

Websockets = Literal["hibernate", "close"]
"""What becomes of an evicted object's WebSockets: they stay open, or are closed with 1012."""


class Runtime:
    """A worker and its objects, in memory, for one test. Made by the fixtures `runtime` and `runtime_factory`.

    By default every object is evicted before each event, so a test fails when an agent relies on its memory.

    Attributes:
        options: how it was made.
        expects_errors: whether `expect_errors()` was called.
    """

    def __init__(self, options: RuntimeOptions | None = None) -> None:
        self.options = options or RuntimeOptions()
        self.expects_errors = False
        self._engine = Engine(self.options)
        self._clients = self._mails = 0
        self._siblings = 0
        self._clock = self._engine.clock
        self._time = TimeMachine(self._clock, self.settle, self._armed)

    # What runs here

    @property
    def env(self) -> Env:
        """The worker's environment: bindings and variables. `runtime.env.define("API_KEY", "x")` adds one."""
        return self._engine.host.env

    @property
    def errors(self) -> list[ObjectError]:
        """Exceptions inside objects that no caller received. Unless expected they fail the test."""
        return self._engine.log.errors

    @property
    def faults(self) -> FaultPlan:
        """Counts of the writes and commits so far, and the failures still to come."""
        return self._engine.faults

    def bind(self, cls: type, binding: str | None = None) -> None:
        """Make a class reachable as `env.<binding>`, by default under its own name: an agent, or a workflow."""
        self._engine.bind(cls, binding)

    def load(self, project: Path | str) -> None:
        """Bind everything a project folder has: the classes, variables and entrypoint its wrangler file names."""
        from agents_runtime.local.project import load_project

        self._engine.adopt(load_project(Path(project)))

    def serve(self, entrypoint: type | Callable[..., Awaitable[FetchResponse]]) -> None:
        """Let a `WorkerEntrypoint` class or a function `(request, env, ctx)` answer `fetch` and `connect`."""
        self._engine.set_up(lambda host: host.set_entrypoint(entrypoint))

    def serve_http(self, host: str, handler: HttpHandler) -> None:
        """Answer requests that agents send to `host` (`api.example.com`, or with a port) with `await handler(request)`.

        The handler takes and returns what a worker's `fetch` does, outside of any object, within 10 real seconds. This
        serves `fetch` and everything built on it. Other hosts are refused, but for this machine and those the project
        allows.
        """
        self._engine.http.handlers[host.lower()] = handler

    # Talking to it

    def get(self, cls: type[O], name: str) -> ObjectHandle[O]:
        """A handle on the object of a class with this name. Binds the class when it is new; wakes nothing."""
        binding, namespace = self._engine.namespace_of(cls)
        return ObjectHandle(LazyStub(namespace.idFromName(name), self._stub), cls=cls, binding=binding)

    def get_by_id(self, object_id: LocalId) -> ObjectHandle[Any]:
        """A handle on the object with an id, as `list_ids` returns them."""
        cls = self._engine.classes[object_id.class_name]
        binding, _ = self._engine.namespace_of(cls)
        return ObjectHandle(LazyStub(object_id, self._stub), cls=cls, binding=binding)

    async def fetch(self, request: Request | str, **init: Any) -> FetchResponse:  # noqa: ANN401 - as `workers.Request`
        """Send a request through the worker's entrypoint; without one, through `route_agent_request`."""
        from agents_runtime.local.shim.request import Request

        host = await self._engine.started()
        if isinstance(request, str):
            request = Request(absolute_url(request), **init)
        return await host.fetch(request)

    async def connect(
        self,
        target: type | ObjectHandle[Any] | str,
        name: str = "default",
        *,
        id: str | None = None,  # noqa: A002 - the JS client's word for it
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> TestClient:
        """Open a WebSocket: straight to an agent (a class and a name, or a handle), or through the entrypoint (a path).

        Args:
            id: the connection's id; by default `client-1`, `client-2` and so on.

        Raises:
            ConnectRefused: the answer was not an upgrade.
        """
        __tracebackhide__ = True
        host = await self._engine.started()
        self._clients += 1
        client_id = id or f"client-{self._clients}"
        if isinstance(target, str):
            request = upgrade_request(target, client_id=client_id, query=query, headers=headers)
            label, response = target, await host.fetch(request)
        else:
            handle = self.get(cast("type[Any]", target), name) if isinstance(target, type) else target
            binding, _ = self._engine.namespace_of(self._engine.classes[handle.object_id.class_name])
            path = agent_path(binding, handle.name or handle.id)
            request = upgrade_request(path, client_id=client_id, query=query, headers=headers)
            label, response = repr(handle.object_id), await handle.fetch(request)
        return TestClient(await accepted_end(response, label), label=label, world=self)

    async def email(
        self,
        to: str | ObjectHandle[Any],
        *,
        from_: str = "ada@example.com",
        subject: str = "",
        text: str = "",
        html: str | None = None,
        headers: Mapping[str, str] | None = None,
        raw: str | bytes | None = None,
    ) -> Delivery:
        """Deliver a mail: to an address, through the worker's `email` handler, or straight to an agent's handle.

        Args:
            raw: the whole mail, instead of the parts that make one.

        Returns:
            When the mail is acknowledged: what was answered and passed on, and whether it was refused.

        Raises:
            UsageError: the worker has no `email` handler.
            Exception: what the handler raised; a mail server would try again.
        """
        from agents_runtime.testing.mail import AGENT_ADDRESS, deliver, made

        __tracebackhide__ = True
        host = await self._engine.started()
        self._mails += 1
        address = to if isinstance(to, str) else AGENT_ADDRESS
        if raw is None:
            raw = made(from_, address, subject, text, html, headers or {}, self._mails)
        content = raw.encode() if isinstance(raw, str) else raw
        if isinstance(to, str):
            return await deliver(host, to, from_, content)
        binding, _ = self._engine.namespace_of(self._engine.classes[to.object_id.class_name])
        return await deliver(host, (binding, to.name or ""), from_, content)

    @property
    def outbox(self) -> list[SentMail]:
        """Every mail that was sent, answered or passed on so far, oldest first; a restart keeps them."""
        return self._engine.host.mail.outbox.all()

    def bind_email(self, name: str = "EMAIL") -> None:
        """Define a `send_email` binding in the environment, as the wrangler file would."""
        from agents_runtime.local.config_mail import SendEmailBinding

        self._engine.set_up(lambda host: host.mail.bind(SendEmailBinding(name)))

    @overload
    async def run_in_agent(self, handle: ObjectHandle[O], work: Callable[[O], Coroutine[Any, Any, T]]) -> T: ...
    @overload
    async def run_in_agent(self, handle: ObjectHandle[O], work: Callable[[O], T]) -> T: ...
    async def run_in_agent(self, handle: ObjectHandle[O], work: Callable[[O], Any]) -> Any:
        """Call `work(agent)` inside the object, as an event of its own, and return its result unchanged.

        An agent is started first, as before any event. If it cannot start, `work` finds it as it is.
        """
        host = await self._engine.started()
        return await host.run_in(handle.object_id, lambda instance: _enter(instance, work))

    async def introspect(self, handle: ObjectHandle[Any]) -> Introspection:
        """What the object has still to do (schedules, queue items, wakes of tasks), and its task runs with their steps.

        Read as an event of its own that starts no agent and runs none of its hooks.
        """
        from agents_runtime.testing.introspection import inspect_object

        host = await self._engine.started()
        return await host.run_in(handle.object_id, inspect_object)

    def list_ids(self, cls: type) -> list[LocalId]:
        """The ids of all objects of a class that have stored something or are in memory."""
        return self._engine.host.ids(cls)

    # Time

    @property
    def now_ms(self) -> int:
        """The virtual time, in milliseconds since the epoch."""
        return self._clock.now_ms()

    async def advance(
        self,
        delta: timedelta | None = None,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        milliseconds: float = 0,
        limit: int = MAX_TIMERS,
    ) -> None:
        """Let virtual time pass. Every alarm and timer due meanwhile runs, in order, each at its own time.

        Raises:
            RunawayTimers: more than `limit` of them, or a thousand at one moment.
        """
        total = (delta or timedelta()) + timedelta(
            days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds
        )
        if total < timedelta():
            raise UsageError("time cannot go back: make a runtime that starts earlier, `runtime_factory(start=...)`")
        await self._engine.started()
        await self._time.advance_to(self.now_ms + round(total.total_seconds() * 1000), limit=limit)

    async def advance_to(self, when: datetime, *, limit: int = MAX_TIMERS) -> None:
        """Let virtual time pass until `when` (UTC unless it has a time zone)."""
        await self.advance(milliseconds=to_ms(when) - self.now_ms, limit=limit)

    async def run_alarm(self, handle: ObjectHandle[Any]) -> bool:
        """Run the object's alarm now, whatever the time. False: it has none."""
        host = await self._engine.started()
        return await host.run_alarm(handle.object_id)

    async def settle(self) -> None:
        """Return when nothing makes progress any more: every event is done, or waits for time or for the test."""
        await (await self._engine.started()).settle()

    # Sleep, failure, restart

    async def evict(self, handle: ObjectHandle[Any], *, websockets: Websockets = "hibernate") -> None:
        """Drop the object's memory as hibernation does. Its WebSockets stay open, or are closed with 1012.

        Raises:
            UsageError: it is still handling an event, so the platform would not evict it either.
        """
        host = await self._engine.started()
        await host.evict(handle.object_id, websockets=websockets)
        if host.is_live(handle.object_id):
            raise UsageError(f"{handle!r} cannot be evicted: it is handling an event or working in the background")

    async def evict_all(self, *, websockets: Websockets = "hibernate") -> None:
        """Drop the memory of every object that is not handling an event."""
        await (await self._engine.started()).evict_all(websockets=websockets)

    def crash(self, handle: ObjectHandle[Any]) -> None:
        """Drop the object at once: memory and uncommitted writes are gone, its clients see 1006."""
        self._engine.host.crash(handle.object_id)

    async def restart(self, *, crash: bool = False) -> None:
        """Stop the whole host and start it again on the same storage. Clients are closed with 1012.

        Args:
            crash: let it die instead: what is not committed is lost, and clients see 1006.
        """
        await self._engine.restart(crash=crash)

    def fail_write(self, number: int = 1) -> None:
        """Let the disk refuse the n-th write from now on, of whichever object makes it. Later ones succeed."""
        self.faults.add_next("write", number)

    def fail_commit(self, number: int = 1) -> None:
        """Let the disk refuse the n-th commit from now on; the object that made it is reset."""
        self.faults.add_next("before commit", number)

    async def crash_sweep(
        self,
        story: Callable[[Runtime], AsyncIterator[T]],
        invariant: Callable[[Runtime, list[T]], Awaitable[None]],
        *,
        limit: int = 500,
        refuse_writes: bool = False,
        only: FaultPoint | None = None,
    ) -> SweepReport:
        """Prove that a story loses nothing, wherever it is interrupted.

        `story(runtime)` is an async generator; it yields what was acknowledged to it, right after. It runs again
        and again, each time in a fresh runtime: once undisturbed, then killed at every write, before every commit
        and after every commit, and with every commit refused. After each run the host is restarted and
        `await invariant(runtime, acknowledged)` must hold.

        Args:
            refuse_writes: also let every write fail and the story go on. As on the platform, writes that the same
                event made before stay: what belongs together needs `transactionSync` to hold then.
            only: interrupt the story only here, to look into one failure.

        Raises:
            UsageError: the story stores nothing, or has more than `limit` such points.
            AssertionError: what `invariant` raised, with a note on where the story was interrupted.
        """
        from agents_runtime.testing.sweep import Sweep

        return await Sweep(self._sibling, story, invariant).run_all(limit, only, refuse_writes=refuse_writes)

    # Errors and the end

    def expect_errors(self) -> list[ObjectError]:
        """Let exceptions inside objects and tasks left running not fail this test. Returns `errors`."""
        self.expects_errors = True
        return self.errors

    def unexpected_errors(self) -> list[str]:
        """Descriptions, with tracebacks, of the errors that fail the test."""
        return [] if self.expects_errors else [error.describe() for error in self.errors]

    def describe(self, *, errors: bool = True) -> str:
        """Virtual time, the next timer, the seed and the errors so far, for failure messages."""
        lines = [f"Virtual time {show_time(self.now_ms)}, seed {self.options.seed}."]
        next_ms = self._clock.next_ms()
        if next_ms is not None:
            wait = show_duration(max(next_ms - self.now_ms, 0))
            lines.append(f"The next alarm or timer is due at {show_time(next_ms)}: `await runtime.advance({wait})`.")
        if errors:
            lines += [f"Exception inside an object: {error}" for error in self.errors]
        return "\n".join(lines)

    @property
    def expect_timeout_s(self) -> float:
        """Real seconds that a client of this runtime waits for a frame."""
        return self.options.expect_timeout_s

    async def aclose(self) -> None:
        """End everything: events are cut off, clients are closed. The fixtures do this after the test."""
        await self._engine.close()

    # Parts

    async def _stub(self, object_id: LocalId) -> LocalStub:
        host = await self._engine.started()
        return LocalStub(host, object_id)

    def _armed(self) -> list[str]:
        return [
            f"{object_id!r} at {show_time(when_ms)}" for object_id, when_ms in self._engine.host.store.list_alarms()
        ]

    def _sibling(self) -> Runtime:
        """A fresh runtime with the same settings, classes and entrypoint."""
        self._siblings += 1
        data = self.options.data and self.options.data / f"sweep-{self._siblings}"
        sibling = Runtime(replace(self.options, data=data))
        sibling._engine.copy_set_up(self._engine)
        return sibling


async def _enter(instance: Any, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - the user's class and result
    start = getattr(instance, "cf_agents_internal", None)
    if start is not None:
        with suppress(Exception):  # reported by the start itself
            await start("start", None)
    result = work(instance)
    return await result if isawaitable(result) else result
