"""HTTP through the server: bodies both ways, bounds, and what clients do wrong."""

import asyncio
import contextlib
import logging

import pytest

from agents_runtime import stream_response
from agents_runtime.local.server.access import AccessLog, LineWriter
from agents_runtime.local.server.guard_h11 import GuardedH11
from agents_runtime.local.server.guard_httptools import GuardedHttpTools
from agents_runtime.local.shim import Response


@pytest.fixture(params=[GuardedHttpTools, GuardedH11], ids=["httptools", "h11"])
def http_protocol(request):
    return request.param


async def hello(request):
    return Response("hello")


async def echo(request):
    return Response(await request.bytes(), headers={"x-method": request.method.value, "x-url": request.url})


async def describe(request):
    return Response.from_json([request.url, [*map(list, request.raw_headers())]])


async def test_a_request_reaches_the_site_with_method_url_and_body(serve):
    live = await serve(echo)
    status, head, body = await live.get("/a/b?c=1&d=%20", method="POST", body=b"\x00\xff" * 10)
    assert status == 200
    assert body == b"\x00\xff" * 10
    assert "x-method: post" in head
    assert "x-url: http://x.test/a/b?c=1&d=%20" in head


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("/", "http://x.test/"),
        ("/a/../b", "http://x.test/b"),
        ("/a/%2e%2e/b", "http://x.test/b"),
        ("//evil.test/x", "http://x.test//evil.test/x"),
        ("/a%2Fb", "http://x.test/a%2Fb"),
        ('/"<>', "http://x.test/%22%3C%3E"),
        ("http://other.test/path?q", "http://x.test/path?q"),
    ],
)
async def test_the_url_is_in_the_platforms_spelling(serve, target, url):
    async def answer(request):
        return Response(request.url)

    live = await serve(answer)
    assert (await live.get(target))[2].decode() == url


async def test_clients_cannot_forge_their_address(serve):
    live = await serve(describe)
    _, _, body = await live.get(headers="CF-Connecting-IP: 6.6.6.6\r\nX-Thing: 1\r\n")
    assert b"6.6.6.6" not in body
    assert b'["cf-connecting-ip", "127.0.0.1"]' in body
    assert b'["x-thing", "1"]' in body


async def test_a_large_body_is_streamed_to_the_worker(serve):
    sizes = []

    async def count(request):
        sizes.extend([len(chunk) async for chunk in request.body])
        return Response(str(sum(sizes)))

    live = await serve(count)
    status, _, body = await live.get(method="POST", body=b"x" * 3_000_000)
    assert (status, body) == (200, b"3000000")
    assert len(sizes) > 1


async def test_a_chunked_body_arrives_as_it_is_sent(serve):
    seen = asyncio.Queue()

    async def take(request):
        async for chunk in request.body:
            seen.put_nowait(chunk)
        return Response("done")

    live = await serve(take)
    reader, writer = await live.open()
    writer.write(b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
    async with asyncio.timeout(5):
        assert await seen.get() == b"one"
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
        assert await seen.get() == b"two"
        assert (await reader.read()).endswith(b"done")
    writer.close()


async def test_a_stream_is_sent_chunk_by_chunk(serve):
    step = asyncio.Event()

    async def chunks():
        yield b"first"
        await step.wait()
        yield "second"

    async def answer(request):
        return stream_response(chunks())

    live = await serve(answer)
    reader, writer = await live.open()
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    async with asyncio.timeout(5):
        assert b"first" in await reader.readuntil(b"first")
        step.set()
        assert (await reader.read()).endswith(b"second\r\n0\r\n\r\n")
    writer.close()


async def test_a_client_that_goes_away_ends_the_stream(serve):
    ended = asyncio.Event()

    async def forever():
        try:
            while True:
                yield b"tick"
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    async def answer(request):
        return stream_response(forever())

    live = await serve(answer)
    reader, writer = await live.open()
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    async with asyncio.timeout(5):
        await reader.readuntil(b"tick")
        writer.close()
        await ended.wait()


async def test_a_client_that_does_not_read_holds_the_stream_back(serve):
    sent = 0

    async def flood():
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 65_536

    async def answer(request):
        return stream_response(flood())

    live = await serve(answer, body_timeout_s=1.0)
    reader, writer = await live.open()
    reader._transport.pause_reading()
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await asyncio.sleep(0.5)
    held = sent
    await asyncio.sleep(0.3)
    assert sent == held, "the stream is not read ahead of the client"
    assert held < 400
    async with asyncio.timeout(5):
        while live.server.server_state.connections:
            await asyncio.sleep(0.05)  # cut off after `body_timeout_s` without progress
    writer.close()


async def test_a_stream_that_fails_is_visibly_incomplete(serve, caplog):
    async def broken():
        yield b"part"
        raise ValueError("midway")

    async def answer(request):
        return stream_response(broken())

    live = await serve(answer)
    _, _, body = await live.get()
    assert body == b"4\r\npart\r\n"
    assert "a streamed response broke off" in caplog.text


async def test_head_has_the_length_and_no_body(serve):
    live = await serve(hello)
    status, head, body = await live.get(method="HEAD")
    assert (status, body) == (200, b"")
    assert "content-length: 5" in head


@pytest.mark.parametrize("status", [204, 304])
async def test_statuses_without_a_body_have_no_length(serve, status):
    async def answer(request):
        return Response(None, status=status)

    live = await serve(answer)
    code, head, body = await live.get()
    assert (code, body) == (status, b"")
    assert "content-length" not in head
    assert "transfer-encoding" not in head


async def test_repeated_cookies_stay_apart_and_connection_headers_are_ours(serve):
    async def answer(request):
        fields = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("content-length", "999"), ("transfer-encoding", "x")]
        return Response("ok", headers=[*fields, ("connection", "keep-alive"), ("x-odd", "\u20ac")])

    live = await serve(answer)
    _, head, body = await live.get()
    assert head.count("set-cookie") == 2
    assert "content-length: 2" in head
    assert "transfer-encoding" not in head
    assert "keep-alive" not in head
    assert "x-odd: ?" in head
    assert body == b"ok"


async def test_connections_are_kept_and_pipelined_requests_answered_in_order(serve):
    async def answer(request):
        await asyncio.sleep(0.05 if request.url.endswith("/slow") else 0)
        return Response(request.url.rsplit("/", 1)[1])

    live = await serve(answer)
    one, two = (f"GET /{name} HTTP/1.1\r\nhost: x\r\n".encode() for name in ("slow", "fast"))
    answers = await live.raw(one + b"\r\n" + two + b"connection: close\r\n\r\n")
    assert answers.index(b"slow") < answers.index(b"fast")
    assert answers.count(b"200 OK") == 2


async def test_an_idle_connection_is_closed_after_keep_alive(serve):
    live = await serve(hello, keep_alive_s=1.0)
    answer = await live.raw(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", wait_s=4.0)
    assert answer.endswith(b"hello")


async def test_the_site_may_ask_for_the_connection_to_close(serve):
    async def answer(request):
        return Response("bye", headers={"connection": "close"})

    live = await serve(answer)
    assert (await live.raw(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")).endswith(b"bye")


# What goes wrong


async def test_a_fault_of_the_server_says_nothing_to_the_client(serve, caplog):
    async def answer(request):
        raise RuntimeError("secret")

    live = await serve(answer)
    status, _, body = await live.get()
    assert (status, body) == (500, b"Internal Server Error")
    assert "secret" in caplog.text


async def test_a_response_read_before_is_a_500(serve, caplog):
    async def answer(request):
        response = Response("once")
        await response.text()
        return response

    live = await serve(answer)
    assert (await live.get())[0] == 500
    assert "Body already used" in caplog.text


async def test_a_body_beyond_the_limit_is_refused_before_it_is_sent(serve):
    live = await serve(echo, max_body_bytes=1_000)
    status, head, body = await live.get(method="POST", headers="content-length: 1001\r\n")
    assert status == 413
    assert "connection: close" in head
    assert b"1000 bytes" in body
    assert (await live.get(method="POST", body=b"x" * 1_000))[2] == b"x" * 1_000


async def test_a_chunked_body_is_cut_off_at_the_limit(serve):
    live = await serve(echo, max_body_bytes=1_000)
    chunk = b"1f4\r\n" + b"x" * 500 + b"\r\n"
    head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    assert b"413" in await live.raw(head + chunk * 3)


async def test_a_body_that_breaks_off_is_answered_by_nothing(serve, caplog):
    live = await serve(echo)
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc"
    assert await live.raw(head, half_close=True) == b""
    big = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nabc"
    assert await live.raw(big, half_close=True) == b""
    assert not caplog.records


async def test_headers_beyond_the_limit_are_refused(serve):
    live = await serve(hello, max_head_bytes=8_192)
    assert (await live.get(headers=f"x: {'y' * 7_000}\r\n"))[0] == 200
    assert (await live.get(headers=f"x: {'y' * 9_000}\r\n"))[0] == 431
    assert (await live.get(headers="x: yyyyyyyy\r\n" * 1_000))[0] == 431
    assert (await live.get("/" + "a" * 9_000))[0] == 431


async def test_a_header_that_never_ends_is_refused_without_keeping_it(serve):
    live = await serve(hello, max_head_bytes=8_192)
    answer = await live.raw(b"GET / HTTP/1.1\r\nhost: x\r\nx: ", *[b"y" * 65_536] * 40)
    assert answer == b"" or b" 431 " in answer


async def test_a_client_that_does_not_finish_its_head_is_cut_off(serve):
    live = await serve(hello, head_timeout_s=0.5)
    get = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    silent, begun, slow, kept = await asyncio.gather(
        live.raw(b"", wait_s=4.0),
        live.raw(b"GET / HT", wait_s=4.0),
        live.raw(b"GET / HTTP/1.1\r\n", 0.3, b"a: 1\r\n", 0.3, b"b: 1\r\n", 0.3, b"c: 1\r\n", wait_s=4.0),
        live.raw(get, 0.2, b"GET / HT", wait_s=4.0),
    )
    assert silent == begun == slow == b""
    assert kept.endswith(b"hello")


async def test_a_client_that_does_not_finish_its_body_is_cut_off(serve):
    live = await serve(echo, body_timeout_s=0.5)
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n"
    assert await live.raw(head + b"abc", wait_s=4.0) == b""


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nbad : 1\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET * HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_garbage_is_refused_and_the_server_goes_on(serve, garbage):
    live = await serve(hello)
    answer = await live.raw(garbage, half_close=True)
    assert answer == b"" or answer.split()[1] in (b"400", b"501"), answer
    assert b"hello" not in answer
    assert (await live.get())[0] == 200


@pytest.mark.parametrize(
    "smuggled",
    [
        b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"content-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
        b"content-length: +4\r\n\r\nabcd",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        b"transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_two_readings_of_a_length_are_refused(serve, smuggled):
    reached = []

    async def answer(request):
        reached.append((request.url, await request.bytes()))
        return Response("reached")

    live = await serve(answer)
    inner = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
    reply = await live.raw(b"POST /outer HTTP/1.1\r\nhost: x\r\n" + smuggled + inner, half_close=True)
    assert not any("smuggled" in url for url, _ in reached), (reached, reply)
    assert b"200 OK" not in reply, reply


@pytest.mark.parametrize(
    "host", ["", "host: a\r\nhost: b\r\n", "host: a/b\r\n", "host: user@x\r\n", "host: x:99999999\r\n", "host:\r\n"]
)
async def test_there_is_exactly_one_sound_host(serve, host):
    live = await serve(hello)
    answer = await live.raw(f"GET / HTTP/1.1\r\n{host}connection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400"), answer


async def test_http_1_0_needs_no_host(serve):
    live = await serve(describe)
    assert b"http://localhost/x" in await live.raw(b"GET /x HTTP/1.0\r\n\r\n")


async def test_unknown_methods_are_refused(serve):
    live = await serve(hello)
    assert (await live.get(method="PROPFIND"))[0] == 501
    assert (await live.get(method="TRACE"))[0] == 501
    assert (await live.get(method="DELETE"))[0] == 200


async def test_a_request_waits_while_there_is_no_site(serve):
    live = await serve(hello)
    site = live.app._site
    live.app.serve(None)
    waiting = asyncio.create_task(live.get())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.2)
    assert not waiting.done()
    live.app.serve(site)
    async with asyncio.timeout(5):
        assert (await waiting)[0] == 200


async def test_a_websocket_answer_to_a_plain_request_is_426(serve):
    from agents_runtime.local.sockets import WebSocketPair

    async def answer(request):
        return Response(status=101, web_socket=WebSocketPair().client)

    live = await serve(answer)
    assert (await live.get())[0] == 426


async def test_each_request_is_reported_without_its_query(serve):
    import io

    out = io.StringIO()
    lines = LineWriter(out)
    live = await serve(hello, access=AccessLog("json", lines))
    await live.get("/path%1b?token=secret")
    lines.flush()
    assert '"method":"GET","path":"/path\\u001b","status":200,"ms":' in out.getvalue()
    assert "secret" not in out.getvalue()
    text = AccessLog("text", LineWriter(out))
    text.report("GET", "/a\x1b[2Jb", 404, 0.0123)
    text._lines.flush()
    await asyncio.sleep(0.06)
    assert "GET /a\ufffd[2Jb 404 12 ms" in out.getvalue()


async def test_requests_in_progress_are_finished_at_the_end(serve):
    started, go_on = asyncio.Event(), asyncio.Event()

    async def answer(request):
        started.set()
        await go_on.wait()
        return Response("finished")

    live = await serve(answer)
    waiting = asyncio.create_task(live.get())
    await started.wait()
    live.server.stop()
    await asyncio.sleep(0.3)
    with pytest.raises(OSError):
        await live.open()
    go_on.set()
    async with asyncio.timeout(5):
        assert (await waiting)[2] == b"finished"


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.WARNING)
