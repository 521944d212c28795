"""McpAgent: an agent that is an MCP server, with one durable session of one client in each of its objects."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from agents_runtime._core.capability import capability
from agents_runtime._core.identity import Identity, StartProps
from agents_runtime.agent import Agent
from agents_runtime.context import call_in, run_in
from agents_runtime.definition import VERB, check_reserved
from agents_runtime.hooks import State
from agents_runtime.tasks.declare import task

if TYPE_CHECKING:
    from agents_runtime.mcp.protocol.messages import Params
    from agents_runtime.mcp.server.checks import Names
    from agents_runtime.mcp.server.gate import AuthOption
    from agents_runtime.mcp.server.server import McpServer
    from agents_runtime.mcp.sessions.endpoint import McpEndpoint
    from agents_runtime.mcp.sessions.ladder import Transport
    from agents_runtime.mcp.sessions.modern import ModernAnswers
    from agents_runtime.mcp.sessions.rpc import Reply, RpcChannel
    from agents_runtime.mcp.sessions.session import McpSession
    from agents_runtime.mcp.sessions.store import EventStore, SessionStore
    from agents_runtime.mcp.sessions.tasks import TaskExtension
    from agents_runtime.routing.cors import CorsOption

CALL_TASK = "mcp:tools/call"
"""The durable task that a tool call becomes."""

MODERN = "modern:"
"""How the names of agents begin that answer requests without a session."""

RESERVED = {
    **dict.fromkeys(("elicit_input", "handle_mcp_message", "mount", "props", "serve", "serve_sse"), VERB),
    "handleMcpMessage": VERB,
    **dict.fromkeys(("session_id", "transport_type"), "read it, and give your own attribute another name"),
}
"""What a class may not replace, and what to do instead."""

END_AFTER_S = 1.0
"""How long after its end a session is deleted."""


class McpAgent(Agent[State]):
    """An MCP server whose sessions last: each client's lives in an agent of its own, with state, tables and schedules.

    Mark methods with `@tool`, or set `server` to an `McpServer`. Serve it with `McpAgent.serve("/mcp")`. A session
    survives eviction and restart of its agent: who the client is, what it subscribed to, and the answers it has not
    seen yet. A request that was being answered when the memory was lost is answered with an error.

    Attributes:
        server: the `McpServer`, or something to await that gives it. None: one with the `@tool` methods of the class.
            Set it in the class body or in `init`.
        client_answer_timeout_s: how long the client may take to answer what the server asks it, or its user.
        session_idle_s: how long a session may go unused; then it ends, and its data is deleted. None: for ever.
        task_ttl_s: how long a tool call that became a task is known, from its beginning.
    """

    server: Any = None
    client_answer_timeout_s: ClassVar[float] = 60.0
    session_idle_s: ClassVar[float | None] = None
    task_ttl_s: ClassVar[float] = 86_400.0

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        check_reserved(cls, McpAgent, RESERVED)
        cls._definition.starts_with_user_code = True

    @capability
    def _mcp_session(self) -> McpSession:
        from agents_runtime.mcp.server.keys import secret_of
        from agents_runtime.mcp.sessions.session import McpSession
        from agents_runtime.mcp.sessions.surface import Surface

        surface = Surface(
            lambda: self.name,
            self._mcp_server,
            partial(run_in, self._scope),
            self._end_mcp,
            lambda: self._teardown.is_pending,
            self._answer_timeout_s,
            lambda: self.session_idle_s,
            lambda: self._wakeups.refresh(),
            lambda: secret_of(self.env),
        )
        make_events = partial(call_in, self._scope, self.get_event_store)
        return McpSession(self._platform, surface, make_events, self._mcp_modern)

    @cached_property
    def _mcp_rpc(self) -> RpcChannel:
        from agents_runtime.mcp.sessions.rpc import RpcChannel

        session, platform = self._mcp_session, self._platform
        return RpcChannel(
            session.serve_rpc, session.take, session.questions, platform.clock, platform.spawn, self._answer_timeout_s
        )

    def _answer_timeout_s(self) -> float:
        return self.client_answer_timeout_s

    async def _mcp_server(self) -> McpServer:
        """The server, made ready once in each life."""
        from agents_runtime.mcp.sessions.readiness import hear

        server: McpServer | None = vars(self).get("_ready_mcp_server")
        if server is None:
            server = vars(self)["_ready_mcp_server"] = await self._make_mcp_server()
            hear(server.changes, self._mcp_session)
        return server

    async def _make_mcp_server(self) -> McpServer:
        from agents_runtime.mcp.sessions.readiness import kept_sealer, private_view, server_of

        await run_in(self._scope, self.init)
        given = self.server
        is_shared = given is not None and getattr(type(self), "server", None) is given
        server = private_view(
            server_of(self, await given if inspect.isawaitable(given) else given), is_shared=is_shared
        )
        server.sealer = kept_sealer(self._platform.kv, self._platform.clock) or server.sealer
        if self._is_modern:
            self._mcp_tasks.install(server)
            self._mcp_session.modern.watch(server)
        return server

    # Requests of the modern era, which have no session

    @property
    def _is_modern(self) -> bool:
        return self.name.startswith(MODERN)

    @cached_property
    def _identity(self) -> Identity:
        from agents_runtime.mcp.sessions.modern import HeldIdentity

        object_id = self._platform.id
        is_modern = (object_id.name or "").startswith(MODERN)
        return (HeldIdentity if is_modern else Identity)(object_id, self._platform.kv)

    @cached_property
    def _props(self) -> StartProps:
        from agents_runtime.mcp.sessions.modern import HeldProps

        return (HeldProps if self._is_modern else StartProps)(self._platform.kv)

    def _mcp_modern(self, store: SessionStore) -> ModernAnswers:
        from agents_runtime.mcp.sessions.modern import ModernAnswers

        ttl_ms = round(self.task_ttl_s * 1000)
        return ModernAnswers(self._platform, store, partial(run_in, self._scope), self._end_mcp, self._keep_mcp, ttl_ms)

    def _keep_mcp(self) -> None:
        """Store what was only held so far."""
        for held in (self._identity, self._props):
            store: Any = getattr(held, "store", None)
            if store is not None:
                store()

    def _end_mcp(self) -> None:
        self._teardown.schedule(END_AFTER_S)

    @cached_property
    def _mcp_tasks(self) -> TaskExtension:
        from agents_runtime.mcp.sessions.tasks import QUESTION, RUN, Durability, TaskExtension

        modern = self._mcp_session.modern

        async def start(call: Params) -> None:
            await self.tasks.run(CALL_TASK, call, run_id=RUN)

        def questions() -> dict[str, Any]:
            pending = self._approvals.store.find("pending", 1_000)
            return {
                info.request_id.removeprefix(QUESTION): info.details
                for info in pending
                if RUN in info.waiters and info.request_id.startswith(QUESTION)
            }

        durability = Durability(
            start,
            lambda: None if modern.expires_ms is None else self._tasks.store.get(RUN),
            lambda: self._tasks.cancel(RUN, None),
            questions,
            lambda key, answer: cast("None", self._approvals.decide(QUESTION + key, "approved", answer, None)),
        )
        ttl_ms = round(self.task_ttl_s * 1000)
        return TaskExtension(self.session_id, durability, modern.keep, ttl_ms, lambda: modern.owner)

    @task(name=CALL_TASK)
    async def _answer_mcp_call(self, step: Any, call: Any) -> Any:  # noqa: ANN401 - JSON
        from agents_runtime.mcp.sessions.tasks import run_call

        self._mcp_session.modern.resume()
        return await run_call(await self._mcp_server(), step, call)

    async def cf_agents_mcp_changed(self, method: str, uri: str) -> None:
        """Tell the clients that listen here what another object has changed. Not for users."""
        self._mcp_session.modern.heard.tell(method, {"uri": uri} if uri else {})

    # What users fill in

    async def init(self) -> None:
        """Get the server ready: set `self.server`, register tools. Called once each time the agent wakes."""

    def get_event_store(self) -> EventStore | None:
        """Where the events of the session's streams are kept; None: nowhere, and clients cannot resume a stream.

        By default a table of the agent. Called once each time the agent wakes.
        """
        from agents_runtime.mcp.sessions.store import SqlEventStore

        return SqlEventStore(self._platform.sql)

    # What users ask for

    @property
    def props(self) -> Any:  # noqa: ANN401 - the user's own JSON
        """What the Worker knows about the user, as the OAuth provider has put it into `ctx.props`; survives eviction.

        None if there never was any.
        """
        kept = self._props.last()
        return self._platform.kv.get("props") if kept is None else kept

    @property
    def session_id(self) -> str:
        """The id of the session."""
        from agents_runtime.mcp.sessions.surface import session_of

        return session_of(self.name)

    @property
    def transport_type(self) -> str:
        """How the client talks to it: "streamable-http", "sse" or "rpc"."""
        from agents_runtime.mcp.sessions.surface import transport_of

        return transport_of(self.name)

    async def elicit_input(self, message: str, schema: Mapping[str, Any]) -> Params:
        """Ask the client's user to fill in a form, outside of any request; in a tool, use its context instead.

        Gives the client's answer, `{"action": "accept", "content": {...}}`; `{"action": "cancel"}` when the client
        answers with an error. The question is lost if the agent loses its memory.

        Raises:
            McpError: there was no answer in time.
        """
        from agents_runtime.mcp.protocol.messages import McpError
        from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR

        try:
            return await self._mcp_session.ask("elicitation/create", {"message": message, "requestedSchema": schema})
        except McpError as error:
            if error.error_code == INTERNAL_ERROR:
                raise
            return {"action": "cancel"}

    async def handle_mcp_message(self, message: Any) -> Reply:  # noqa: ANN401 - JSON
        """Answer MCP messages of another agent, without HTTP: one, or a list of them.

        Gives the answer, or a list that ends with it when there was progress before; None for notifications. A question
        of a tool comes as the answer to its call; send the reply to it here, and get the tool's result.
        """
        return await self._mcp_rpc.handle(message)

    handleMcpMessage = handle_mcp_message  # noqa: N815 - under this name agents call each other, those in JavaScript too

    @classmethod
    def serve(
        cls,
        path: str = "/mcp",
        *,
        binding: str | None = None,
        cors: CorsOption = True,
        transport: Transport = "streamable-http",
        jurisdiction: str | None = None,
        allowed_hosts: Names = None,
        allowed_origins: Names = None,
        auth: AuthOption = None,
    ) -> McpEndpoint:
        """Make the endpoint for clients: `return await Notes.serve("/mcp").fetch(request, env, ctx)` in the Worker.

        Args:
            path: where it is; "/" for everywhere.
            binding: the binding of this class, if it is not named as the class is.
            cors: which web pages may use it.
            transport: what clients speak: streamable HTTP, the SSE of 2024-11-05, or either ("auto").
            jurisdiction: where the sessions' data stays, such as "eu".
            allowed_hosts: the host names that clients use, or "*". By default those of a local machine are held to
                that, and others are not checked.
            allowed_origins: the hosts of web pages that may use it, or "*".
            auth: who sends a request: a function of the request that returns an `AuthInfo`, a mapping of props, None,
                or a `Response` that refuses it. A session belongs to the `client_id` and `subject` that opened it.
        """
        from agents_runtime.mcp.server.gate import Gate
        from agents_runtime.mcp.sessions.endpoint import McpEndpoint
        from agents_runtime.mcp.sessions.front import Route

        return McpEndpoint(
            cls, Route(path, transport), binding, jurisdiction, Gate(cors, allowed_hosts, allowed_origins, auth)
        )

    @classmethod
    def serve_sse(
        cls,
        path: str = "/sse",
        *,
        binding: str | None = None,
        cors: CorsOption = True,
        jurisdiction: str | None = None,
        allowed_hosts: Names = None,
        allowed_origins: Names = None,
        auth: AuthOption = None,
    ) -> McpEndpoint:
        """Make the endpoint for clients of the SSE transport of 2024-11-05; the arguments are those of `serve`."""
        return cls.serve(
            path,
            binding=binding,
            cors=cors,
            transport="sse",
            jurisdiction=jurisdiction,
            allowed_hosts=allowed_hosts,
            allowed_origins=allowed_origins,
            auth=auth,
        )

    mount = serve_sse

    # The platform's events

    async def fetch(self, request: Any) -> Any:  # noqa: ANN401 - the platform's request and response
        """Serve what the endpoint passes on, and what other agents serve. Called by the platform."""
        refused = self._mcp_session.refusal(request)
        if refused is not None:
            return refused
        self._props.keep(self._mcp_session.props_of(request))
        return await super().fetch(request)

    def _left_memory(self) -> None:
        super()._left_memory()
        for name in _OWN_NAMES & vars(self).keys():
            del vars(self)[name]

    async def _connect(self, request: Any) -> Any:  # noqa: ANN401 - the platform's
        accepted = self._mcp_session.accept(request)
        return await super()._connect(request) if accepted is None else accepted


_OWN_NAMES = frozenset(("server", "_ready_mcp_server")) | {
    name for name, value in vars(McpAgent).items() if isinstance(value, capability | cached_property)
}
"""What refers back to the agent."""
