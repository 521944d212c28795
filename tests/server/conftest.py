"""A server in the test's own process and loop, in front of whatever the test wants to answer with."""

import asyncio
import contextlib
import functools
from dataclasses import replace

import pytest

from agents_runtime.local.server.app import Application
from agents_runtime.local.server.limits import Limits
from agents_runtime.local.server.listen import listen
from agents_runtime.local.server.runner import Server

QUICK = Limits(close_timeout_s=0.5)


class FunctionSite:
    """Answers with an async function of the request."""

    def __init__(self, answer):
        self.answer = answer


class LiveServer:
    def __init__(self, server, port):
        self.server = server
        self.port = port
        self.writers = []
        self.app: Application | None = None

    async def raw(self, *parts, wait_s=5.0, half_close=False):
        """Send bytes as they are; everything that comes back until the server closes."""
        reader, writer = await self.open()
        for part in parts:
            if isinstance(part, float):
                await asyncio.sleep(part)
                continue
            writer.write(part)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        if half_close:
            writer.write_eof()
        try:
            async with asyncio.timeout(wait_s):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def open(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**26)
        self.writers.append(writer)
        return reader, writer

    async def get(self, path="/", *, method="GET", headers="", body=b""):
        """One request on a connection of its own: (status, head, body)."""
        length = f"content-length: {len(body)}\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nhost: x.test\r\nconnection: close\r\n{headers}{length}\r\n"
        answer = await self.raw(head.encode() + body)
        top, _, rest = answer.partition(b"\r\n\r\n")
        return int(top.split()[1]), top.decode().lower(), rest


@pytest.fixture
def http_protocol():
    """None: the protocol a server chooses by itself."""
    return None


@pytest.fixture
async def serve(http_protocol):
    """`await serve(function, **limits)` starts a server; all are stopped after the test."""
    running = []

    async def start(answer, *, access=None, **changes):
        limits = replace(QUICK, **changes)
        app = Application(limits, access)
        app.serve(FunctionSite(answer))
        bound = listen("127.0.0.1", 0)
        http = http_protocol and functools.partial(http_protocol, limits)
        server = Server(app, limits, bound, finish_s=1.0, http=http)
        ready = asyncio.Event()

        async def nothing():
            pass

        task = asyncio.create_task(server.run_until_stopped(ready.set, nothing, take_signals=False))
        async with asyncio.timeout(5):
            await ready.wait()
        live = LiveServer(server, bound.getsockname()[1])
        live.app = app
        running.append((live, task))
        return live

    yield start
    for live, task in running:
        for writer in live.writers:
            writer.close()
        live.server.stop()
        async with asyncio.timeout(10):
            await task
