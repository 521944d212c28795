"""WebSockets through the server, frame by frame: what the object sees, and what the client is told."""

import asyncio
import contextlib
import logging
import os
import struct

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close, Frame, Opcode

from agents_runtime import stream_response
from agents_runtime.local.server.pool import encode_frame
from agents_runtime.local.shim import Response
from agents_runtime.local.sockets import WebSocketPair

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nhost: x.test\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


class Object:
    """The owner of the server ends: records what arrives, and by default sends it back."""

    def __init__(self, echo=True, hold=False, greeting=(), headers=None):
        self.echo = echo
        self.hold = hold
        self.greeting = greeting
        self.headers = headers
        self.received = []
        self.closed = asyncio.Queue()
        self.ends = []
        self.requests = []

    async def answer(self, request):
        self.requests.append(request)
        if "websocket" not in request.headers.get("upgrade", ""):
            return Response("plain")
        pair = WebSocketPair()
        pair.server.owner = self
        self.ends.append(pair.server)
        for text in self.greeting:
            pair.client.deliver(text)
        return Response(status=101, web_socket=pair.client, headers=self.headers)

    def socket_received(self, end, data):
        self.received.append(data)
        if self.echo:
            end.client.deliver(data)
        if not self.hold:
            end.client.handled()

    def socket_closed(self, end, code, reason, was_clean):
        self.closed.put_nowait((code, reason, was_clean))

    async def until_closed(self):
        async with asyncio.timeout(5):
            return await self.closed.get()


def url(live, path="/ws"):
    return f"ws://127.0.0.1:{live.port}{path}"


def client(live, path="/ws", **options):
    return connect(url(live, path), compression=None, max_size=None, proxy=None, **options)


def masked(opcode, data=b"", fin=True):
    return Frame(opcode, data, fin).serialize(mask=True)


async def raw(live, extra=b""):
    """A connection after its handshake, for frames written by hand."""
    reader, writer = await live.open()
    writer.write(HANDSHAKE + extra + b"\r\n")
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    return reader, writer


async def read_frame(reader):
    async with asyncio.timeout(5):
        first, size = await reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await reader.readexactly(8), "big")
        return Opcode(first & 15), await reader.readexactly(size)


async def close_code(reader):
    """The code of the close frame that ends the stream."""
    while True:
        opcode, data = await read_frame(reader)
        if opcode is Opcode.CLOSE:
            return Close.parse(data).code


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 2_000_000])
async def test_messages_of_any_size_go_both_ways(serve, size):
    live = await serve(Object().answer)
    async with client(live) as ws:
        text, data = "é" * (size // 2), os.urandom(size)
        await ws.send(text)
        await ws.send(data)
        assert await ws.recv() == text
        assert await ws.recv() == data


async def test_the_handshake_reaches_the_site_as_a_request(serve):
    thing = Object(headers={"set-cookie": "a=1", "content-length": "7", "sec-websocket-accept": "forged"})
    live = await serve(thing.answer)
    async with client(
        live, "/agents/x?_pk=1", additional_headers={"X-Thing": "1", "CF-Connecting-IP": "6.6.6.6"}
    ) as ws:
        assert ws.response.headers["set-cookie"] == "a=1"
        assert "content-length" not in ws.response.headers
    request = thing.requests[0]
    assert (request.method.value, request.url) == ("GET", f"http://127.0.0.1:{live.port}/agents/x?_pk=1")
    assert request.headers["x-thing"] == "1"
    assert request.headers["cf-connecting-ip"] == "127.0.0.1"


async def test_what_was_sent_before_the_handshake_ended_comes_first_and_in_order(serve):
    live = await serve(Object(greeting=("identity", "state")).answer)
    async with client(live) as ws:
        await ws.send("hello")
        assert [await ws.recv() for _ in range(3)] == ["identity", "state", "hello"]


async def test_frames_sent_while_the_worker_still_thinks_are_kept(serve):
    thing = Object()
    go_on = asyncio.Event()

    async def slow(request):
        await go_on.wait()
        return await thing.answer(request)

    live = await serve(slow)
    reader, writer = await live.open()
    writer.write(HANDSHAKE + b"\r\n")
    await asyncio.sleep(0.1)
    writer.write(masked(Opcode.TEXT, b"early") + masked(Opcode.TEXT, b"bird"))
    await asyncio.sleep(0.1)
    go_on.set()
    async with asyncio.timeout(5):
        await reader.readuntil(b"\r\n\r\n")
    assert [await read_frame(reader) for _ in range(2)] == [(Opcode.TEXT, b"early"), (Opcode.TEXT, b"bird")]


async def test_a_client_gone_before_the_handshake_ended_is_reported(serve):
    thing = Object()
    go_on = asyncio.Event()

    async def slow(request):
        await go_on.wait()
        return await thing.answer(request)

    live = await serve(slow)
    _, writer = await live.open()
    writer.write(HANDSHAKE + b"\r\n")
    await asyncio.sleep(0.1)
    writer.close()
    await asyncio.sleep(0.1)
    go_on.set()
    assert await thing.until_closed() == (1006, "", False)


async def test_the_chosen_subprotocol_is_the_workers(serve):
    live = await serve(Object(headers={"sec-websocket-protocol": "chat.v2"}).answer)
    async with client(live, subprotocols=["chat.v1", "chat.v2"]) as ws:
        assert ws.subprotocol == "chat.v2"


async def test_nothing_is_compressed(serve):
    live = await serve(Object().answer)
    async with connect(url(live), proxy=None) as ws:
        await ws.send("plain")
        assert await ws.recv() == "plain"
        assert "sec-websocket-extensions" not in ws.response.headers


async def test_a_refusal_is_the_workers_response(serve):
    async def answer(request):
        async def body():
            yield "not "
            yield "you"

        return stream_response(body(), 403, {"x-why": "because"})

    live = await serve(answer)
    with pytest.raises(InvalidStatus) as refused:
        await client(live)
    response = refused.value.response
    assert (response.status_code, response.body, response.headers["x-why"]) == (403, b"not you", "because")


async def test_a_refusal_whose_body_fails_is_a_500(serve, caplog):
    async def answer(request):
        async def body():
            yield "half"
            raise ValueError("midway")

        return stream_response(body(), 403)

    live = await serve(answer)
    with pytest.raises(InvalidStatus) as refused:
        await client(live)
    assert refused.value.response.status_code == 500
    assert "midway" in caplog.text


async def test_a_worker_that_fails_is_a_500(serve, caplog):
    async def answer(request):
        raise RuntimeError("secret")

    live = await serve(answer)
    with pytest.raises(InvalidStatus) as refused:
        await client(live)
    assert refused.value.response.status_code == 500
    assert refused.value.response.body == b"Internal Server Error"
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HANDSHAKE.replace(b"GET", b"POST"), b"405"),
        (HANDSHAKE.replace(b"version: 13", b"version: 8"), b"426"),
        (HANDSHAKE.replace(b"AAAA==", b"AA=="), b"400"),
        (HANDSHAKE.replace(b"key: AAAAAAAAAAAAAAAAAAAAAA==", b"key: ?"), b"400"),
        (HANDSHAKE + b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", b"400"),
        (HANDSHAKE.replace(b"host: x.test\r\n", b""), b"400"),
        (HANDSHAKE.replace(b"host: x.test", b"host: a/b"), b"400"),
        (HANDSHAKE.replace(b"/ws", b"*"), b"400"),
    ],
)
async def test_a_bad_handshake_never_reaches_the_site(serve, head, status):
    thing = Object()
    live = await serve(thing.answer)
    answer = await live.raw(head + b"\r\n")
    assert answer.split()[1] == status
    assert thing.requests == []


# Fragments and control frames


async def test_fragments_are_put_together_with_control_frames_between(serve):
    thing = Object()
    live = await serve(thing.answer)
    reader, writer = await raw(live)
    euro = "€".encode()
    writer.write(masked(Opcode.TEXT, euro[:1], fin=False) + masked(Opcode.PING, b"p"))
    writer.write(masked(Opcode.CONT, euro[1:], fin=False) + masked(Opcode.CONT, b"", fin=True))
    writer.write(masked(Opcode.BINARY, b"a", fin=False) + masked(Opcode.CONT, b"b"))
    frames = [await read_frame(reader) for _ in range(3)]
    assert (Opcode.PONG, b"p") in frames
    assert [frame for frame in frames if frame[0] is not Opcode.PONG] == [(Opcode.TEXT, euro), (Opcode.BINARY, b"ab")]
    assert thing.received == ["€", b"ab"]


async def test_frames_may_arrive_byte_by_byte(serve):
    live = await serve(Object().answer)
    reader, writer = await raw(live)
    for byte in masked(Opcode.TEXT, b"x" * 200):
        writer.write(bytes((byte,)))
        await asyncio.sleep(0)
    assert await read_frame(reader) == (Opcode.TEXT, b"x" * 200)


async def test_many_frames_in_one_read_are_answered_in_order(serve):
    live = await serve(Object().answer)
    reader, writer = await raw(live)
    writer.write(b"".join(masked(Opcode.TEXT, str(n).encode()) for n in range(500)))
    assert [int((await read_frame(reader))[1]) for _ in range(500)] == list(range(500))


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (b"\x81\x05hello", 1002),  # not masked
        (b"\x83\x80\0\0\0\0", 1002),  # unknown opcode
        (b"\xc1\x80\0\0\0\0", 1002),  # reserved bit
        (b"\x89\xfe\x00\x7e\0\0\0\0" + b"x" * 126, 1002),  # a ping of 126 bytes
        (b"\x09\x80\0\0\0\0", 1002),  # a fragmented ping
        (b"\x80\x80\0\0\0\0", 1002),  # a continuation of nothing
        (b"\x01\x80\0\0\0\0\x81\x80\0\0\0\0", 1002),  # a new message inside another
        (b"\x88\x81\0\0\0\0x", 1002),  # a close frame of one byte
        (masked(Opcode.CLOSE, struct.pack("!H", 1005)), 1002),
        (masked(Opcode.CLOSE, struct.pack("!H", 999)), 1002),
        (masked(Opcode.CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
        (masked(Opcode.TEXT, b"\xff\xfe"), 1007),
        (masked(Opcode.TEXT, b"\xe2\x82"), 1007),
        (masked(Opcode.TEXT, b"\xed\xa0\x80"), 1007),
    ],
)
async def test_a_broken_frame_closes_with_the_code_for_it(serve, frames, code):
    thing = Object()
    live = await serve(thing.answer)
    reader, writer = await raw(live)
    writer.write(masked(Opcode.TEXT, b"good") + frames + masked(Opcode.TEXT, b"after"))
    assert await read_frame(reader) == (Opcode.TEXT, b"good")
    assert await close_code(reader) == code
    assert await thing.until_closed() == (1006, "", False)
    assert thing.received == ["good"]


async def test_a_message_beyond_the_limit_is_refused_before_it_arrives(serve):
    thing = Object()
    live = await serve(thing.answer, max_message_bytes=1_000)
    async with client(live) as ws:
        await ws.send("x" * 1_000)
        assert len(await ws.recv()) == 1_000
        with contextlib.suppress(ConnectionClosed):
            await ws.send(b"x" * 3_000_000)
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()
        assert closed.value.rcvd.code == 1009
    assert await thing.until_closed() == (1006, "", False)


async def test_fragments_count_together_against_the_limit(serve):
    live = await serve(Object().answer, max_message_bytes=1_000)
    reader, writer = await raw(live)
    writer.write(masked(Opcode.BINARY, b"x" * 600, fin=False) + masked(Opcode.CONT, b"x" * 600))
    assert await close_code(reader) == 1009


# The end


async def test_a_client_that_closes_is_answered_and_reported(serve):
    thing = Object()
    live = await serve(thing.answer)
    ws = await client(live)
    await ws.close(4001, "because")
    assert (ws.close_code, ws.close_reason) == (4001, "because")
    assert await thing.until_closed() == (4001, "because", True)
    assert len(live.server.pool) == 0


async def test_a_close_without_a_code_is_1005(serve):
    thing = Object()
    live = await serve(thing.answer)
    reader, writer = await raw(live)
    writer.write(masked(Opcode.CLOSE))
    assert await read_frame(reader) == (Opcode.CLOSE, b"")
    assert await thing.until_closed() == (1005, "", True)


async def test_messages_before_the_close_frame_are_delivered_before_the_close(serve):
    thing = Object()
    live = await serve(thing.answer)
    _, writer = await raw(live)
    writer.write(
        masked(Opcode.TEXT, b"last") + masked(Opcode.CLOSE, struct.pack("!H", 1000)) + masked(Opcode.TEXT, b"no")
    )
    assert await thing.until_closed() == (1000, "", True)
    assert thing.received == ["last"]


async def test_the_object_closes_after_what_it_sent(serve):
    thing = Object()
    live = await serve(thing.answer)
    async with client(live) as ws:
        end = thing.ends[0].client
        end.deliver("bye")
        end.deliver_close((4002, "done"))
        end.deliver("too late")
        end.deliver_close((4003, "again"))
        assert await ws.recv() == "bye"
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4002, "done")
    assert await thing.until_closed() == (4002, "done", True)


@pytest.mark.parametrize(("sent", "seen"), [(1005, 1005), (1006, 1006), (1012, 1012)])
async def test_codes_that_are_no_codes(serve, sent, seen):
    thing = Object()
    live = await serve(thing.answer)
    async with client(live) as ws:
        thing.ends[0].client.deliver_close((sent, ""))
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        assert ws.close_code == seen


async def test_a_reason_is_cut_to_what_fits(serve):
    thing = Object()
    live = await serve(thing.answer)
    async with client(live) as ws:
        thing.ends[0].client.deliver_close((4000, "é" * 100))
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        assert ws.close_reason == "é" * 61


async def test_a_client_that_never_answers_the_close_is_cut_off(serve):
    thing = Object()
    live = await serve(thing.answer, close_timeout_s=0.3)
    reader, _ = await raw(live)
    thing.ends[0].client.deliver_close((1000, ""))
    assert await close_code(reader) == 1000
    async with asyncio.timeout(3):
        assert await reader.read() == b""
    assert await thing.until_closed() == (1006, "", False)


async def test_a_client_that_vanishes_is_1006(serve):
    thing = Object()
    live = await serve(thing.answer)
    _, writer = await raw(live)
    writer.transport.abort()
    assert await thing.until_closed() == (1006, "", False)
    assert len(live.server.pool) == 0


async def test_at_the_end_the_sockets_are_given_time_to_close(serve):
    thing = Object()
    live = await serve(thing.answer)
    async with client(live) as ws:
        live.server.stop()
        thing.ends[0].client.deliver_close((1012, "Service restart"))
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        assert ws.close_code == 1012


# Too fast, too slow


async def test_reading_stops_while_the_object_is_behind(serve):
    thing = Object(echo=False, hold=True)
    live = await serve(thing.answer, max_backlog_frames=10)
    async with client(live) as ws:

        async def flood():
            for _ in range(2_000):
                await ws.send(b"x" * 16_384)

        flooding = asyncio.create_task(flood())
        await asyncio.sleep(0.5)
        held = len(thing.received)
        await asyncio.sleep(0.2)
        assert len(thing.received) == held < 1_500
        thing.hold = False
        for _ in range(held):
            thing.ends[0].client.handled()
        async with asyncio.timeout(10):
            await flooding
            while len(thing.received) < 2_000:
                await asyncio.sleep(0.01)


async def test_a_backlog_counts_by_size_too(serve):
    thing = Object(echo=False, hold=True)
    live = await serve(thing.answer, max_backlog_bytes=1_000_000)
    _, writer = await raw(live)
    for _ in range(100):
        writer.write(masked(Opcode.BINARY, b"x" * 200_000))
    await asyncio.sleep(0.3)
    assert 5 <= len(thing.received) < 15


async def test_a_client_that_does_not_read_is_not_read_from(serve):
    thing = Object()
    live = await serve(thing.answer)
    reader, writer = await raw(live)
    reader._transport.pause_reading()
    frame = masked(Opcode.BINARY, b"x" * 60_000)
    for _ in range(1_000):
        writer.write(frame)
    await asyncio.sleep(0.7)
    held = len(thing.received)
    await asyncio.sleep(0.2)
    assert len(thing.received) == held < 900, "60 MB of echoes would wait in memory otherwise"
    reader._transport.resume_reading()
    async with asyncio.timeout(20):
        for _ in range(1_000):
            await read_frame(reader)


async def test_a_client_that_never_reads_a_broadcast_is_closed_with_1013(serve, caplog):
    thing = Object()
    live = await serve(thing.answer, max_unread_bytes=10_000_000, close_timeout_s=0.5)
    reader, _ = await raw(live)
    reader._transport.pause_reading()
    text = "x" * 1_000_000
    async with asyncio.timeout(10):
        while thing.closed.empty():
            thing.ends[0].client.deliver(text)
            await asyncio.sleep(0.002)
    assert await thing.until_closed() == (1006, "", False)
    assert "does not read" in caplog.text
    async with asyncio.timeout(5):
        while len(live.server.pool):
            await asyncio.sleep(0.02)


async def test_a_slow_client_still_gets_the_close_frame(serve):
    thing = Object()
    live = await serve(thing.answer, max_unread_bytes=10_000_000, close_timeout_s=5.0)
    reader, _ = await raw(live)
    reader._transport.pause_reading()
    while thing.closed.empty():
        thing.ends[0].client.deliver("x" * 1_000_000)
        await asyncio.sleep(0.002)
    reader._transport.resume_reading()
    assert await close_code(reader) == 1013


async def test_a_silent_client_is_pinged_and_then_dropped(serve):
    thing = Object()
    live = await serve(thing.answer, ping_interval_s=0.4)
    reader, writer = await raw(live)
    assert await read_frame(reader) == (Opcode.PING, b"")
    writer.write(masked(Opcode.PONG))
    assert await read_frame(reader) == (Opcode.PING, b"")
    assert await thing.until_closed() == (1006, "", False)
    assert thing.received == [], "keep-alive is none of the object's business"


# Cost


async def test_a_turn_is_one_write_and_a_broadcast_is_encoded_once(serve, monkeypatch):
    thing = Object(echo=False)
    live = await serve(thing.answer)
    async with client(live) as one, client(live) as two:
        pool = live.server.pool
        text = "broadcast " * 100
        frames = []
        for end in thing.ends:
            end.client.deliver(text)
            end.client.deliver("other")
            frames.append(end.client._peer._out[0])
        thing.ends[-1].client.deliver(text)
        assert frames[0] == frames[1] == encode_frame(text)
        assert len(pool._waiting) == 2
        for ws in (one, two):
            assert await ws.recv() == text
            assert await ws.recv() == "other"
        first, second = (pool.encode(text), pool.encode(text))
        assert first is second


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("kind", [str, bytes])
def test_frames_are_those_of_websockets(size, kind):
    data = "x" * size if kind is str else b"x" * size
    opcode = Opcode.TEXT if kind is str else Opcode.BINARY
    payload = data.encode() if isinstance(data, str) else data
    assert encode_frame(data) == Frame(opcode, payload).serialize(mask=False)


def test_half_a_surrogate_pair_is_replaced():
    text = encode_frame("a\ud800b")[2:].decode()
    assert text.strip("\ufffd") == text
    assert text.replace("\ufffd", "") == "ab"


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.WARNING)
