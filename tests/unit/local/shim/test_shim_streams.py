"""The stream behind a body: order, clean-up, limits."""

import asyncio
from typing import Any

import pytest

from agents_runtime.local import shim
from agents_runtime.local.shim import streams
from agents_runtime.local.shim.streams import MAX_BUFFERED_BYTES

Response: Any = shim.Response  # so that a test may also pass what the types forbid
ReadableStream: Any = streams.ReadableStream


class Tap:
    """A source that gives what the test puts in, and remembers that it was closed."""

    def __init__(self):
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.closed = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        chunk = await self.queue.get()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self):
        self.closed += 1


async def test_a_reader_sees_chunks_as_they_come():
    tap = Tap()
    reader = ReadableStream(tap).getReader()
    waiting = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    assert not waiting.done()
    tap.queue.put_nowait(b"x")
    result = await waiting
    assert (result.value, result.done) == (b"x", False)
    tap.queue.put_nowait(None)
    assert (await reader.read()).done
    assert (await reader.read()).done


async def test_a_second_read_at_the_same_time_is_refused():
    tap = Tap()
    reader = ReadableStream(tap).getReader()
    waiting = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    with pytest.raises(TypeError, match="already waiting"):
        await reader.read()
    tap.queue.put_nowait(b"x")
    assert (await waiting).value == b"x"


async def test_cancel_closes_the_source_once_and_ends_the_stream():
    tap = Tap()
    stream = ReadableStream(tap)
    await stream.cancel("enough")
    assert tap.closed == 1
    assert [chunk async for chunk in stream] == []


async def test_cancel_while_a_read_waits_closes_the_source_when_the_read_returns():
    tap = Tap()
    stream = ReadableStream(tap)
    reader = stream.getReader()
    waiting = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    await reader.cancel()
    assert tap.closed == 0
    tap.queue.put_nowait(b"late")
    await waiting
    assert tap.closed == 1
    assert (await reader.read()).done


async def test_leaving_a_loop_over_the_body_early_lets_the_source_clean_up():
    tap = Tap()
    tap.queue.put_nowait(b"x")
    chunks = aiter(Response(ReadableStream(tap)).body)
    assert await anext(chunks) == b"x"
    await chunks.aclose()
    assert tap.closed == 1


async def test_both_halves_of_a_tee_get_everything_in_order():
    tap = Tap()
    for chunk in (b"1", b"2", b"3", None):
        tap.queue.put_nowait(chunk)
    one, two = ReadableStream(tap).tee()
    first = one.getReader()
    assert (await first.read()).value == b"1"
    assert await two.read_all() == b"123"
    assert (await first.read()).value == b"2"
    assert (await first.read()).value == b"3"
    assert (await first.read()).done
    assert tap.closed == 1


async def test_both_halves_of_a_tee_may_wait_at_once():
    tap = Tap()
    one, two = ReadableStream(tap).tee()
    reads: Any = asyncio.gather(one.read_all(), two.read_all())
    await asyncio.sleep(0)
    tap.queue.put_nowait(b"x")
    tap.queue.put_nowait(None)
    assert await asyncio.wait_for(reads, 5) == [b"x", b"x"]


async def test_the_source_of_a_tee_closes_with_its_second_half():
    tap = Tap()
    one, two = ReadableStream(tap).tee()
    await one.cancel()
    assert tap.closed == 0
    tap.queue.put_nowait(b"x")
    assert (await two.getReader().read()).value == b"x"
    await two.cancel()
    assert tap.closed == 1


async def test_a_stream_that_fails_reports_it_and_is_over():
    async def failing():
        yield b"x"
        raise OSError("broke off")

    stream = ReadableStream(failing())
    with pytest.raises(OSError, match="broke off"):
        await stream.read_all()
    stream.locked = False
    assert await stream.read_all() == b""


async def test_reading_everything_is_bounded():
    piece = bytes(MAX_BUFFERED_BYTES // 4 + 1)
    tap = Tap()
    for _ in range(5):
        tap.queue.put_nowait(piece)
    with pytest.raises(TypeError, match="in chunks"):
        await Response(ReadableStream(tap)).bytes()
    assert tap.closed == 1
    assert tap.queue.qsize() == 1


async def test_a_list_of_chunks_is_a_stream():
    assert await ReadableStream([b"a", "b", memoryview(b"c")]).read_all() == b"abc"
    for single in ("text", b"bytes"):
        with pytest.raises(TypeError, match="iterable"):
            ReadableStream(single)


async def test_a_stream_cannot_be_sent_twice():
    stream = ReadableStream([b"x"])
    await Response(stream).text()
    with pytest.raises(TypeError, match="read already"):
        Response(stream)
