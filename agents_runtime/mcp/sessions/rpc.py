"""MCP between agents without HTTP: one agent calls `handle_mcp_message` of another, and gets its answer.

A question that a tool asks of the client is the answer to the call, and the answer to the question gets the tool's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, cast

from agents_runtime.mcp.protocol.messages import (
    McpError,
    Message,
    Params,
    Request,
    Response,
    build_error,
    id_of,
    parse_message,
)
from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR, INVALID_REQUEST
from agents_runtime.mcp.sessions.ladder import MAX_BATCH
from agents_runtime.mcp.sessions.outbound import Questions, RequestOutbound

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock
    from agents_runtime.mcp.protocol.messages import RequestId
    from agents_runtime.mcp.server.caller import Outbound

Reply = dict[str, Any] | list[dict[str, Any]] | None
"""What an agent answers: a message, several of which the last is the answer or a question, or nothing."""


MAX_CALLS = 1_000


class RpcCall:
    """One request that is being answered, and what was said about it since the caller last heard of it."""

    def __init__(self) -> None:
        self.said: list[Params] = []
        self.news = asyncio.Event()
        self.question: str | None = None
        self.answer: Params | None = None

    def say(self, message: Mapping[str, Any]) -> None:
        """Take a notification or a question of the server."""
        self.said.append(dict(message))
        if "id" in message:
            self.question = str(message["id"])
            self.news.set()

    def finish(self, answer: Params) -> None:
        """Take the answer."""
        self.answer = answer
        self.news.set()

    def drain(self) -> Reply:
        """What the caller is told: a message, or several of which the last is the answer or a question."""
        said, self.said = self.said, []
        if self.answer is not None:
            said.append(self.answer)
        self.news.clear()
        return said[0] if len(said) == 1 else said


class RpcChannel:
    """Takes the messages of other agents."""

    def __init__(
        self,
        serve: Callable[[Request, Outbound], Awaitable[Params]],
        take: Callable[[Message], None],
        questions: Questions,
        clock: Clock,
        spawn: Callable[[Coroutine[Any, Any, Any]], None],
        timeout_s: Callable[[], float],
    ) -> None:
        self._serve = serve
        self._take = take
        self._questions = questions
        self._clock = clock
        self._spawn = spawn
        self._timeout_s = timeout_s
        self._calls: dict[RequestId, RpcCall] = {}

    async def handle(self, message: object) -> Reply:
        """Answer a message or a list of them; None when there is nothing to say."""
        if not isinstance(message, list):
            return await self._one(message)
        messages = cast("list[object]", message)
        if not 0 < len(messages) <= MAX_BATCH:
            return build_error(None, McpError(INVALID_REQUEST, f"Invalid Request: 1 to {MAX_BATCH} messages"))
        replies: list[Params] = []
        for one in messages:
            reply = await self._one(one)
            replies.extend(reply if isinstance(reply, list) else [] if reply is None else [reply])
        return replies or None

    async def _one(self, data: object) -> Reply:
        try:
            message = parse_message(data)
        except McpError as error:
            return build_error(id_of(data), error)
        if isinstance(message, Response):
            return await self._go_on(message)
        if not isinstance(message, Request):
            self._take(message)
            return None
        if len(self._calls) >= MAX_CALLS:
            return build_error(message.id, McpError(INVALID_REQUEST, f"{MAX_CALLS} requests are under way"))
        if message.id in self._calls:
            return build_error(message.id, McpError(INVALID_REQUEST, f"the request {message.id!r} is under way"))
        call = self._calls[message.id] = RpcCall()
        self._spawn(self._work(message, call))
        return await self._wait(message.id, call)

    async def _go_on(self, response: Response) -> Reply:
        """Hand the answer to whoever asked, and wait for what it says next."""
        asked = next(((key, call) for key, call in self._calls.items() if call.question == response.id), None)
        if not self._questions.answer(response) or asked is None:
            return None
        asked[1].question = None
        return await self._wait(*asked)

    async def _work(self, request: Request, call: RpcCall) -> None:
        try:
            call.finish(await self._serve(request, RequestOutbound(call.say, self._questions)))
        except asyncio.CancelledError:
            call.finish(build_error(request.id, McpError(INTERNAL_ERROR, "the request was cancelled")))
            raise

    async def _wait(self, request_id: RequestId, call: RpcCall) -> Reply:
        timer = asyncio.ensure_future(self._clock.sleep(self._timeout_s()))
        news = asyncio.ensure_future(call.news.wait())
        try:
            await asyncio.wait((news, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            news.cancel()
        if not call.news.is_set():
            self._calls.pop(request_id, None)
            return build_error(request_id, McpError(INTERNAL_ERROR, f"not answered in {self._timeout_s():g} seconds"))
        if call.answer is not None:
            self._calls.pop(request_id, None)
        return call.drain()
