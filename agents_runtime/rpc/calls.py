"""Answers the calls of clients: looks the method up, checks the arguments, runs it, sends what it gives.

Calls of one connection run concurrently where they await, and are answered in the order they finish. A call runs at
most once. It is not repeated after a crash: the client sees its connection close and decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import aclosing
from types import CoroutineType
from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core import wire
from agents_runtime._core.capability import Capability, FrameHandler
from agents_runtime._core.failures import public_text
from agents_runtime._core.jsonx import dumps
from agents_runtime._core.spelling import snake_case
from agents_runtime.context import CURRENT, is_awaitable
from agents_runtime.errors import AgentError, PeerError, RpcError, SocketClosed
from agents_runtime.rpc.arguments import Plan
from agents_runtime.rpc.dispatch import decode_call
from agents_runtime.rpc.streaming import StreamingResponse

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._core.options import AgentOptions
    from agents_runtime._core.peer import Peer
    from agents_runtime._platform.ports import Clock
    from agents_runtime.rpc.decorate import Exposed

logger = logging.getLogger("agents_runtime")

Emit = Callable[[str, "Mapping[str, Json]"], None]

_JAVASCRIPT_SPELLING = {"constructor": "__init__"}


class UnknownMethod(PeerError):
    """Raised when a client calls a method that does not exist, or that clients may not call."""

    code = "unknown_method"

    def __init__(self, method: str, *, exists: bool) -> None:
        super().__init__(f"Method {method[:200]} {'is not callable' if exists else 'does not exist'}")


class Calls(Capability):
    """The callables of one agent, answering its connections."""

    def __init__(
        self, target: object, table: Mapping[str, Exposed], options: AgentOptions, clock: Clock, emit: Emit
    ) -> None:
        self._target = target
        self._table = table
        self._options = options
        self._clock = clock
        self._emit = emit
        self._plans: dict[str, Plan] = {}
        self._limit = options.max_calls_per_connection
        self._cancels = options.cancel_calls_on_disconnect

    def frames(self) -> Mapping[str, FrameHandler]:
        """Handle `rpc`."""
        return {wire.RPC: self.on_frame}

    def on_frame(self, peer: Peer, frame: dict[str, Any]) -> Awaitable[None] | None:
        """Answer a call; None when the frame is no call."""
        call = decode_call(frame)
        return None if call is None else self._answer(peer, *call)

    def refuse(self, peer: Peer, message: object, error: Exception) -> None:
        """Answer a message with `error` if it is a call; its caller would wait in vain otherwise."""
        frame = wire.decode(message) if isinstance(message, str) else None
        call = decode_call(frame) if frame is not None and frame.get("type") == wire.RPC else None
        if call is not None:
            self._fail(peer, call.id, call.method, error)

    def on_disconnect(self, peer: Peer) -> None:
        """Cancel the streams of a connection that is gone, and its calls where the class wants that."""
        for task in tuple(peer.tasks):
            task.cancel()

    async def _answer(self, peer: Peer, call_id: str, method: str, args: list[Any]) -> None:
        previous = CURRENT.get()
        CURRENT.set(peer.scope)
        exposed: Exposed | None = None
        try:
            exposed = self._table.get(method)
            if exposed is None:
                raise UnknownMethod(method, exists=self._exists(method))
            plan = self._plans.get(method) or self._plan(exposed)
            args = plan.bind(args)
            if exposed.metadata.streaming:
                await self._stream(peer, call_id, exposed, args)
                return
            result: Any = exposed.function(self._target, *args)
            if is_awaitable(result):
                result = await self._finished(peer, exposed, result)
            self._emit("rpc", {"method": method})
            peer.send_text(wire.rpc_result(call_id, dumps(result, "result")))
        except SocketClosed:
            return
        except asyncio.CancelledError:
            if not _is_cancelled_inside():
                raise
            self._fail(peer, call_id, method, RpcError(f"Method {method} was cancelled"))
        except Exception as error:  # whatever the user's method raises is answered
            self._fail(peer, call_id, method, error)
        finally:
            CURRENT.set(previous)

    def _plan(self, exposed: Exposed) -> Plan:
        plan = self._plans[exposed.metadata.name] = Plan(exposed)
        return plan

    def _exists(self, method: str) -> bool:
        """Whether the class has such a method that clients may not call, in our spelling or JavaScript's."""
        spellings = (method, snake_case(method), _JAVASCRIPT_SPELLING.get(method, method))
        return any(callable(getattr(type(self._target), name, None)) for name in spellings)

    def _fail(self, peer: Peer, call_id: str, method: str, error: Exception) -> None:
        text = public_text(error, is_redacted=self._options.redact_errors)
        if isinstance(error, AgentError):
            # What a client got wrong is its own business; it must not be able to fill the log.
            level = logging.INFO if isinstance(error, PeerError) else logging.WARNING
            logger.log(level, "a call of %s failed: %s", method, error)
        else:
            name = type(self._target).__name__
            logger.error("the callable %s of %s failed", method, name, exc_info=error, extra={"is_answered": True})
        self._emit("rpc:error", {"method": method, "error": text})
        try:
            peer.send_text(wire.rpc_error(call_id, text))
        except SocketClosed:
            return

    # Calls that wait

    async def _finished(self, peer: Peer, exposed: Exposed, work: Awaitable[Any], *, is_stream: bool = False) -> object:
        """Wait for a method, within the limits of the class and of the method."""
        if peer.in_flight >= self._limit:
            if isinstance(work, CoroutineType):
                work.close()
            raise RpcError(f"Too many calls in flight: this connection already waits for {self._limit} answers")
        peer.in_flight += 1
        try:
            if is_stream or self._cancels or exposed.metadata.timeout_s is not None:
                return await self._watched(peer, exposed, _as_coroutine(work))
            return await work
        finally:
            peer.in_flight -= 1

    async def _watched(self, peer: Peer, exposed: Exposed, work: Coroutine[Any, Any, Any]) -> object:
        """Wait for `work` in a task of its own, which ends with the connection or at the method's time limit."""
        task = asyncio.create_task(work)
        peer.tasks.add(task)
        timeout_s = exposed.metadata.timeout_s
        timer = None if timeout_s is None else asyncio.ensure_future(self._clock.sleep(timeout_s))
        try:
            await asyncio.wait({task} if timer is None else {task, timer}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                if task.cancelled() and not peer.is_open:
                    raise SocketClosed
                return task.result()
            raise RpcError(f"Method {exposed.metadata.name} timed out after {timeout_s:g} s")
        finally:
            peer.tasks.discard(task)
            if timer is not None:
                timer.cancel()
            if not task.done():
                task.add_done_callback(_forget)
                task.cancel()

    # Streams

    async def _stream(self, peer: Peer, call_id: str, exposed: Exposed, args: list[Any]) -> None:
        stream = StreamingResponse(call_id, peer)
        self._emit("rpc", {"method": exposed.metadata.name, "streaming": True})
        if exposed.takes_stream:
            given: Any = exposed.function(self._target, stream, *args)
            work = given if is_awaitable(given) else None
        else:
            work = _feed(stream, exposed.function(self._target, *args))
        try:
            if work is not None:
                await self._finished(peer, exposed, work, is_stream=True)
        except SocketClosed:
            return
        except Exception as error:  # answered on the stream, unless the method ended it
            if stream.is_closed:
                logger.exception("the streaming callable %s failed after its end", exposed.metadata.name)
            else:
                self._fail(peer, call_id, exposed.metadata.name, error)
        else:
            stream.end()


async def _feed(
    stream: StreamingResponse, chunks: AsyncGenerator[object, None] | Generator[object, None, object]
) -> None:
    """Send what a generator yields; stop it when nobody listens any more."""
    if isinstance(chunks, AsyncGenerator):
        async with aclosing(chunks):
            async for chunk in chunks:
                if not stream.send(chunk):
                    return
        return
    try:
        for chunk in chunks:
            if not stream.send(chunk):
                return
    finally:
        chunks.close()


def _as_coroutine(work: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    if isinstance(work, CoroutineType):
        return cast("Coroutine[Any, Any, Any]", work)

    async def wait() -> object:
        return await work

    return wait()


def _is_cancelled_inside() -> bool:
    """Whether a CancelledError comes from something the method awaited, and not from the end of this event."""
    task = asyncio.current_task()
    return task is not None and not task.cancelling()


def _forget(task: asyncio.Task[Any]) -> None:
    """Let a call that overran its time end without a word."""
    if not task.cancelled():
        task.exception()
