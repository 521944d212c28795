"""A client in the test's own process that speaks the protocol of the JavaScript `AgentClient`.

It stands where the network would stand: frames go straight to the object's end of the WebSocket, so there is
no server, no port and no delay. The connection outlives eviction of the object, as a real one does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeVar, overload

from agents_runtime.errors import UsageError
from agents_runtime.testing.calls import CallStream
from agents_runtime.testing.frames import (
    Frame,
    Json,
    Predicate,
    decode_frame,
    describe_wanted,
    encode_frame,
    fields_of,
    frame_type,
    matches,
    show_frames,
)

if TYPE_CHECKING:
    from types import TracebackType

T = TypeVar("T")

IDENTITY, STATE, RPC = "cf_agent_identity", "cf_agent_state", "rpc"


@dataclass(frozen=True)
class ClientPeer:
    """What the agent's end of the WebSocket sends to and closes."""

    send: Callable[[str | bytes], None]
    close: Callable[[int, str], None]


class FarEnd(Protocol):
    """The end of the WebSocket that a client talks to."""

    def attach(self, peer: ClientPeer) -> None:
        """Hand over to `peer` what was sent so far, then every frame as it comes."""
        ...

    def receive(self, data: str | bytes) -> None:
        """Take a frame from the client."""
        ...

    def receive_close(self, code: int, reason: str, was_clean: bool) -> None:
        """Take note that the client closed the connection, or vanished."""
        ...


class World(Protocol):
    """What a client asks of the runtime it belongs to."""

    @property
    def expect_timeout_s(self) -> float:
        """Real seconds to wait for a frame."""
        ...

    def describe(self) -> str:
        """Virtual time, waiting timers, seed and errors, for failure messages."""
        ...

    async def settle(self) -> None:
        """Return when no object makes progress any more."""
        ...


class FrameMissing(AssertionError):
    """Raised when a frame a test waits for does not arrive, or cannot any more."""


class TestClient:
    """One WebSocket connection to an agent, made by `await runtime.connect(...)`.

    Attributes:
        label: where it is connected, for messages.
        frames: every frame received, in order.
        state: the agent's state as this client last saw or set it; None before the first state frame.
        agent: the agent's class in kebab-case, from its identity frame; None before it.
        name: the agent's name, from its identity frame; None before it.
        closed: the close code and the reason once the connection has ended, else None.
    """

    __test__ = False

    def __init__(self, far_end: FarEnd, *, label: str, world: World) -> None:
        self.label = label
        self.frames: list[Frame] = []
        self.state: Json = None
        self.agent: str | None = None
        self.name: str | None = None
        self.closed: tuple[int, str] | None = None
        self._far_end = far_end
        self._world = world
        self._taken: list[bool] = []
        self._next_call = 1
        self._is_closing = False
        self._waiting: list[asyncio.Future[None]] = []
        far_end.attach(ClientPeer(self._receive, self._receive_close))

    @property
    def identified(self) -> bool:
        """Whether the agent has said who it is."""
        return self.agent is not None

    @property
    def unread(self) -> list[Frame]:
        """Frames not yet returned by `expect` nor used by `call` or `stream`."""
        return [frame for frame, taken in zip(self.frames, self._taken, strict=True) if not taken]

    @overload
    async def expect(self, wanted: str, *, timeout_s: float | None = None) -> dict[str, Json]: ...
    @overload
    async def expect(self, wanted: Predicate, *, timeout_s: float | None = None) -> Json: ...
    async def expect(self, wanted: str | Predicate, *, timeout_s: float | None = None) -> Json:
        """Return the first frame of a type, or that satisfies a function, which no `expect` returned before.

        Waits for it when it is not there yet, in real seconds. Other frames stay available.

        Raises:
            FrameMissing: it did not arrive in time, or the connection ended; the text lists the frames seen.
        """
        __tracebackhide__ = True
        return await self._until(lambda: self._take(wanted), f"a {describe_wanted(wanted)}", timeout_s)

    async def send(self, data: Mapping[str, Json] | str | bytes) -> None:
        """Send a frame: text, bytes, or a mapping as JSON text. Does not wait for the agent to handle it."""
        self._transmit(data)

    async def call(self, method: str, *args: Json, timeout_s: float | None = None) -> Json:
        """Call a `@callable` method and return its result.

        Raises:
            CallFailed: the agent answered with an error.
            FrameMissing: it did not answer in time.
        """
        __tracebackhide__ = True
        stream = self.stream(method, *args, timeout_s=timeout_s)
        async for _ in stream:
            pass
        return stream.result

    def stream(self, method: str, *args: Json, timeout_s: float | None = None) -> CallStream:
        """Call a streaming method at once; iterate over its chunks. `result` is the final value, if any."""
        call_id = f"c{self._next_call}"
        self._next_call += 1
        self._transmit({"type": RPC, "id": call_id, "method": method, "args": list(args)})

        def is_reply(frame: Frame) -> bool:
            return frame_type(frame) == RPC and fields_of(frame).get("id") == call_id

        async def next_reply() -> dict[str, Json]:
            __tracebackhide__ = True
            what = f"an answer to {method}() (call {call_id!r})"
            return fields_of(await self._until(lambda: self._take(is_reply), what, timeout_s))

        return CallStream(next_reply)

    async def set_state(self, state: Json) -> None:
        """Ask the agent to replace its state; like the JS client, `state` changes here at once."""
        await self.send({"type": STATE, "state": state})
        self.state = state

    async def close(self, code: int = 1000, reason: str = "") -> tuple[int, str]:
        """Close the connection, let the agent handle that, and return the code and reason. Repeating is harmless."""
        if self.closed is None and not self._is_closing:
            self._is_closing = True
            self._far_end.receive_close(code, reason, True)
            await self._world.settle()
            if self.closed is None:
                self._end(code, reason)  # the network answers for an object that does not
        return await self.wait_closed()

    def vanish(self) -> None:
        """Lose the connection without a close frame, as when a cable is cut. The agent sees code 1006."""
        if self.closed is None:
            self._end(1006, "")
            self._far_end.receive_close(1006, "", False)

    async def wait_closed(self, *, timeout_s: float | None = None) -> tuple[int, str]:
        """Wait until the connection has ended; return the close code and the reason."""
        return await self._until(lambda: self.closed, "the end of the connection", timeout_s, ends=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<TestClient {self.label}, {len(self.frames)} frames, {self.closed or 'open'}>"

    def describe(self) -> str:
        """The connection and the frames seen, for failure messages."""
        ended = f"It was closed with {self.closed}. " if self.closed else ""
        return f"Client of {self.label}. {ended}{show_frames(self.frames, self._taken)}"

    def _transmit(self, data: Mapping[str, Json] | str | bytes) -> None:
        __tracebackhide__ = True
        if self.closed is not None or self._is_closing:
            raise UsageError(f"{self.label} was closed with {self.closed}; connect again with `runtime.connect(...)`")
        self._far_end.receive(encode_frame(data))

    def _take(self, wanted: str | Predicate) -> Frame | None:
        for index, frame in enumerate(self.frames):
            if not self._taken[index] and matches(frame, wanted):
                self._taken[index] = True
                return frame
        return None

    async def _until(
        self, ready: Callable[[], T | None], what: str, timeout_s: float | None, *, ends: bool = False
    ) -> T:
        __tracebackhide__ = True
        limit_s = self._world.expect_timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(limit_s):
                while (found := ready()) is None:
                    if self.closed is not None and not ends:
                        raise FrameMissing(self._failure(f"The connection ended before {what} arrived."))
                    await self._change()
        except TimeoutError:
            raise FrameMissing(self._failure(f"Waited {limit_s:g} s for {what}, in vain.")) from None
        return found

    async def _change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        finally:
            self._waiting.remove(waiter)

    def _failure(self, headline: str) -> str:
        return "\n".join((headline, self.describe(), self._world.describe()))

    def _notify(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _end(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self._notify()

    def _receive(self, data: str | bytes) -> None:
        if self.closed is not None:
            return
        frame = decode_frame(data)
        self.frames.append(frame)
        self._taken.append(False)
        match frame_type(frame), frame:
            case "cf_agent_identity", {"agent": str(agent), "name": str(name)}:
                self.agent, self.name = agent, name
            case "cf_agent_state", {"state": state}:
                self.state = state
            case _:
                pass
        self._notify()

    def _receive_close(self, code: int, reason: str) -> None:
        if self.closed is not None:
            return
        self._end(code, reason)
        if code != 1006 and not self._is_closing:
            self._far_end.receive_close(code, reason, True)
