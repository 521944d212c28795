"""Outgoing requests are the same on every host, whatever the other machine does."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest


class Peer:
    """A server on this machine that answers, breaks off, or keeps silent, as the path says."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task | None] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.close()
        tasks = [task for task in self._serving if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._serving.add(asyncio.current_task())
        try:
            await self._talk(reader, writer)
        finally:
            writer.transport.abort()

    async def _talk(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, path, _ = head[0].split(" ")
                fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                if not await self._answer(writer, method, path, fields, body):
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
                    break

    async def _answer(self, writer, method, path, fields, body) -> bool:
        if path == "/echo":
            text = json.dumps([method, fields.get("x-test"), body.decode(), fields.get("cookie")])
            self._send(writer, 200, text, "x-back: one\r\nset-cookie: a=b\r\n")
        elif path == "/redirect":
            self._send(writer, 302, "", "location: /echo\r\n")
        elif path == "/missing":
            self._send(writer, 404, "no such thing")
        elif path == "/large":
            self._send(writer, 200, "x" * 10_001)
        elif path == "/cut":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this")
            return False
        elif path == "/drop":
            return False
        elif path in ("/silent", "/slow"):
            if path == "/slow":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nfirst")
            await self.gone.wait()
            return False
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n")
            for number in range(1000):
                writer.write(f"1\r\n{number % 10}\r\n".encode())
                await writer.drain()
                await asyncio.sleep(0.02)
        return True

    def _send(self, writer, status, text, fields="") -> None:
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(text)}\r\n{fields}\r\n{text}".encode())


@pytest.fixture
async def peer():
    peer = Peer()
    await peer.start()
    yield peer
    peer.gone.set()
    await peer.stop()


async def ask(world, name, peer, path, method="GET", body=None, timeout_s=5.0, headers=None):
    return await world.call("PORTS", name, "request", method, peer.url + path, headers or {}, body, timeout_s)


async def test_a_request_has_method_headers_and_body_and_no_cookies(world, name, peer):
    for _ in range(2):
        answer = await ask(world, name, peer, "/echo", "POST", "é", headers={"x-test": "1"})
        assert answer == [200, {"x-back": "one", "set-cookie": "a=b"}, json.dumps(["POST", "1", "é", None])]
    assert json.loads((await ask(world, name, peer, "/echo", "DELETE"))[2])[0] == "DELETE"


async def test_redirects_and_errors_are_answers(world, name, peer):
    assert await ask(world, name, peer, "/redirect") == [302, {"location": "/echo"}, ""]
    assert await ask(world, name, peer, "/missing") == [404, {}, "no such thing"]


async def test_a_large_answer_is_refused(world, name, peer):
    failed, is_timeout, text = await ask(world, name, peer, "/large")
    assert (failed, is_timeout) == ("failed", False)
    assert text.endswith("the answer has more than 10,000 bytes")


@pytest.mark.parametrize("path", ["/cut", "/drop"])
async def test_a_server_that_breaks_off_is_told_as_failed(world, name, peer, path):
    failed, is_timeout, _ = await ask(world, name, peer, path)
    assert (failed, is_timeout) == ("failed", False)


@pytest.mark.parametrize("path", ["/silent", "/slow"])
async def test_a_server_that_hangs_is_given_up(world, name, peer, path):
    failed, is_timeout, text = await ask(world, name, peer, path, timeout_s=0.5)
    assert (failed, is_timeout) == ("failed", True)
    assert text.endswith("no answer in time")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "ftp://127.0.0.1/", "nonsense"])
async def test_what_cannot_be_reached_is_told_as_failed(world, name, url):
    failed, is_timeout, _ = await world.call("PORTS", name, "request", "GET", url, {}, None, 5)
    assert (failed, is_timeout) == ("failed", False)


async def test_a_stream_arrives_piece_by_piece_and_can_be_given_up(world, name, peer):
    assert "".join(await world.call("PORTS", name, "stream", peer.url + "/ticks", 3))[:3] == "012"
    assert (await world.call("PORTS", name, "stream", peer.url + "/cut", 5))[-1] == "failed"
