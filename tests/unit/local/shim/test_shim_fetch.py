"""`fetch` against small servers on the loopback interface."""

import asyncio
import gc
import gzip
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from agents_runtime.local.shim import FormData, Request, Response, fetch, runtime
from agents_runtime.local.shim.streams import ReadableStream


class Peer:
    """Answers each request with what the test put down for its path, and keeps what it saw."""

    def __init__(self):
        self.seen = []
        self.answers = {}
        self.url = ""
        self.open = 0
        self.serving = set()

    async def serve(self, reader, writer):
        self.open += 1
        self.serving.add(asyncio.current_task())
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *fields = head.strip().split("\r\n")
                headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
                body = await self.read_body(reader, headers)
                method, path, _ = line.split(" ")
                self.seen.append((method, path, headers, body))
                for chunk in self.answers[path]:
                    if isinstance(chunk, asyncio.Event):
                        await chunk.wait()
                    elif chunk is None:
                        return
                    else:
                        writer.write(chunk)
                        await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def read_body(self, reader, headers):
        if "transfer-encoding" not in headers:
            return await reader.readexactly(int(headers.get("content-length", 0)))
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return body


def answer(body=b"", status="200 OK", headers=()):
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return [f"HTTP/1.1 {status}\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body]


@asynccontextmanager
async def peer():
    one = Peer()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield one
    finally:
        server.close()
        for task in one.serving:
            task.cancel()
        await asyncio.gather(*one.serving, return_exceptions=True)


async def test_a_request_goes_out_and_its_answer_comes_back():
    async with peer() as far:
        far.answers["/x?q=1"] = answer(b'{"a": 1}', "201 Made", [("Content-Type", "application/json"), ("X-A", "1")])
        response = await fetch(f"{far.url}/x?q=1", method="POST", headers={"X-Mine": "2"}, body="hé")
        assert (response.status, response.status_text, response.ok) == (201, "Made", True)
        assert (response.headers["x-a"], response.url, response.redirected) == ("1", f"{far.url}/x?q=1", False)
        assert await response.json() == {"a": 1}
        method, _, headers, body = far.seen[0]
        assert (method, headers["x-mine"], body) == ("POST", "2", "hé".encode())
        assert headers["content-type"] == "text/plain;charset=UTF-8"
        assert "user-agent" not in headers


async def test_a_request_object_can_be_sent_once():
    async with peer() as far:
        far.answers["/"] = answer(b"ok")
        request = Request(far.url, method="PUT", body=b"\0\1")
        assert await (await fetch(request)).text() == "ok"
        assert far.seen[0][3] == b"\0\1"
        with pytest.raises(OSError, match="Body already used"):
            await fetch(request)


async def test_forms_and_streams_are_sent():
    async def chunks():
        yield b"one "
        yield b"two"

    async with peer() as far:
        far.answers["/"] = answer(b"")
        await fetch(far.url, method="POST", body=FormData({"a": "1"}))
        assert far.seen[0][2]["content-type"].startswith("multipart/form-data; boundary=")
        assert b'name="a"\r\n\r\n1' in far.seen[0][3]
        await fetch(far.url, method="POST", body=ReadableStream(chunks()))
        assert far.seen[1][3] == b"one two"


async def test_the_response_is_there_before_its_body():
    async with peer() as far:
        more = asyncio.Event()
        far.answers["/"] = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", more, b"cd"]
        response: Any = await asyncio.wait_for(fetch(far.url), 5)
        reader = response.body.getReader()
        assert (await reader.read()).value.to_bytes() == b"ab"
        more.set()
        assert (await reader.read()).value.to_bytes() == b"cd"
        assert (await reader.read()).done


async def test_redirects_are_followed_unless_told_otherwise():
    async with peer() as far:
        far.answers["/a"] = answer(b"", "302 Found", [("Location", "/b")])
        far.answers["/b"] = answer(b"there")
        followed = await fetch(f"{far.url}/a")
        assert (await followed.text(), followed.url, followed.redirected) == ("there", f"{far.url}/b", True)
        stopped = await fetch(f"{far.url}/a", redirect="manual")
        assert (stopped.status, stopped.headers["location"]) == (302, "/b")
        far.answers["/loop"] = answer(b"", "302 Found", [("Location", "/loop")])
        with pytest.raises(OSError, match="redirect"):
            await fetch(f"{far.url}/loop")
        assert sum(path == "/loop" for _, path, _, _ in far.seen) == 21


async def test_no_cookies_are_kept():
    async with peer() as far:
        far.answers["/"] = answer(b"", headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        response = await fetch(far.url)
        assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]
        await fetch(far.url)
        assert "cookie" not in far.seen[1][2]


async def test_a_compressed_answer_arrives_decoded():
    async with peer() as far:
        far.answers["/"] = answer(gzip.compress(b"plain"), headers=[("Content-Encoding", "gzip")])
        response = await fetch(far.url)
        assert await response.text() == "plain"
        assert "content-encoding" not in response.headers
        assert "content-length" not in response.headers


async def test_connections_are_used_again():
    async with peer() as far:
        far.answers["/"] = answer(b"x")
        for _ in range(3):
            await (await fetch(far.url)).text()
        assert (len(far.seen), far.open) == (3, 1)


async def test_a_body_that_is_never_read_gives_its_connection_back():
    async with peer() as far:
        far.answers["/"] = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", asyncio.Event()]
        response = await fetch(far.url)
        assert far.open == 1
        del response
        gc.collect()
        async with asyncio.timeout(5):
            while far.open:
                far.answers["/"][1].set()
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_answers_without_a_body_have_none(status):
    async with peer() as far:
        far.answers["/"] = [f"HTTP/1.1 {status}\r\n\r\n".encode()]
        assert (await fetch(far.url)).body is None


async def test_head_has_headers_only():
    async with peer() as far:
        far.answers["/"] = [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"]
        response = await fetch(far.url, method="HEAD")
        assert (response.headers["content-length"], response.body) == ("99", None)


async def test_failures_are_os_errors_that_name_the_url():
    async with peer() as far:
        far.answers["/gone"] = [None]
        far.answers["/cut"] = [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", None]
        far.answers["/noise"] = [b"nonsense\r\n\r\n", None]
        for path in ("/gone", "/noise"):
            with pytest.raises(OSError, match=f"fetch {far.url}{path} failed"):
                await fetch(f"{far.url}{path}")
        cut = await fetch(f"{far.url}/cut")
        with pytest.raises(OSError, match="failed"):
            await cut.bytes()
        closed = far.url
    with pytest.raises(OSError, match="failed"):
        await fetch(closed)


async def test_what_cannot_be_sent_is_refused_before_anything_is():
    for url in ("/relative", "nonsense", ""):
        with pytest.raises(TypeError, match="invalid URL"):
            await fetch(url)
    with pytest.raises(OSError, match="ftp"):
        await fetch("ftp://127.0.0.1/")
    with pytest.raises(TypeError, match="line break"):
        await fetch("http://127.0.0.1:9/", headers={"a": "b\r\nc: d"})
    with pytest.raises(TypeError, match="WebSocket"):
        await fetch("http://127.0.0.1:9/", headers={"Upgrade": "websocket"})
    with pytest.raises(TypeError, match="GET"):
        await fetch("http://127.0.0.1:9/", body="x")


async def test_absent_options_may_be_none():
    async with peer() as far:
        far.answers["/"] = answer(b"ok")
        response = await fetch(far.url, method=None, headers=None, body=None, redirect=None)
        assert (await response.text(), far.seen[0][0]) == ("ok", "GET")


async def test_a_host_can_answer_instead_of_the_network():
    async def canned(request):
        return Response(f"{request.method} {request.url}", status=418)

    runtime.bind_fetcher(canned)
    try:
        response = await fetch("https://example.com/tea", method="POST", body="x")
        assert (response.status, await response.text()) == (418, "POST https://example.com/tea")
    finally:
        runtime.bind_fetcher(None)

    async def own(request):
        return Response("own")

    assert await (await fetch("https://example.com/", fetcher=own)).text() == "own"


def test_each_event_loop_has_its_own_connections():
    async def once():
        async with peer() as far:
            far.answers["/"] = answer(b"x")
            return await (await fetch(far.url)).text()

    assert [asyncio.run(once()), asyncio.run(once())] == ["x", "x"]
