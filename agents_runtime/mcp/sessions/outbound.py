"""What a server may say to its client in the course of one request, and what it may ask and wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from agents_runtime._core.ids import nanoid
from agents_runtime.mcp.protocol.messages import McpError, Params, Response, build_notification, build_request
from agents_runtime.mcp.protocol.versions import INTERNAL_ERROR

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Clock

REQUEST_TIMEOUT_S = 60.0
"""How long a client may take to answer what a server asks, a question to its user included."""

MAX_ASKED = 1_000

Say = Callable[[Mapping[str, Any]], None]


class Questions:
    """Requests to the client that wait for their answers. They are lost with the object's memory, as is who asked."""

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes], timeout_s: Callable[[], float]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._timeout_s = timeout_s
        self._open: dict[str, asyncio.Future[Response]] = {}

    async def ask(self, say: Say, method: str, params: Mapping[str, Any]) -> Params:
        """Ask the client, and wait for its answer.

        Raises:
            McpError: the client answered with an error, or not in time.
        """
        if len(self._open) >= MAX_ASKED:
            raise McpError(INTERNAL_ERROR, "too many requests to the client wait for an answer")
        request_id = f"s-{nanoid(self._random_bytes)}"
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._open[request_id] = answered
        timer = asyncio.ensure_future(self._clock.sleep(self._timeout_s()))
        try:
            say(build_request(request_id, method, params))
            await asyncio.wait((answered, timer), return_when=asyncio.FIRST_COMPLETED)
            if not answered.done():
                say(build_notification("notifications/cancelled", {"requestId": request_id, "reason": "timed out"}))
                raise McpError(INTERNAL_ERROR, f"the client did not answer {method} in {self._timeout_s():g} seconds")
            response = answered.result()
        finally:
            timer.cancel()
            del self._open[request_id]
        if response.error is not None:
            raise response.error
        return response.result

    def answer(self, response: Response) -> bool:
        """Take the client's answer. False: nobody asked."""
        waiting = self._open.get(response.id) if isinstance(response.id, str) else None
        if waiting is None or waiting.done():
            return False
        waiting.set_result(response)
        return True


class RequestOutbound:
    """The way back to the client of one request."""

    def __init__(self, say: Say, questions: Questions, let_go: Callable[[], None] | None = None) -> None:
        self._say = say
        self._questions = questions
        self._let_go = let_go

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification on the request's stream."""
        self._say(build_notification(method, params))

    async def request(self, method: str, params: Mapping[str, Any]) -> Params:
        """Ask the client on the request's stream. Raises McpError when it refuses or does not answer."""
        return await self._questions.ask(self._say, method, params)

    def close_stream(self) -> None:
        """End the connection for now; the client comes back for the rest."""
        if self._let_go is not None:
            self._let_go()
