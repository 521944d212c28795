"""Answers to HTTP requests: as JSON, or as an event stream when something is to be told before the answer is there."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agents_runtime._core.jsonx import dumps, loads
from agents_runtime._core.turns import NEXT_TURN
from agents_runtime._platform.base import make_response, read_body, stream_response
from agents_runtime.mcp.protocol.messages import McpError, Params, build_error, build_notification
from agents_runtime.mcp.protocol.sse import KEEPALIVE, encode_event
from agents_runtime.mcp.protocol.versions import HTTP_STATUS, INVALID_REQUEST, PARSE_ERROR, SERVER_ERROR
from agents_runtime.mcp.server.caller import no_way_back
from agents_runtime.mcp.server.subscriptions import Changes, Subscription

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._platform.ports import Clock
    from agents_runtime.mcp.protocol.messages import RequestId

logger = logging.getLogger("agents_runtime")

ResponseMode: TypeAlias = Literal["auto", "json", "sse"]
Work: TypeAlias = Coroutine[Any, Any, Params]
"""Makes the JSON-RPC response."""

MAX_BODY_BYTES = 4 * 1024 * 1024
DEFAULT_KEEPALIVE_S = 25.0
CLEAN_UP_S = 5.0
"""How long a tool whose client is gone may take to clean up before nobody waits for it any more."""

TURNS_TO_ANSWER = 2
"""For so many turns of the event loop a tool may run before a timer is set up for it; most have answered by then."""

MAX_WAITING = 1_000
"""The most notifications that wait for a slow reader; further ones are dropped."""

JSON_TYPE = "application/json"
EVENT_STREAM = "text/event-stream"
STREAM_HEADERS: Mapping[str, str] = {
    "content-type": EVENT_STREAM,
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


@dataclass(frozen=True, slots=True)
class Manner:
    """How answers are sent.

    Attributes:
        clock: for keepalives.
        mode: `json`: one JSON text, and notifications are lost; `sse`: always a stream; `auto`: a stream when there is
            a notification before the answer, or when that takes long.
        keepalive_s: how long a stream may be silent; before that, how long `auto` waits for a short answer.
    """

    clock: Clock
    mode: ResponseMode = "auto"
    keepalive_s: float = DEFAULT_KEEPALIVE_S


def json_answer(message: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - the platform's response
    """A response with a JSON text."""
    return make_response(dumps(message), status, {"content-type": JSON_TYPE, **(headers or {})})


def refused(
    status: int, code: int, text: str, request_id: RequestId | None = None, headers: Mapping[str, str] | None = None
) -> Any:  # noqa: ANN401 - the platform's response
    """A response that says why a request is not served, as a JSON-RPC error."""
    return json_answer(build_error(request_id, McpError(code, text)), status, headers)


def answered(message: Params, *, is_modern: bool) -> Any:  # noqa: ANN401 - the platform's response
    """The JSON response for a JSON-RPC response. In the modern era the status tells some errors."""
    error = message.get("error")
    return json_answer(message, HTTP_STATUS.get(error["code"], 200) if is_modern and error is not None else 200)


@lru_cache(maxsize=256)
def accepts_both(accept: str | None) -> bool:
    """Whether a client takes JSON as well as event streams."""
    kinds = {part.partition(";")[0].strip().lower() for part in (accept or "").split(",")}
    if "*/*" in kinds:
        return True
    return bool(kinds & {JSON_TYPE, "application/*"}) and bool(kinds & {EVENT_STREAM, "text/*"})


def posted_problem(accept: str | None, content_type: str | None, content_length: str | None) -> Any:  # noqa: ANN401 - the platform's response
    """The refusal of a POST by its headers alone; None if they are fine."""
    if not accepts_both(accept):
        return refused(406, SERVER_ERROR, f"Not Acceptable: Client must accept both {JSON_TYPE} and {EVENT_STREAM}")
    if content_type != JSON_TYPE and (content_type or "").partition(";")[0].strip().lower() != JSON_TYPE:
        return refused(415, SERVER_ERROR, f"Unsupported Media Type: Content-Type must be {JSON_TYPE}")
    if content_length is not None and content_length.isdigit() and int(content_length[:20]) > MAX_BODY_BYTES:
        return too_large()
    return None


def too_large() -> Any:  # noqa: ANN401 - the platform's response
    """The refusal of a body that is too large."""
    return refused(413, INVALID_REQUEST, f"Payload Too Large: at most {MAX_BODY_BYTES:,} bytes")


async def read_json(request: Any) -> tuple[Json, Any]:  # noqa: ANN401 - the platform's request and response
    """The decoded body of a request, and None; or None, and the response that refuses it."""
    body = await read_body(request, MAX_BODY_BYTES)
    if body is None:
        return None, too_large()
    try:
        return loads(body.decode()), None
    except ValueError:
        return None, refused(400, PARSE_ERROR, "Parse error: the body is not JSON in UTF-8")


class Replies:
    """The way back to the sender of one POST: notifications wait here until they are streamed."""

    __slots__ = ("_frames", "_has_dropped", "changed")

    can_ask = False

    def __init__(self) -> None:
        self._frames: deque[str] = deque()
        self._has_dropped = False
        self.changed = asyncio.Event()

    def notify(self, method: str, params: Mapping[str, Json]) -> None:
        """Send a notification. When a thousand wait already it is dropped, and the log says so once."""
        if len(self._frames) < MAX_WAITING:
            self._frames.append(_frame(build_notification(method, params)))
            self.changed.set()
        elif not self._has_dropped:
            self._has_dropped = True
            logger.warning("%d notifications of one MCP request wait for its client; more are dropped", MAX_WAITING)

    async def request(self, method: str, params: Mapping[str, Json]) -> Params:
        """Raise McpError: a client without a session cannot be asked."""
        no_way_back(method)

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be told."""
        return bool(self._frames)

    def take(self) -> str:
        """What waits, as one text."""
        taken = "".join(self._frames)
        self._frames.clear()
        return taken


async def respond(work: Work, replies: Replies, manner: Manner, *, is_modern: bool, is_quick: bool = False) -> Any:  # noqa: ANN401 - the platform's response
    """The HTTP response for a request that `work` answers.

    Args:
        work: makes the JSON-RPC response. It is cancelled when the client closes the stream.
        replies: where it puts its notifications.
        manner: how answers are sent.
        is_modern: the era.
        is_quick: whether it waits for nothing.
    """
    if manner.mode == "json":
        return answered(await work, is_modern=is_modern)
    if is_quick and manner.mode == "auto":
        message = await work
        told = replies.take()
        return (
            make_response(told + _frame(message), 200, STREAM_HEADERS)
            if told
            else answered(message, is_modern=is_modern)
        )
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda _: replies.changed.set())
    if manner.mode == "auto":
        await _first_sign(task, replies, manner)
        if task.done() and not replies.is_waiting:
            return answered(task.result(), is_modern=is_modern)
    return stream_response(_stream(task, replies, manner), 200, STREAM_HEADERS)


async def _first_sign(task: asyncio.Future[Params], replies: Replies, manner: Manner) -> None:
    """Wait for the answer, a notification, or until a proxy might lose its patience."""
    try:
        for _ in range(TURNS_TO_ANSWER):
            await NEXT_TURN
            if task.done() or replies.is_waiting:
                return
    except asyncio.CancelledError:
        task.cancel()
        raise
    patience = asyncio.ensure_future(manner.clock.sleep(manner.keepalive_s))
    patience.add_done_callback(lambda _: replies.changed.set())
    try:
        await replies.changed.wait()
    except asyncio.CancelledError:
        task.cancel()
        raise
    finally:
        patience.cancel()


async def _stream(task: asyncio.Future[Params], replies: Replies, manner: Manner) -> AsyncIterator[str]:
    ticker = asyncio.ensure_future(_tick(manner, replies.changed))
    try:
        while True:
            replies.changed.clear()
            is_done = task.done()
            told = replies.take()
            if ticker.done():
                ticker = asyncio.ensure_future(_tick(manner, replies.changed))
                told = told or KEEPALIVE
            if told:
                yield told
            if is_done:
                yield _frame(task.result())
                return
            await replies.changed.wait()
    finally:
        ticker.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=CLEAN_UP_S)


async def _tick(manner: Manner, changed: asyncio.Event) -> None:
    await manner.clock.sleep(manner.keepalive_s)
    changed.set()


def listen(request_id: RequestId, params: Params, changes: Changes, manner: Manner) -> Any:  # noqa: ANN401 - the platform's response
    """The response to `subscriptions/listen`: a stream that ends when the client closes it.

    Raises:
        McpError: what it asks for cannot be read.
    """
    changed = asyncio.Event()
    subscription = Subscription(request_id, params, changed.set)
    return stream_response(_listening(subscription, changes, changed, manner), 200, STREAM_HEADERS)


async def _listening(
    subscription: Subscription, changes: Changes, changed: asyncio.Event, manner: Manner
) -> AsyncIterator[str]:
    stop = changes.listen(subscription.take)
    ticker = asyncio.ensure_future(_tick(manner, changed))
    try:
        while True:
            changed.clear()
            told = "".join(_frame(build_notification(method, said)) for method, said in subscription.waiting())
            if ticker.done():
                ticker = asyncio.ensure_future(_tick(manner, changed))
                told = told or KEEPALIVE
            if told:
                yield told
            await changed.wait()
    finally:
        stop()
        ticker.cancel()


def _frame(message: Mapping[str, Any]) -> str:
    return encode_event(dumps(message), event="message")
