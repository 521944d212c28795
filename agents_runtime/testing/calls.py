"""One RPC call of a test client: its chunks, its result, its error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from agents_runtime.errors import RemoteError
from agents_runtime.testing.frames import Json


class CallFailed(RemoteError):
    """Raised when the agent answered a call with an error; the text is what a browser would be told."""

    code = "call_failed"


class CallStream(AsyncIterator[Json]):
    """The chunks of a streaming call, in order.

    Attributes:
        result: the final value, once the iteration has ended; None when the agent sent none.
    """

    def __init__(self, next_reply: Callable[[], Awaitable[dict[str, Json]]]) -> None:
        self.result: Json = None
        self._next_reply = next_reply
        self._is_done = False

    async def __anext__(self) -> Json:
        """The next chunk.

        Raises:
            CallFailed: the agent answered with an error.
            FrameMissing: nothing came in time.
        """
        __tracebackhide__ = True
        if self._is_done:
            raise StopAsyncIteration
        reply = await self._next_reply()
        if not reply.get("success"):
            self._is_done = True
            raise CallFailed(str(reply.get("error")))
        if reply.get("done", True):
            self._is_done = True
            self.result = reply.get("result")
            raise StopAsyncIteration
        return reply.get("result")
