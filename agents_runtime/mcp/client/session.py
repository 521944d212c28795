"""One conversation with one server: requests, their answers, and what the server asks or tells meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Protocol, cast

from agents_runtime.errors import AgentError
from agents_runtime.mcp.client.errors import HttpRefusal, ProtocolFailure
from agents_runtime.mcp.client.waiting import within
from agents_runtime.mcp.protocol.headers import routing_headers
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
    build_request,
    build_result,
)
from agents_runtime.mcp.protocol.results import COMPLETE, INPUT_REQUIRED, MAY_LACK_INPUT, type_of
from agents_runtime.mcp.protocol.versions import (
    CLIENT_CAPABILITIES_KEY,
    CLIENT_INFO_KEY,
    INTERNAL_ERROR,
    PROGRESS_TOKEN_KEY,
    PROTOCOL_VERSION_KEY,
    is_modern,
)

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock
    from agents_runtime.mcp.client.transport import Transport

logger = logging.getLogger("agents_runtime")

REQUEST_TIMEOUT_S = 60.0
NOTICE_TIMEOUT_S = 10.0
SPARE_S = 1.0
"""What the network gets beyond the time of a request, so that it is the request that is too late."""

MAX_INPUT_ROUNDS = 10
"""How often one request may ask for more input."""

MAX_SERVER_REQUESTS = 32
"""Requests of a server that may be unanswered at once."""

OnProgress = Callable[[float, "float | None", "str | None"], object]
"""Takes the progress made, the total if it is known, and a message."""

_NO_HEADERS: Mapping[str, str] = {}


class Asked(Protocol):
    """Answers what servers ask for."""

    async def answer(self, method: str, params: Params, server_id: str) -> Params:
        """Answer one request."""
        ...

    async def answer_all(self, requests: Mapping[str, Any], server_id: str) -> Params:
        """Answer all requests of a result that lacks input."""
        ...


@dataclass(frozen=True, slots=True)
class Client:
    """Who talks to the server.

    Attributes:
        info: name and version.
        capabilities: what the server may ask for.
        asked: answers it.
        told: takes the notifications that concern the whole session.
        spawn: runs work in the background.
    """

    server_id: str
    info: Params
    capabilities: Params
    asked: Asked
    told: Callable[[Notification], None]
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    clock: Clock


@dataclass(slots=True)
class _Pending:
    answer: asyncio.Future[Params]
    on_progress: OnProgress | None = None


@dataclass(slots=True)
class Session:
    """A session over a transport, in the era of its version.

    Attributes:
        server: what the server says about itself: the result of `initialize` or `server/discover`.
        first_id: the id of the first request. Others may share the session of an agent as server: not from 0 on then.
    """

    client: Client
    transport: Transport
    server: Params = field(default_factory=dict[str, Any])
    first_id: int = 0
    _ids: itertools.count[int] = field(init=False)
    _pending: dict[RequestId, _Pending] = field(default_factory=dict[RequestId, _Pending])
    _being_answered: int = 0
    _failure: str = ""

    def __post_init__(self) -> None:
        self._ids = itertools.count(self.first_id)

    @property
    def is_modern(self) -> bool:
        """Whether the server is of the era without sessions."""
        return is_modern(self.transport.version)

    @property
    def is_busy(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self._pending)

    @property
    def is_over(self) -> bool:
        """Whether nothing can be asked any more: its stream has ended, say."""
        return bool(self._failure)

    async def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        timeout_s: float = REQUEST_TIMEOUT_S,
        on_progress: OnProgress | None = None,
    ) -> Params:
        """Send a request and return its complete result; what the server lacks for it is asked for meanwhile.

        Raises:
            McpError: the server answered with an error.
            McpTimeout: it did not answer in time. The time that people take to give input does not count.
            RemoteError: it could not be reached, or broke the protocol.
        """
        given = dict(params or {})
        more: Params = {}
        for _ in range(MAX_INPUT_ROUNDS):
            work = self._ask(method, {**given, **more}, headers, timeout_s, on_progress)
            result = await within(self.client.clock, timeout_s, method, work, lambda: self._being_answered > 0)
            kind = type_of(result)
            if not self.is_modern or kind == COMPLETE:
                return result
            if kind != INPUT_REQUIRED or method not in MAY_LACK_INPUT:
                raise ProtocolFailure(f"the server answered {method} with a result of the type {kind[:40]!r}")
            more = await self._lacking(result)
        raise ProtocolFailure(f"the server asked for input {MAX_INPUT_ROUNDS} times and did not finish {method}")

    async def _lacking(self, result: Params) -> Params:
        requests, state = result.get("inputRequests"), result.get("requestState")
        if requests is not None and not isinstance(requests, dict):
            raise ProtocolFailure("the server asks for input with something that is no object")
        if requests is None and not isinstance(state, str):
            raise ProtocolFailure("the server asks for input and does not say for what")
        more: Params = {}
        if requests is not None:
            asked = cast("Params", requests)
            more["inputResponses"] = await self.client.asked.answer_all(asked, self.client.server_id)
        if state is not None:
            more["requestState"] = state
        return more

    async def _ask(
        self, method: str, params: Params, headers: Mapping[str, str], timeout_s: float, on_progress: OnProgress | None
    ) -> Params:
        if self._failure:
            raise ProtocolFailure(self._failure)
        request_id = next(self._ids)
        if on_progress is not None:
            params = {**params, "_meta": {**_meta_of(params), PROGRESS_TOKEN_KEY: request_id}}
        message = build_request(request_id, method, self._stamped(params))
        pending = _Pending(asyncio.get_running_loop().create_future(), on_progress)
        self._pending[request_id] = pending
        sending = asyncio.get_running_loop().create_task(
            self.transport.exchange(
                message, {**self._routing(method, params), **headers}, timeout_s + SPARE_S, self.deliver
            )
        )
        try:
            return await self._first(pending.answer, sending, method)
        except asyncio.CancelledError:
            self._give_up(request_id, method)
            raise
        finally:
            del self._pending[request_id]
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            if not pending.answer.cancel() and not pending.answer.cancelled():
                pending.answer.exception()

    async def _first(self, answer: asyncio.Future[Params], sending: asyncio.Task[bool], method: str) -> Params:
        await asyncio.wait((answer, sending), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        try:
            comes_otherwise = sending.result()
        except HttpRefusal as refusal:
            if refusal.error is not None and not answer.done():
                raise refusal.error from refusal
            raise
        if not comes_otherwise:
            raise ProtocolFailure(f"the server did not answer {method}")
        return await answer

    def _give_up(self, request_id: RequestId, method: str) -> None:
        """Tell a legacy server that nobody waits; a modern one sees it by the stream that is closed."""
        if not self.is_modern and method != "initialize":
            params = {"requestId": request_id, "reason": "nobody waits for it any more"}
            self.client.spawn(self._quietly("notifications/cancelled", params))

    async def _quietly(self, method: str, params: Params) -> None:
        try:
            await self.notify(method, params)
        except AgentError as error:
            logger.debug("%s was not sent: %s", method, error)

    async def notify(self, method: str, params: Params | None = None) -> None:
        """Send a notification."""
        given = self._stamped(params or {})
        message = build_notification(method, given or None)
        await self._send(message, self._routing(method, given))

    async def _send(self, message: Params, headers: Mapping[str, str]) -> None:
        work = self.transport.send(message, headers, NOTICE_TIMEOUT_S, self.deliver)
        await within(self.client.clock, NOTICE_TIMEOUT_S, "a notification", work)

    def listen(self, opened: Callable[[], None]) -> Awaitable[None] | None:
        """Receive what the server sends on its own account; None where that needs nothing or cannot be."""
        return self.transport.listen(self.deliver, opened, self.fail)

    def fail(self, reason: str) -> None:
        """Let every request that waits fail, and those to come."""
        self._failure = reason
        for pending in self._pending.values():
            if not pending.answer.done():
                pending.answer.set_exception(ProtocolFailure(reason))

    # What comes in

    def deliver(self, message: Message) -> None:
        """Take a message of the server."""
        if isinstance(message, Response):
            self._answered(message)
        elif isinstance(message, Notification):
            self._told(message)
        elif self.is_modern:
            logger.debug("a modern server sent the request %s, which is not answered", message.method[:100])
        elif self._being_answered < MAX_SERVER_REQUESTS:
            self._being_answered += 1
            self.client.spawn(self._answer(message))

    def _answered(self, response: Response) -> None:
        pending = self._pending.get(response.id) if response.id is not None else None
        if pending is None or pending.answer.done():
            return
        if response.error is not None:
            pending.answer.set_exception(response.error)
        else:
            pending.answer.set_result(response.result)

    def _told(self, notice: Notification) -> None:
        if notice.method != "notifications/progress":
            self.client.told(notice)
            return
        token = notice.params.get("progressToken")
        pending = self._pending.get(token) if isinstance(token, str | int) else None
        progress, total, text = (notice.params.get(key) for key in ("progress", "total", "message"))
        if pending is None or pending.on_progress is None or not isinstance(progress, int | float):
            return
        known_total = total if isinstance(total, int | float) else None
        try:
            told = pending.on_progress(progress, known_total, text if isinstance(text, str) else None)
        except Exception:
            logger.exception("on_progress failed")
        else:
            if isawaitable(told):
                self.client.spawn(_finish(told))

    async def _answer(self, request: Request) -> None:
        try:
            try:
                result = await self.client.asked.answer(request.method, request.params, self.client.server_id)
                message = build_result(request.id, result)
            except McpError as error:
                message = build_error(request.id, error)
            except Exception as error:
                logger.exception("a request of an MCP server could not be answered")
                message = build_error(request.id, McpError(INTERNAL_ERROR, type(error).__name__))
            await self._send(message, {})
        except AgentError as error:
            logger.debug("the answer to a server's request was not sent: %s", error)
        finally:
            self._being_answered -= 1

    # What goes out

    def _stamped(self, params: Params) -> Params:
        """The parameters as the era has them."""
        if not self.is_modern:
            return params
        meta = {
            **_meta_of(params),
            PROTOCOL_VERSION_KEY: self.transport.version,
            CLIENT_INFO_KEY: self.client.info,
            CLIENT_CAPABILITIES_KEY: self.client.capabilities,
        }
        return {**params, "_meta": meta}

    def _routing(self, method: str, params: Params) -> dict[str, str]:
        version = self.transport.version
        return routing_headers(version, method, params) if version is not None and self.is_modern else {}


async def _finish(told: Awaitable[object]) -> None:
    try:
        await told
    except Exception:
        logger.exception("on_progress failed")


def _meta_of(params: Mapping[str, Any]) -> Params:
    meta = params.get("_meta")
    return cast("Params", meta) if isinstance(meta, dict) else {}
