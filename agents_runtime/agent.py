"""Agent: what users subclass. It builds the capabilities, hands them the platform's events, and offers the verbs.

No feature is implemented here. A capability lives in a package of its own and never sees the agent as a whole.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, cast

from agents_runtime._core import wire
from agents_runtime._core.capability import DONE, Done, Parts, capability, stored_tables
from agents_runtime._core.events import Emitter, Observability, subscribers
from agents_runtime._core.failures import http_failure
from agents_runtime._core.identity import Identity, StartProps
from agents_runtime._core.jsonx import plain
from agents_runtime._core.lifecycle import Lifecycle
from agents_runtime._core.peer import CurrentAgent
from agents_runtime._core.teardown import Teardown, leave_memory
from agents_runtime._core.wakeups import FALLBACK_MS, Wakeups, is_late_retry
from agents_runtime._platform.base import (
    DurableObject,
    is_response,
    make_response,
    platform_of,
    standalone,
)
from agents_runtime.connections.handshake import Handshake, Refusal, names_agent
from agents_runtime.connections.registry import ConnectionRegistry
from agents_runtime.connections.traffic import Traffic, answer_close
from agents_runtime.context import CURRENT, Entry, run_in
from agents_runtime.definition import HIDDEN_FROM_CALL, Definition, define
from agents_runtime.errors import NotJson, SqlError, UsageError
from agents_runtime.hooks import Hooks, State
from agents_runtime.routing.messages import is_upgrade
from agents_runtime.rpc.calls import Calls
from agents_runtime.state.hook import ChangeHook
from agents_runtime.state.store import UNSET, StateHooks, StateStore
from agents_runtime.sub_agents.relayed import SUB_MARK, is_relayed
from agents_runtime.verbs import Verbs

if TYPE_CHECKING:
    from agents_runtime._core.callbacks import Callbacks
    from agents_runtime._core.jobs.board import JobBoard
    from agents_runtime._core.keep_alive import KeepAlive
    from agents_runtime._core.retry import Retrier
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime._platform.ports import Row, SqlValue
    from agents_runtime.approvals.approvals import Approvals
    from agents_runtime.connections.connection import Connection
    from agents_runtime.email.inbound import Inbox
    from agents_runtime.email.outbound import Sender
    from agents_runtime.fibers.fibers import Fibers
    from agents_runtime.mcp.servers import McpServers
    from agents_runtime.queue.items import Queue
    from agents_runtime.rpc.decorate import CallableMetadata
    from agents_runtime.scheduler.schedules import Schedules
    from agents_runtime.sub_agents.children import SubAgents
    from agents_runtime.tasks.engine import Tasks
    from agents_runtime.workflows.workflows import Workflows

logger = logging.getLogger("agents_runtime")

FAILED_START_RETRY_MS = 30_000
"""How long pending work waits after the agent could not start for it."""


class Agent(Verbs, Hooks[State], DurableObject, Generic[State]):
    """A durable agent: one addressable object with its own state, storage, schedule and connected clients.

    Subclass it, set `initial_state`, decorate methods with `@callable`, fill in the hooks you need. One instance exists
    per name. It sleeps when nothing happens and loses its attributes then: what must last goes into the state, into
    tables (`self.sql`) or into `connection.set_state`. `Agent[State]` types the state: a dict, TypedDict, dataclass
    or pydantic model; a client's write that does not fit is refused.

    Attributes:
        ctx: the platform's context: `self.ctx.storage` and so on.
        env: the bindings and variables of the worker.
        options: settings of the class, see `AgentOptions`; merged with those of the base classes.
        observability: where events go; None turns them off.
        initial_state: the state of an agent that has none yet.
    """

    options: ClassVar[Mapping[str, object]] = {}
    observability: Observability | None = subscribers
    initial_state: State = cast("Any", UNSET)

    _definition: ClassVar[Definition]

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls._definition = define(cls, Agent, lambda agent: agent._entry)

    def __init__(self, ctx: Any, env: Any) -> None:  # noqa: ANN401 - the platform's objects
        super().__init__(ctx, env)
        self._platform = platform_of(ctx, env)
        self._scope = CurrentAgent(self)
        gate = self._platform.block_concurrency if self._definition.starts_with_user_code else None
        self._lifecycle = Lifecycle(self._start, gate)
        self._entry = Entry(self._scope, self._lifecycle)
        self._parts = Parts(self, self._definition.parts, lambda: stored_tables(self._platform.sql))

    # The parts, in the order in which they are told about events

    @capability
    def _teardown(self) -> Teardown:
        return Teardown(self._platform.kv, self._platform.clock, lambda: self._wakeups, self._delete_everything)

    @capability.stored("cf_agents_jobs")
    def _jobs(self) -> JobBoard:
        from agents_runtime._core.jobs.board import JobBoard

        max_strikes = self._definition.options.max_alarm_memory_limit_strikes
        return JobBoard(self._platform, self._emit, self._wakeups.refresh, max_strikes=max_strikes)

    @capability.stored("cf_agents_jobs")
    def _keep_alive(self) -> KeepAlive:
        from agents_runtime._core.keep_alive import KeepAlive

        interval_ms = self._definition.options.keep_alive_interval_ms
        return KeepAlive(self._jobs, self._platform.clock, self._platform.spawn, interval_ms)

    @capability.stored("cf_agents_jobs", "cf_agents_schedules")
    def _schedules(self) -> Schedules:
        from agents_runtime.scheduler.schedules import Schedules

        definition = self._definition
        return Schedules(
            self._surroundings,
            self._callbacks,
            definition.options,
            is_starting=lambda: self._lifecycle.is_starting,
            has_task_hook=definition.has_task_hook,
        )

    @capability.stored("cf_agents_jobs", "cf_agents_queues")
    def _queue(self) -> Queue:
        from agents_runtime.queue.items import Queue

        return Queue(self._surroundings, self._callbacks, self._definition.options)

    @capability
    def _connections(self) -> ConnectionRegistry:
        return ConnectionRegistry(self, self._platform.sockets)

    @capability
    def _state_store(self) -> StateStore:
        definition = self._definition
        hook = definition.state_hook and getattr(self, definition.state_hook)
        return StateStore(
            self,
            self._platform.sql,
            self._platform.kv,
            definition.codec,
            StateHooks(
                initial=lambda: self.initial_state,
                validate=self.validate_state_change if definition.validates_state else None,
                changed=ChangeHook(self._scope, hook, self._platform.spawn, self._report) if hook else None,
            ),
            self._connections.publish,
            self._emit,
            accepts_client_writes=definition.options.client_state_writes == "allow",
        )

    @capability
    def _calls(self) -> Calls:
        definition = self._definition
        return Calls(self, definition.callables, definition.options, self._platform.clock, self._emit)

    @capability.stored("cf_agents_task_runs")
    def _tasks(self) -> Tasks:
        from agents_runtime.tasks.engine import Tasks

        return Tasks(self._definition.tasks, self._surroundings, self._approvals, self._definition.options.max_pending)

    @capability.stored("cf_agents_runs", "cf_agents_fibers")
    def _fibers(self) -> Fibers:
        from agents_runtime.fibers.fibers import Fibers

        return Fibers(self._surroundings, self._definition.options, self.on_fiber_recovered)

    @capability.stored("cf_agents_approvals")
    def _approvals(self) -> Approvals:
        from agents_runtime.approvals.approvals import Approvals
        from agents_runtime.approvals.store import ApprovalStore

        store, publish, wake = ApprovalStore(self._platform.sql), self._connections.publish, self._wakeups.refresh
        return Approvals(store, self._platform.clock, publish, wake, lambda: self._tasks.notify, self._emit)

    @capability.stored("cf_agents_workflows")
    def _workflows(self) -> Workflows:
        from agents_runtime.workflows.workflows import make_workflows

        return make_workflows(self._surroundings, self, self._state_store)

    @capability.lazy
    def _inbox(self) -> Inbox:
        from agents_runtime.email.inbound import Inbox

        return Inbox(self._surroundings, self.on_email)

    @capability.lazy
    def _sender(self) -> Sender:
        from agents_runtime.email.outbound import Sender

        return Sender(self._surroundings, self._definition.kebab_name, self.name)

    @capability.stored("cf_agents_mcp_servers")
    def _mcp_servers(self) -> McpServers:
        from agents_runtime.mcp.servers import McpServers

        return McpServers(
            lambda: self._surroundings,
            self._connections.publish,
            lambda: (type(self).__name__, self.name),
            self.create_mcp_oauth_provider,
            hides_name=not self._definition.options.send_identity_on_connect,
        )

    @capability.stored("cf_agents_sub_agents")
    def _sub_agents(self) -> SubAgents:
        from agents_runtime.sub_agents.classes import make_sub_agents

        return make_sub_agents(self._surroundings, self, Agent, limit=self._definition.options.max_sub_agents)

    @cached_property
    def _surroundings(self) -> Surroundings:
        from agents_runtime._core.surroundings import Surroundings

        return Surroundings(
            self,
            self._platform,
            self._jobs,
            self._lifecycle.ensure_started,
            partial(run_in, self._scope),
            self._report,
            self._emit,
            self._wakeups.refresh,
            self._definition.options.keep_alive_interval_ms,
            lambda job: self._sub_agents.hand_over(job),
            lambda: self._lifecycle.is_starting,
        )

    @cached_property
    def _identity(self) -> Identity:
        return Identity(self._platform.id, self._platform.kv)

    @cached_property
    def _props(self) -> StartProps:
        return StartProps(self._platform.kv)

    @cached_property
    def _wakeups(self) -> Wakeups:
        return Wakeups(self._platform.alarm, self._wake_times)

    @capability.lazy
    def _retrier(self) -> Retrier:
        from agents_runtime._core.retry import Retrier

        return Retrier(self._definition.options.retry, self._platform.clock, self._platform.entropy)

    @cached_property
    def _callbacks(self) -> Callbacks:
        from agents_runtime._core.callbacks import Callbacks

        return Callbacks(self)

    @cached_property
    def _emit(self) -> Emitter:
        return Emitter(type(self).__name__, lambda: self.name, self._platform.clock.now_ms, lambda: self.observability)

    @cached_property
    def _handshake(self) -> Handshake:
        return Handshake(
            self,
            self._connections,
            self._platform.sockets,
            self._platform.entropy,
            self._greeting,
            self._emit,
            self._report,
            ping=self._definition.ping,
        )

    @cached_property
    def _traffic(self) -> Traffic:
        return Traffic(self, self._connections, self._parts.frames, self._disconnected, self._emit, self._report)

    # Who and what it is

    @property
    def name(self) -> str:
        """The name the agent was addressed by. Raises NotNamed if it was addressed by a unique id."""
        return self._identity.name

    @property
    def state(self) -> State:
        """The state; None if none was ever set. Change it with `set_state`, never in place.

        It is what was stored: what JSON has no form for (tuples, dates) comes back as lists and texts, unless the
        state is typed.
        """
        return cast("State", self._state_store.get())

    def set_state(self, state: State) -> Done:
        """Replace the state, store it, and send it to every connected client. Acts at once; awaiting is optional.

        Stored before it is sent, and both before the caller of the running method is answered. `on_state_changed` is
        called after that; what it awaits goes on in the background.

        Raises:
            ReadonlyConnection: the code runs for a connection that may not change the state.
            NotJson: naming the part of the state that is no JSON.
            StateTooLarge: it has more than 2 MB of JSON.
            Exception: what `validate_state_change` raised. The old state stays in each case.
        """
        self._state_store.set(state)
        return DONE

    def sql(self, query: str, /, *params: SqlValue) -> list[Row]:
        """Run one SQL statement on the agent's own database and return its rows as dicts.

        Write `?` for each value: `self.sql("SELECT * FROM notes WHERE id = ?", note_id)`. Values are str, int, float,
        bytes, bool (stored as 0 or 1) or None. Writes of one turn are committed together, before anything is answered.

        Raises:
            SqlError: SQLite refused; `.query` is the statement, the cause says why.
            UsageError: a value cannot be bound.
        """
        try:
            return self._platform.sql.execute(query, *params)
        except ValueError as error:
            raise error if isinstance(error, UsageError) else UsageError(str(error)) from error
        except Exception as error:
            raise SqlError(query, error) from error

    # Calls

    def get_callable_methods(self) -> dict[str, CallableMetadata]:
        """List what clients may call: the metadata of each `@callable` method, by wire name."""
        return {name: exposed.metadata for name, exposed in self._definition.callables.items()}

    async def call(self, method: str, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the method's own types
        """Call a method of the agent by name, sync or async: a verb or any method of your own.

        The JavaScript spelling is understood too: `await agent.call("setState", {...})`.

        Raises:
            UsageError: there is no such method.
        """
        from agents_runtime.rpc.verbs import find_verb

        if CURRENT.get().agent is not self and not self._lifecycle.is_started:
            await self._lifecycle.ensure_started()
        verb = find_verb(self, method, self._definition.callables, HIDDEN_FROM_CALL)
        scope = CURRENT.get() if CURRENT.get().agent is self else self._scope
        return await run_in(scope, verb, *args, **kwargs)

    async def destroy(self, *, after_s: float | None = None) -> None:
        """Delete everything the agent stored, close its connections (1001) and drop it from memory.

        The next event of its name finds a new agent. The event that asked for it is still answered if it returns next.

        Args:
            after_s: destroy it after so many seconds instead. That is durable and cannot be taken back. Until then
                the agent serves its clients and does no scheduled work.
        """
        if after_s is None:
            await self._teardown.run()
        else:
            self._teardown.schedule(after_s)

    @classmethod
    def create(cls, state: State | None = None, env: Any = None, ctx: Any = None) -> Self:  # noqa: ANN401 - the platform's objects
        """Make an agent by hand: on the given `ctx` and `env`, or on CPython in memory, without any host.

        It starts with the first awaited call. Until then plain methods run without `on_start`.

        Args:
            state: its initial state.
            env: the environment of the worker.
            ctx: the context of a Durable Object.
        """
        if ctx is None:
            ctx, env = standalone(cls, env)
        agent = cls(ctx, env)
        agent._entry.starts_plain_methods = False
        if state is not None:
            agent.initial_state = state
        return agent

    # The platform's events

    async def fetch(self, request: Any) -> Any:  # noqa: ANN401 - the platform's request and response
        """Serve an HTTP request or a WebSocket upgrade. Called by the platform; write `on_request` instead."""
        try:
            if not self._lifecycle.is_started:
                await self._lifecycle.ensure_started()
        except Exception as error:  # reported by the start itself
            return self._failed(request, error)
        try:
            if SUB_MARK in request.url and (response := await self._sub_agents.serve(request)) is not None:
                return response
            if is_upgrade(request):
                return await self._connect(request)
            for answer in self._parts.phase("on_request"):
                if (response := await answer(request)) is not None:
                    return response
            response = await run_in(CurrentAgent(self, None, request), self.on_request, request)
            if not is_response(response):
                raise UsageError(f"on_request must return a Response, not {response!r}"[:300])
        except Exception as error:  # whatever the user's hook raises
            await self._report(error)
            return self._failed(request, error)
        return response

    async def webSocketMessage(self, ws: Any, message: Any) -> None:  # noqa: ANN401, N802 - the platform's
        """Handle a frame. Called by the platform; write `on_message` instead."""
        connection = self._connections.find(ws)
        if connection is None:
            await self._pass_on(ws, "message", {"data": message})
            return
        if not self._lifecycle.is_started:
            try:
                await self._lifecycle.ensure_started()
            except Exception as error:  # reported by the start itself; a caller is told
                self._calls.refuse(connection, message, error)
                return
        await self._traffic.receive(connection, message)

    async def webSocketClose(self, ws: Any, code: int, reason: str, was_clean: bool) -> None:  # noqa: ANN401, N802 - the platform's
        """Handle the end of a connection. Called by the platform; write `on_close` instead."""
        socket = self._platform.sockets.wrap(ws)
        connection = self._connections.find(ws)
        try:
            if connection is not None:
                await self._lifecycle.ensure_started()
                await self._traffic.close(connection, socket.key, code, reason, was_clean)
            else:
                await self._pass_on(ws, "closed", {"code": code, "reason": reason, "was_clean": was_clean})
        except Exception as error:  # a start that failed reported itself
            logger.debug("a close was not handled: %s", error)
        finally:
            answer_close(socket, code, reason)

    async def _pass_on(self, ws: Any, what: str, given: dict[str, Any]) -> None:  # noqa: ANN401 - the platform's
        """Hand what came on a sub-agent's connection to the sub-agent."""
        socket = self._platform.sockets.wrap(ws)
        if is_relayed(socket):
            await self._sub_agents.pass_on(socket, what, given)

    async def webSocketError(self, ws: Any, error: Any) -> None:  # noqa: ANN401, N802 - the platform's
        """Handle an error of a connection. Called by the platform; write `on_error` instead."""
        connection = self._connections.find(ws)
        if connection is not None and connection.is_open:
            await self._report(error if isinstance(error, Exception) else RuntimeError(str(error)), connection)

    async def alarm(self, info: Any = None) -> None:  # noqa: ANN401 - the platform's
        """Do what is due. Called by the platform; write `on_alarm` instead."""
        self._wakeups.fired()
        try:
            if is_late_retry(info):
                self._wakeups.arm_fallback(self._platform.clock.now_ms() + FALLBACK_MS)
                await self._platform.committed()
            if self._teardown.is_pending:
                await self._teardown.run_if_due()
            elif await self._is_started_for_alarm():
                await self._do_what_is_due()
        finally:
            self._wakeups.handled()

    async def _is_started_for_alarm(self) -> bool:
        try:
            await self._lifecycle.ensure_started()
        except Exception:
            # Reported by the start itself. Work that waits is tried again, without the platform giving up on it.
            if not self._wakeups.postpone(self._platform.clock.now_ms() + FAILED_START_RETRY_MS):
                raise
            return False
        return True

    async def _do_what_is_due(self) -> None:
        try:
            for act in self._parts.phase("on_alarm"):
                await act(self._platform.clock.now_ms())
            await run_in(self._scope, self.on_alarm)
        except Exception as error:
            await self._report(error)
            raise

    async def cf_agents_internal(self, op: str, payload: Any) -> Any:  # noqa: ANN401 - JSON
        """Answer another part of the library. Not for users: call the agent's own methods instead."""
        given: dict[str, Any] = payload or {}
        if op == "start":
            self._props.keep(given.get("props"))
            await self._lifecycle.ensure_started()
            return None
        if op == "call":
            result = await self.call(given["method"], *given.get("args", ()), **given.get("kwargs", {}))
            try:
                return plain(result)
            except NotJson:
                return result  # bytes, for example: the platform carries more than JSON, and says so if it does not
        if op == "email":
            return await self._inbox.handle(given)
        if op == "workflow":
            return await self._workflows.handle(given)
        if op == "state":
            await self._lifecycle.ensure_started()
            return self._state_store.json()
        from agents_runtime.sub_agents.hosted import Hosted

        return await Hosted(self, self._platform, lambda: self._sub_agents).answer(op, given)

    # How it works inside

    async def _start(self) -> None:
        try:
            self._parts.check_names()
            self._identity.remember()
            for get_ready in self._parts.phase("on_start"):
                await get_ready()
            if self._definition.starts_with_user_code:
                await run_in(self._scope, self.on_start, self._props.last())
            for go_on in self._parts.phase("on_started"):
                await go_on()
        except Exception as error:
            await self._report(error)
            raise
        self._wakeups.refresh()

    def _wake_times(self) -> list[Callable[[], int | None]]:
        """An agent that is to be destroyed wakes for nothing else."""
        return [self._teardown.next_wake_ms] if self._teardown.is_pending else self._parts.phase("next_wake_ms")

    async def _connect(self, request: Any) -> Any:  # noqa: ANN401 - the platform's
        try:
            return await self._handshake.accept(request)
        except Refusal as refusal:
            return self._platform.sockets.refuse(refusal.code, refusal.reason)
        except Exception as error:  # whatever `get_connection_tags` raises
            await self._report(error)
            return self._failed(request, error)

    def _failed(self, request: Any, error: Exception) -> Any:  # noqa: ANN401 - the platform's
        """Answer an event that failed, without telling why, unless this is development."""
        if is_upgrade(request):
            return self._platform.sockets.refuse(wire.SETUP_FAILED_CODE, wire.SETUP_FAILED)
        is_debug = self._definition.options.debug or self._platform.is_debug
        return make_response(*http_failure(error, is_debug=is_debug))

    def _greeting(self, connection: Connection) -> Iterable[str]:
        definition = self._definition
        state = self._state_store.greeting()
        if definition.options.send_identity_on_connect:
            is_known = self._platform.inner_identity or names_agent(connection.uri, self.name)
            if definition.warns_about_identity and not is_known:
                definition.warn_about_identity(self.name)
            yield wire.identity(self.name, definition.kebab_name, state_follows=bool(state))
        _ = self._mcp_servers  # greets although it has nothing stored
        for part in self._parts.eager():
            yield from state if part is self._state_store else part.greeting()

    def _disconnected(self, connection: Connection) -> None:
        for let_go in self._parts.phase("on_disconnect"):
            let_go(connection)

    async def _report(self, error: Exception, connection: Connection | None = None) -> None:
        """Hand an error to the user's `on_error`; what that raises is logged."""
        details = (error,) if connection is None else (connection, error)
        try:
            await run_in(self._scope if connection is None else connection.scope, self.on_error, *details)
        except Exception:
            logger.exception("%s.on_error failed", type(self).__name__)

    def _left_memory(self) -> None:
        """Let go of the parts, which refer back to the agent. Called by the host when the agent has left memory."""
        for name in _INNER_NAMES & vars(self).keys():
            del vars(self)[name]

    async def _delete_everything(self) -> None:
        self._lifecycle.end()
        self._emit("destroy", {})
        for part in reversed(self._parts.built()):
            await part.on_destroy()
        for socket in self._platform.sockets.all():
            socket.close(wire.DESTROYED_CODE, wire.DESTROYED)
        self._wakeups.disable()
        await self._platform.delete_all()
        self._platform.spawn(leave_memory(self._platform))


Agent._definition = Definition(Agent, Agent)  # pyright: ignore[reportPrivateUsage] # as in `__init_subclass__`
_INNER_NAMES = frozenset(
    ("_platform", "_lifecycle", "_entry", "_parts", "_scope", "ctx"),
) | {name for name, value in vars(Agent).items() if isinstance(value, capability | cached_property)}
"""What an agent keeps in attributes of its own making."""
