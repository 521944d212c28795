"""One durable session, in the object that it lives in: takes the client's messages, runs its requests, answers.

What the client said when it opened the session is stored, and so are the streams; a life of the object that begins in
the midst of it all goes on from there. A request that was being answered when the memory was lost is answered with an
error: it may have done its work, so it is not done again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agents_runtime._core.capability import Capability
from agents_runtime._core.turns import NEXT_TURN
from agents_runtime._platform.base import make_response, stream_response
from agents_runtime.mcp.protocol.messages import (
    McpError,
    Message,
    Notification,
    Params,
    Request,
    RequestId,
    Response,
    build_error,
    build_notification,
    build_result,
)
from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR, SERVER_ERROR, SESSION_HEADER, V_2025_11_25
from agents_runtime.mcp.server.auth import AUTH
from agents_runtime.mcp.server.dispatch import negotiate, serve
from agents_runtime.mcp.server.subscriptions import MAX_RESOURCES, UPDATED
from agents_runtime.mcp.sessions.head import FORGED, Head, HeadReader
from agents_runtime.mcp.sessions.ladder import INITIALIZE, UNKNOWN_SESSION, Refused, parse_body
from agents_runtime.mcp.sessions.outbound import Questions, RequestOutbound
from agents_runtime.mcp.sessions.sse_legacy import SseChannel
from agents_runtime.mcp.sessions.store import OWNER, SessionStore
from agents_runtime.mcp.sessions.streams import STANDALONE, DirectOutlet, Stream, Streams, parse_event_id
from agents_runtime.mcp.sessions.surface import principal_of, respond, session_of

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Platform
    from agents_runtime.mcp.server.caller import Caller, Outbound
    from agents_runtime.mcp.sessions.modern import ModernAnswers
    from agents_runtime.mcp.sessions.store import EventStore
    from agents_runtime.mcp.sessions.surface import Surface

logger = logging.getLogger("agents_runtime")

TURNS_TO_ANSWER = 16
"""So many turns of the loop a request gets to be answered without a stream that is stored."""

MAX_RUNNING = 1_000
MAX_URI_CHARS = 1_000
USED = "used_ms"
USES_NOTED = 20
"""So often in the time after which an idle session ends its use is noted."""

SSE_HEADERS = {"cache-control": "no-cache, no-transform", "content-type": "text/event-stream"}
INTERRUPTED = McpError(
    INTERNAL_ERROR, "The server was restarted while it worked on this request; part of it may have been done"
)


class McpSession(Capability):
    """The session of one agent."""

    def __init__(
        self,
        platform: Platform,
        surface: Surface,
        events: Callable[[], EventStore | None],
        modern: Callable[[SessionStore], ModernAnswers],
    ) -> None:
        self._platform = platform
        self._surface = surface
        self._store = SessionStore(platform.sql, platform.kv)
        self._make_events = events
        self._made_streams: Streams | None = None
        self._caller: Caller | None = None
        self._head_of = HeadReader(surface.secret)
        self._running: dict[RequestId, list[asyncio.Task[Any]]] = {}
        self._cancelled: set[asyncio.Task[Any]] = set()
        self.sse = SseChannel(platform.sockets)
        self.modern = modern(self._store)
        self.questions = Questions(platform.clock, platform.entropy.random_bytes, surface.question_timeout_s)

    # The phases

    async def on_start(self) -> None:
        """Answer what was lost with the last life."""
        if self._store.opening() is not None:
            self._streams.settle_lost(lambda request_id: build_error(request_id, INTERRUPTED))

    async def on_started(self) -> None:
        """Make the server ready."""
        await self._surface.server()

    def next_wake_ms(self) -> int | None:
        """When the task of this object is to be forgotten, or the session that nobody uses."""
        return self.modern.expires_ms or self._idle_ends_ms()

    async def on_alarm(self, now_ms: int) -> None:
        """Forget the task or session whose time is over, and all else with it."""
        due_ms = self.next_wake_ms()
        if due_ms is None or due_ms > now_ms:
            return
        if self.modern.expires_ms is None and (self._running or self._streams.has_listeners() or self.sse.is_open):
            self._store.set(USED, now_ms)
        else:
            self._surface.end()

    def _idle_ends_ms(self) -> int | None:
        idle_s = self._surface.idle_s()
        used_ms: int | None = None if idle_s is None else self._store.setting(USED)
        return None if idle_s is None or used_ms is None else used_ms + round(idle_s * 1000)

    def _use(self) -> None:
        """Note that the session is used; now and then only, since that is a write."""
        idle_s = self._surface.idle_s()
        if idle_s is None:
            return
        now_ms = self._platform.clock.now_ms()
        used_ms: int | None = self._store.setting(USED)
        if used_ms is None or now_ms - used_ms > idle_s * 1000 / USES_NOTED:
            self._store.set(USED, now_ms)
            self._surface.wake()

    def refusal(self, request: Any) -> Any:  # noqa: ANN401 - the platform's request and response
        """The answer to a request for a session that never was or is over; None: go on. Writes nothing."""
        head = self._head_of(request)
        if head is FORGED:
            logger.error("a request was refused that its Worker did not sign; has it another MCP_STATE_KEY, or none?")
            return respond(Refused(403, SERVER_ERROR, "Forbidden"))
        if head is not None and head.kind in ("sse", "sse-post"):
            return None if self._is_owner(head) else respond(UNKNOWN_SESSION)
        if head is None or head.kind not in ("post", "get", "delete"):
            return None
        if self._store.opening() is None or self._surface.is_ending() or not self._is_owner(head):
            return respond(UNKNOWN_SESSION)
        return None

    async def on_request(self, request: Any) -> Any:  # noqa: ANN401 - the platform's request and response
        """Answer what the Worker passed on."""
        head = self._head_of(request)
        if head is None:
            return None
        if head.kind == "modern":
            return await self.modern.answer(await self._surface.server(), request, head)
        self._use()
        if head.kind == "delete":
            return self._delete()
        messages = parse_body((await request.text()).encode())
        if isinstance(messages, Refused):
            return respond(messages)
        if head.kind == "sse-post":
            return await self._post_legacy(head, messages)
        return await self._post(head, messages)

    def accept(self, request: Any) -> Any:  # noqa: ANN401 - the platform's request and response
        """Answer the upgrade that the Worker made of a GET; None if it is none of ours."""
        head = self._head_of(request)
        if head is None:
            return None
        self._use()
        if head.kind == "sse":
            return self.sse.accept(head.endpoint or "/message")
        if head.last_event_id is None or not self._streams.can_replay():
            return self._streams.accept(STANDALONE, None)
        seen = parse_event_id(head.last_event_id)
        if seen is None or not self._streams.knows(seen[0]):
            return respond(Refused(400, SERVER_ERROR, "Bad Request: Last-Event-ID is no event of this session"))
        return self._streams.accept(*seen)

    def props_of(self, request: Any) -> Any:  # noqa: ANN401 - the platform's request, and JSON
        """The props that the Worker passed on with a request; None when there are none."""
        head = self._head_of(request)
        return None if head is None else head.props

    def changed(self, method: str, params: Params) -> None:
        """Tell the client of a change, if it is one that it wants to hear of."""
        self.modern.changed(method, params)
        if method != UPDATED or params.get("uri") in self.subscriptions:
            self.tell(method, params)

    # What the agent may do with its session

    @property
    def opening(self) -> Params | None:
        """What the client said when it opened the session; None before that."""
        return self._store.opening()

    def tell(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification that belongs to no request. Stored for a client that comes back for it."""
        if self._surface.name().startswith("sse:"):
            self.sse.say(build_notification(method, params))
        elif self._store.opening() is not None:
            self._streams.emit(STANDALONE, build_notification(method, params))

    async def ask(self, method: str, params: Mapping[str, Any]) -> Params:
        """Ask the client something that belongs to no request. Raises McpError when it refuses or does not answer."""
        return await self.questions.ask(self._say_alone, method, params)

    def _say_alone(self, message: Mapping[str, Any]) -> None:
        if self._surface.name().startswith("sse:"):
            self.sse.say(message)
        else:
            self._streams.emit(STANDALONE, message)

    # Messages

    async def _post(self, head: Head, messages: tuple[Message, ...]) -> Any:  # noqa: ANN401 - the platform's response
        requests = tuple(message for message in messages if isinstance(message, Request))
        if not requests:
            self._take(messages)
            return make_response(None, 202)
        opener = None if requests[0].method == INITIALIZE else await self._opener()
        stream = self._streams.make(
            tuple(request.id for request in requests), is_primed=opener is not None and opener.version >= V_2025_11_25
        )
        self._take(messages)
        for request in requests:
            self._start(head, request, stream)
        return await self._answer(stream)

    async def _answer(self, stream: Stream) -> Any:  # noqa: ANN401 - the platform's response
        headers = {**SSE_HEADERS, SESSION_HEADER: session_of(self._surface.name())}
        for _ in range(TURNS_TO_ANSWER):
            if stream.is_done or stream.is_busy:
                break
            await NEXT_TURN
        if stream.is_done and not stream.is_busy:
            return make_response(stream.at_once(), 200, headers)
        outlet = DirectOutlet(self._platform.clock, self._platform.committed)
        streams = self._streams
        streams.attach(stream.id, outlet)
        stream.go_live()
        return stream_response(outlet.frames(lambda: streams.detach(stream.id, outlet)), 200, headers)

    def _start(self, head: Head, request: Request, stream: Stream) -> None:
        outbound = RequestOutbound(stream.say, self.questions, stream.let_go if self._streams.can_replay() else None)
        self._platform.spawn(
            self._run(head, request, outbound, lambda answer: stream.answer(request.id, answer)),
        )

    async def _run(
        self, head: Head, request: Request, outbound: Outbound, answered: Callable[[Params | None], None]
    ) -> None:
        """Answer one request, however long that takes and whoever still listens."""
        task = asyncio.current_task()
        assert task is not None
        running = self._running.setdefault(request.id, [])
        running.append(task)
        try:
            answered(await self.serve(head, request, outbound))
        except Exception:  # the storage refused, say; the client must not wait for ever
            logger.exception("answering %s failed", request.method[:200])
            answered(build_error(request.id, McpError(INTERNAL_ERROR, "Internal server error")))
        except asyncio.CancelledError:
            if task not in self._cancelled:
                raise  # the object goes
            answered(None)
        finally:
            self._cancelled.discard(task)
            running.remove(task)
            if not running:
                self._running.pop(request.id, None)

    async def serve(self, head: Head, request: Request, outbound: Outbound) -> Params:
        """The response to a request."""
        if request.method == INITIALIZE:
            return await self._open(request, head)
        caller = await self._caller_for(head, request)
        if caller is None:
            return build_error(request.id, McpError(SERVER_ERROR, "Server not initialized"))
        problem = self._too_much(request)
        if problem is not None:
            return build_error(request.id, McpError(SERVER_ERROR, problem))
        server = await self._surface.server()
        AUTH.set(caller.auth)
        response: Params = await self._surface.call(serve, server, request, caller, outbound)
        if "error" not in response:
            self._note(request)
        return response

    def _too_much(self, request: Request) -> str | None:
        if len(self._running) > MAX_RUNNING:
            return f"more than {MAX_RUNNING} requests are under way"
        if request.method == "resources/subscribe":
            uri = request.params.get("uri")
            if len(self.subscriptions) >= MAX_RESOURCES or (isinstance(uri, str) and len(uri) > MAX_URI_CHARS):
                return f"a session subscribes to at most {MAX_RESOURCES} resources, of {MAX_URI_CHARS} characters each"
        return None

    async def _open(self, request: Request, head: Head) -> Params:
        server = await self._surface.server()
        try:
            result, caller = negotiate(server, request.params)
        except McpError as error:
            if head.kind == "open":
                self._surface.end()  # this object is for this session alone, and nobody opens it
            return build_error(request.id, error)
        self._store.open(request.id, request.params)
        owner = principal_of(head)
        if owner is not None:
            self._store.set(OWNER, owner)
        self._caller = caller
        return build_result(request.id, result)

    def _note(self, request: Request) -> None:
        """Keep what a request has changed about the session."""
        uri = request.params.get("uri")
        if request.method == "logging/setLevel":
            self._store.set("log_level", request.params.get("level"))
        elif request.method == "resources/subscribe":
            self._store.set("resources", sorted({*self.subscriptions, str(uri)}))
        elif request.method == "resources/unsubscribe":
            self._store.set("resources", sorted({*self.subscriptions} - {str(uri)}))

    @property
    def subscriptions(self) -> list[str]:
        """The resources whose changes the client wants to hear of."""
        return list(self._store.setting("resources") or ())

    def _take(self, messages: tuple[Message, ...]) -> None:
        for message in messages:
            if isinstance(message, Response):
                self.questions.answer(message)
            elif isinstance(message, Notification) and message.method == "notifications/cancelled":
                self._cancel(message.params.get("requestId"))

    def _cancel(self, request_id: object) -> None:
        if not isinstance(request_id, str | int):
            return
        for task in tuple(self._running.get(request_id, ())):
            self._cancelled.add(task)
            task.cancel()

    async def _caller_for(self, head: Head, request: Request) -> Caller | None:
        """Who asks; None before the session was opened."""
        opener = None if request.method == INITIALIZE else await self._opener()
        if opener is None:
            return None
        return replace(
            opener,
            auth=head.auth_info(),
            log_level=self._store.setting("log_level"),
            session_id=session_of(self._surface.name()),
        )

    async def _opener(self) -> Caller | None:
        """The client as it introduced itself; None before it did."""
        if self._caller is None:
            opening = self._store.opening()
            if opening is None:
                return None
            _, self._caller = negotiate(await self._surface.server(), opening)
        return self._caller

    # The other ways in

    async def _post_legacy(self, head: Head, messages: tuple[Message, ...]) -> Any:  # noqa: ANN401 - the platform's response
        if not self.sse.is_open or self._surface.is_ending():
            return respond(UNKNOWN_SESSION)
        self._take(messages)
        for message in messages:
            if isinstance(message, Request):
                outbound = RequestOutbound(self.sse.say, self.questions)
                self._platform.spawn(self._run(head, message, outbound, self.sse.answer))
        return make_response("Accepted", 202)

    async def serve_rpc(self, request: Request, outbound: Outbound) -> Params:
        """The response to a request of another agent."""
        return await self.serve(Head("post"), request, outbound)

    def take(self, message: Message) -> None:
        """Take a message that is not answered."""
        self._take((message,))

    def _delete(self) -> Any:  # noqa: ANN401 - the platform's response
        for request_id in tuple(self._running):
            self._cancel(request_id)
        self._surface.end()
        self._streams.close_all()
        return make_response(None, 204)

    def _is_owner(self, head: Head) -> bool:
        return self._store.setting(OWNER) in (None, principal_of(head))

    @property
    def _streams(self) -> Streams:
        if self._made_streams is None:
            platform = self._platform
            self._made_streams = Streams(
                self._store, self._make_events(), platform.sockets, platform.clock, platform.entropy.random_bytes
            )
        return self._made_streams
