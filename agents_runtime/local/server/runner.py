"""Runs uvicorn with our protocols: readiness, signals, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from agents_runtime.local.server.guard import Guard, guarded_http_protocol
from agents_runtime.local.server.pool import KEEP_ALIVE_SLICES, SocketPool

if TYPE_CHECKING:
    import socket

    from uvicorn.server import ServerState

    from agents_runtime.local.server.app import Application
    from agents_runtime.local.server.limits import Limits
    from agents_runtime.local.server.websocket import SocketProtocol

TICK_S = 0.5
"""How often the connections are looked after, and the `date` header is renewed."""

CLOSE_S = 2.0
"""What WebSocket clients are given to answer the close frame at the end."""

NEW_OBJECTS = 10_000
"""So many more objects there must be before Python looks for cycles. A request makes hundreds that end with it, and by
default every few requests would pay for a search."""

PRELOAD_AFTER_S = 0.5
FORCED_EXIT = 1


class Server(uvicorn.Server):
    """A server for one application, from the first connection to the last.

    Args:
        app: what answers.
        limits: what one client may ask.
        bound: the socket to listen on.
        finish_s: what requests in progress are given at the end.
        http: uvicorn's protocol for HTTP; by default the fastest one that is installed.
    """

    def __init__(
        self,
        app: Application,
        limits: Limits,
        bound: socket.socket,
        finish_s: float = 10.0,
        http: Callable[..., asyncio.Protocol] | None = None,
    ) -> None:
        self._limits = limits
        self._bound = bound
        self._finish_s = finish_s
        self._look_after_at = 0.0
        self._stopping = asyncio.Event()
        self.pool = SocketPool(app.upgrade, limits)
        silence_uvicorn()
        super().__init__(
            uvicorn.Config(
                cast("Any", app),
                http=cast("type[asyncio.Protocol]", http or guarded_http_protocol(limits)),
                ws=cast("type[asyncio.Protocol]", self._make_socket),
                interface="asgi3",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=round(limits.keep_alive_s),
                h11_max_incomplete_event_size=limits.max_head_bytes,
            )
        )

    async def run_until_stopped(
        self, on_ready: Callable[[], None], on_stop: Callable[[], Awaitable[None]], *, take_signals: bool = True
    ) -> None:
        """Serve until a signal or `stop()`.

        Then: accept no more, finish the requests in progress, run `on_stop`, let the WebSockets say goodbye. A
        second signal ends the process at once.
        """
        self._on_ready = on_ready
        if take_signals:
            self._take_signals()
        try:
            await self.serve(sockets=[self._bound])
        finally:
            await on_stop()
            await self.pool.drain(CLOSE_S)

    def stop(self) -> None:
        """Begin the end, as a signal would."""
        self.should_exit = True
        self._stopping.set()

    def _take_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            if sys.platform == "win32":
                signal.signal(number, lambda *_: self._signalled())
            else:
                asyncio.get_running_loop().add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        if self.should_exit:
            exit_at_once()
        self.stop()

    def _make_socket(self, server_state: ServerState, **_: object) -> asyncio.Protocol:
        return _socket_protocol()(self.pool, server_state)

    # What uvicorn calls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()
            asyncio.get_running_loop().call_later(PRELOAD_AFTER_S, _socket_protocol)

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            self._look_after_connections()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), TICK_S)

    def _look_after_connections(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Guard):
                connection.check_stalled(now)
        while now >= self._look_after_at:
            self._look_after_at = (
                max(self._look_after_at, now - TICK_S) + self._limits.ping_interval_s / KEEP_ALIVE_SLICES
            )
            self.pool.look_after()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for bound in sockets or []:
            bound.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        tasks = set(self.server_state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._finish_s)
            for task in late:
                task.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # uvicorn would raise the signal again at the end; ours are taken for good in `run_until_stopped`


def _socket_protocol() -> type[SocketProtocol]:
    """The protocol of WebSockets. Loaded late, so that the first answer over HTTP need not wait for it."""
    from agents_runtime.local.server.websocket import SocketProtocol

    return SocketProtocol


def exit_at_once() -> None:
    """End the process without finishing anything. What was committed is safe."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(FORCED_EXIT)


def silence_uvicorn() -> None:
    """Uvicorn's own lines are not ours to show: we report requests and faults ourselves."""
    quiet = logging.getLogger("uvicorn")
    quiet.handlers[:] = [logging.NullHandler()]
    quiet.propagate = False
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` on the fastest event loop that is installed."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if sys.platform != "win32" and find_spec("uvloop") is not None:
        import uvloop

        factory = uvloop.new_event_loop
    first, *others = gc.get_threshold()
    if 0 < first < NEW_OBJECTS:  # 0: somebody has turned it off
        gc.set_threshold(NEW_OBJECTS, *others)
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
