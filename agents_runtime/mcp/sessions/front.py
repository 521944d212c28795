"""The endpoint in front of the sessions, in the Worker: checks each request, finds the object it is for, passes it on.

An idle GET does not keep the object awake: the Worker holds the client's stream, and behind it is a socket of the
object, which may hibernate.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from agents_runtime._platform.base import (
    header_of,
    headers_starting,
    read_body,
    socket_frames,
    stream_response,
    timing_of,
)
from agents_runtime.mcp.protocol.sse import KEEPALIVE
from agents_runtime.mcp.protocol.versions import LAST_EVENT_HEADER, SESSION_HEADER, VERSION_HEADER, is_modern
from agents_runtime.mcp.server.endpoint import LISTEN
from agents_runtime.mcp.server.envelope import looks_modern
from agents_runtime.mcp.sessions.head import HEADER, Head, Kind
from agents_runtime.mcp.sessions.ladder import (
    MAX_BODY_BYTES,
    METHOD_NOT_ALLOWED,
    TOO_LARGE,
    UNKNOWN_SESSION,
    Opened,
    Refused,
    Transport,
    before_body,
    decide_delete,
    decide_get,
    decide_post,
    decode_body,
    is_session_id,
    messages_of,
    not_found,
)
from agents_runtime.mcp.sessions.modern import HUB, MODERN
from agents_runtime.mcp.sessions.streams import KEEPALIVE_S
from agents_runtime.mcp.sessions.surface import respond
from agents_runtime.mcp.sessions.tasks import TASK_METHODS

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock, Namespace

HEADERS = ("accept", "content-type", "content-length", SESSION_HEADER, VERSION_HEADER, LAST_EVENT_HEADER)
STREAMABLE: Literal["streamable-http"] = "streamable-http"
SSE: Literal["sse"] = "sse"
SESSION_BYTES = 32


@dataclass(frozen=True, slots=True)
class Route:
    """Where an endpoint is and whom it is for.

    Attributes:
        path: its path; "/" stands for all.
        transport: what its clients speak.
    """

    path: str
    transport: Transport

    def matches(self, path: str) -> bool:
        """Whether a request of this path is for the endpoint."""
        base = self.path.rstrip("/")
        return not base or path.rstrip("/") == base or (self.transport != STREAMABLE and path == f"{base}/message")

    def is_message(self, path: str) -> bool:
        """Whether a path is that of the messages of 2024-11-05."""
        return path.rstrip("/").endswith("/message")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, and what the Worker knows about who sent it."""

    request: Any
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    auth: dict[str, Any] | None
    props: Any


class Front:
    """Passes requests on to the objects of the sessions."""

    def __init__(
        self,
        route: Route,
        namespace: Namespace,
        hub: list[str],
        env: Any,  # noqa: ANN401 - the platform's
        key: str,
        secret: str | None,
    ) -> None:
        self._route = route
        self._namespace = namespace
        self._hub = hub
        self._key = key
        self._secret = secret
        self._clock, self._entropy = timing_of(env)

    async def answer(self, visit: Visit) -> Any:  # noqa: ANN401 - the platform's response
        """Answer a request whose sender and path are right."""
        if visit.method in ("GET", "DELETE") and is_modern(visit.headers.get(VERSION_HEADER)):
            return respond(METHOD_NOT_ALLOWED)
        transport = self._transport_of(visit)
        if transport == SSE:
            return await self._answer_sse(visit)
        serve = {"POST": self._post, "GET": self._get, "DELETE": self._delete}.get(visit.method)
        return respond(not_found(visit.method)) if serve is None else await serve(visit)

    def _transport_of(self, visit: Visit) -> str:
        if self._route.transport != "auto":
            return self._route.transport
        if visit.method == "POST":
            return SSE if self._route.is_message(visit.path) else STREAMABLE
        return SSE if visit.method == "GET" and SESSION_HEADER not in visit.headers else STREAMABLE

    # Streamable HTTP

    async def _post(self, visit: Visit) -> Any:  # noqa: ANN401 - the platform's response
        body = await self._body(visit)
        if isinstance(body, Refused):
            return respond(body)
        data = decode_body(body)
        if looks_modern(visit.headers.get(VERSION_HEADER), data):
            return await self._post_modern(visit, data, body)
        messages = data if isinstance(data, Refused) else messages_of(data)
        decided = messages if isinstance(messages, Refused) else decide_post(visit.headers, messages)
        if isinstance(decided, Refused):
            return respond(decided)
        if isinstance(decided, Opened):
            return await self._send(visit, f"{STREAMABLE}:{self._new_session()}", _head(visit, "open"), body)
        return await self._send(visit, f"{STREAMABLE}:{decided.session_id}", _head(visit, "post"), body)

    async def _post_modern(self, visit: Visit, data: object, body: bytes) -> Any:  # noqa: ANN401 - the platform's response
        """Pass on a request of the modern era: to an object of its own, that of the task it asks for, or the hub."""
        names = ("accept", "content-type", *headers_starting(visit.request, ("mcp-",)))
        headers = {name: value for name in names if (value := header_of(visit.request, name.lower())) is not None}
        head = Head("modern", visit.auth, visit.props, self._key, hub=self._hub)
        headers[HEADER] = head.text(self._secret)
        stub = self._stub(HUB if _listens(data) else MODERN + (_task_of(data) or self._new_session()))
        return await stub.fetch(visit.request.url, method="POST", headers=headers, body=body.decode(errors="replace"))

    async def _body(self, visit: Visit) -> bytes | Refused:
        refused = before_body(visit.headers)
        if refused is not None:
            return refused
        body = await read_body(visit.request, MAX_BODY_BYTES)
        return TOO_LARGE if body is None else body

    async def _get(self, visit: Visit) -> Any:  # noqa: ANN401 - the platform's response
        decided = decide_get(visit.headers)
        if isinstance(decided, Refused):
            return respond(decided)
        head = _head(visit, "get", last_event_id=decided.last_event_id)
        return await self._listen(visit, f"{STREAMABLE}:{decided.session_id}", decided.session_id, head)

    async def _delete(self, visit: Visit) -> Any:  # noqa: ANN401 - the platform's response
        decided = decide_delete(visit.headers)
        if isinstance(decided, Refused):
            return respond(decided)
        return await self._send(visit, f"{STREAMABLE}:{decided.session_id}", _head(visit, "delete"), b"")

    # The transport of 2024-11-05

    async def _answer_sse(self, visit: Visit) -> Any:  # noqa: ANN401 - the platform's response
        if visit.method == "GET":
            session_id = visit.query.get("sessionId", [""])[0] or self._new_session()
            if not is_session_id(session_id):
                return respond(UNKNOWN_SESSION)
            endpoint = f"{visit.path.rstrip('/')}/message?sessionId={session_id}"
            return await self._listen(visit, f"{SSE}:{session_id}", None, _head(visit, "sse", endpoint=endpoint))
        if visit.method != "POST" or not self._route.is_message(visit.path):
            return respond(not_found(visit.method))
        session_id = visit.query.get("sessionId", [""])[0]
        if not session_id:
            return respond(Refused(400, UNKNOWN_SESSION.code, "Missing sessionId"))
        if not is_session_id(session_id):
            return respond(UNKNOWN_SESSION)
        accepting = {**visit.headers, "accept": "*/*"}
        refused = before_body(accepting)
        body = None if refused is not None else await read_body(visit.request, MAX_BODY_BYTES)
        if body is None:
            return respond(refused or TOO_LARGE)
        return await self._send(visit, f"{SSE}:{session_id}", _head(visit, "sse-post"), body)

    # On to the object

    def _new_session(self) -> str:
        return self._entropy.random_bytes(SESSION_BYTES).hex()

    def _stub(self, name: str) -> Any:  # noqa: ANN401 - the platform's
        return self._namespace.get(self._namespace.idFromName(name))

    async def _send(self, visit: Visit, name: str, head: Head, body: bytes) -> Any:  # noqa: ANN401 - the platform's response
        headers = {HEADER: head.text(self._secret), "content-type": "application/json"}
        text = body.decode(errors="replace")
        # As text, since bytes are not carried alike by both hosts.
        return await self._stub(name).fetch(visit.request.url, method="POST", headers=headers, body=text)

    async def _listen(self, visit: Visit, name: str, session_id: str | None, head: Head) -> Any:  # noqa: ANN401 - the platform's response
        headers = {HEADER: head.text(self._secret), "upgrade": "websocket"}
        answer = await self._stub(name).fetch(visit.request.url, headers=headers)
        if answer.status != 101:
            return answer
        given = {"cache-control": "no-cache, no-transform"}
        if session_id is not None:
            given[SESSION_HEADER] = session_id
        return stream_response(KeptAlive(socket_frames(answer), self._clock), 200, given)


def _head(visit: Visit, kind: Kind, *, last_event_id: str | None = None, endpoint: str | None = None) -> Head:
    return Head(kind, visit.auth, visit.props, None, last_event_id, endpoint)


def _listens(data: object) -> bool:
    return isinstance(data, dict) and cast("dict[str, Any]", data).get("method") == LISTEN


def _task_of(data: object) -> str | None:
    """The id of the task that a request asks for; None when it asks for none."""
    if not isinstance(data, dict):
        return None
    message = cast("dict[str, Any]", data)
    params = message.get("params")
    if message.get("method") not in TASK_METHODS or not isinstance(params, dict):
        return None
    task_id = cast("dict[str, Any]", params).get("taskId")
    return task_id if isinstance(task_id, str) and is_session_id(task_id) else None


class KeptAlive:
    """The frames of a socket, and a comment now and then, so that nothing on the way takes the connection for dead."""

    def __init__(self, frames: AsyncIterator[str], clock: Clock) -> None:
        self._frames = frames
        self._clock = clock
        self._reading: asyncio.Future[str] | None = None

    def __aiter__(self) -> KeptAlive:
        return self

    async def __anext__(self) -> str:
        reading = self._reading = self._reading or asyncio.ensure_future(_next(self._frames))
        pulse = asyncio.ensure_future(self._clock.sleep(KEEPALIVE_S))
        try:
            await asyncio.wait((reading, pulse), return_when=asyncio.FIRST_COMPLETED)
        finally:
            pulse.cancel()
        if not reading.done():
            return KEEPALIVE
        self._reading = None
        frame = reading.result()
        if not frame:
            raise StopAsyncIteration
        return frame

    async def aclose(self) -> None:
        """Close the socket."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait((reading,))
        close: Any = getattr(self._frames, "aclose", None)
        if close is not None:
            await close()


async def _next(frames: AsyncIterator[str]) -> str:
    """The next frame; empty at the end."""
    return await anext(frames, "")
