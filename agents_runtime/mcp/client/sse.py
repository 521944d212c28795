"""HTTP with server-sent events, the transport of 2024-11-05: one stream brings everything, messages are posted.

The stream is open for as long as the session is used; the session ends with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urljoin

from agents_runtime._core.jsonx import dumps
from agents_runtime.errors import AgentError
from agents_runtime.mcp.client.errors import HttpRefusal, ProtocolFailure
from agents_runtime.mcp.client.http import Endpoint, EventReader, parse_messages, refusal
from agents_runtime.mcp.client.urls import origin_of

if TYPE_CHECKING:
    from agents_runtime._platform.ports import HttpAnswer
    from agents_runtime.mcp.client.transport import Deliver
    from agents_runtime.mcp.protocol.messages import Params

OPEN_TIMEOUT_S = 15.0


class SseTransport:
    """One server over HTTP with server-sent events.

    Args:
        spawn: runs the reading of the stream in the background.
    """

    kind: Literal["sse"] = "sse"

    def __init__(self, endpoint: Endpoint, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._endpoint = endpoint
        self._spawn = spawn
        self.session_id: str | None = None
        self.version: str | None = None
        self._target: asyncio.Future[str] | None = None
        self._reader: asyncio.Task[Any] | None = None
        self._is_closed = False
        self._deliver: Deliver | None = None
        self._ended: Callable[[str], None] | None = None
        self._failure = ""

    async def exchange(self, message: Params, headers: Mapping[str, str], timeout_s: float, deliver: Deliver) -> bool:
        """Post a request, whose answer comes on the stream."""
        await self._post(message, headers, timeout_s, deliver)
        return True

    async def send(self, message: Params, headers: Mapping[str, str], timeout_s: float, deliver: Deliver) -> None:
        """Post what has no answer."""
        await self._post(message, headers, timeout_s, deliver)

    def listen(
        self, deliver: Deliver, opened: Callable[[], None], ended: Callable[[str], None]
    ) -> Awaitable[None] | None:
        """Nothing more is needed: the stream is open. `ended` is called when it ends."""
        self._deliver, self._ended = deliver, ended
        opened()
        if self._failure:
            ended(self._failure)
        return None

    async def close(self, *, ends_session: bool) -> None:
        """Close the stream, and the session with it."""
        self._ended, self._is_closed = None, True
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()

    async def _post(self, message: Params, headers: Mapping[str, str], timeout_s: float, deliver: Deliver) -> None:
        self._deliver = deliver
        url = await self._open()
        given = {"content-type": "application/json", **headers}
        answer = await self._endpoint.request("POST", url, given, dumps(message).encode(), timeout_s)
        if not 200 <= answer.status < 300:
            raise await refusal(answer)
        await answer.close()

    async def _open(self) -> str:
        """Where to post; opens the stream the first time."""
        if self._failure:
            raise ProtocolFailure(self._failure)
        if self._target is None:
            self._target = asyncio.get_running_loop().create_future()
            given = {"accept": "text/event-stream"}
            try:
                answer = await self._endpoint.request("GET", self._endpoint.url, given, None, OPEN_TIMEOUT_S)
            except BaseException:
                self._target = None
                raise
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if answer.status != 200 or kind != "text/event-stream":
                self._target = None
                if answer.status != 200:
                    raise await refusal(answer)
                await answer.close()
                raise HttpRefusal(200, None, "it opens no stream")
            self._spawn(self._read(answer, self._target))
        return await asyncio.shield(self._target)

    async def _read(self, answer: HttpAnswer, target: asyncio.Future[str]) -> None:
        self._reader = asyncio.current_task()
        failure = "the server ended the stream"
        try:
            if not self._is_closed:
                await self._take_all(answer, target)
        except AgentError as error:
            failure = str(error)
        except asyncio.CancelledError:
            if not self._is_closed:
                raise
        finally:
            self._failure = failure
            await answer.close()
            if not target.done():
                target.set_exception(ProtocolFailure(failure))
                target.exception()
            if self._ended is not None:
                self._ended(failure)

    async def _take_all(self, answer: HttpAnswer, target: asyncio.Future[str]) -> None:
        async with aclosing(EventReader(answer).events()) as events:
            async for event in events:
                if event.event == "endpoint" and not target.done():
                    target.set_result(self._checked_target(event.data))
                elif event.event == "message" and event.data and self._deliver is not None:
                    for message in parse_messages(event.data):
                        self._deliver(message)

    def _checked_target(self, data: str) -> str:
        target = urljoin(self._endpoint.url, data)
        if origin_of(target) != origin_of(self._endpoint.url):
            raise ProtocolFailure("the server names an endpoint of another host")
        return target
