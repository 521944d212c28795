"""A readable stream of bytes: what `.body` of a request or response is."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    import asyncio

    from agents_runtime.local.values import ArrayBuffer

MAX_BUFFERED_BYTES = 128 * 1024 * 1024
"""What a stream may grow to when it is read as a whole: the memory of a worker on the platform."""


Chunk = bytes | bytearray | memoryview | str
"""What a source may give. Text is encoded as UTF-8."""


class ReadResult(NamedTuple):
    """What a reader's `read()` gives: a chunk, or `done`."""

    value: ArrayBuffer | None
    done: bool


class ReadableStream:
    """Bytes that arrive over time. Read it once: by `async for`, by a reader, or through its request or response.

    Attributes:
        locked: somebody is reading it.
        disturbed: something was read from it, or it was cancelled.
    """

    __slots__ = ("_ended", "_pulling", "_source", "disturbed", "locked")

    def __init__(self, source: AsyncIterable[Chunk] | Iterable[Chunk]) -> None:
        if isinstance(source, str | bytes):
            raise TypeError(f"a stream is made of an iterable of bytes, not of one {type(source).__name__}")
        if not isinstance(source, AsyncIterable):
            source = _Listed(source)
        self._source: AsyncIterator[Chunk] = aiter(source)
        self._ended = False
        self._pulling = False
        self.locked = False
        self.disturbed = False

    async def __aiter__(self) -> AsyncIterator[ArrayBuffer]:
        reader = StreamReader(self)
        try:
            while (chunk := (await reader.read()).value) is not None:
                yield chunk
        finally:
            await reader.cancel()

    def getReader(self) -> StreamReader:
        """Lock the stream and read it chunk by chunk."""
        return StreamReader(self)

    def lock(self) -> None:
        """Claim the stream. Raises TypeError when somebody else reads it."""
        if self.locked:
            raise TypeError("this stream is already being read: it is locked to a reader")
        self.locked = True

    async def pull(self) -> bytes | None:
        """The next chunk that is not empty, or None at the end."""
        self.disturbed = True
        if self._pulling:
            raise TypeError("a read of this stream is already waiting: await it before the next one")
        self._pulling = True
        try:
            while not self._ended:
                try:
                    chunk = await anext(self._source)
                except StopAsyncIteration:
                    break
                if chunk:
                    return _as_bytes(chunk)
            self._ended = True
            return None
        except BaseException:
            self._ended = True
            raise
        finally:
            self._pulling = False
            if self._ended:
                await self._close_source()

    async def cancel(self, reason: object = None) -> None:
        """Stop the stream and let its source clean up. `reason` is for the platform's signature only."""
        self.disturbed = True
        self._ended = True
        if not self._pulling:  # otherwise the read that is waiting closes the source when it returns
            await self._close_source()

    def tee(self) -> tuple[ReadableStream, ReadableStream]:
        """Two streams with the same content. What one has read and the other has not is kept in memory."""
        import asyncio

        self.lock()
        turn = asyncio.Lock()
        one, two = _Branch(self, turn), _Branch(self, turn)
        one.twin, two.twin = two, one
        return ReadableStream(one), ReadableStream(two)

    async def read_all(self) -> bytes:
        """Everything that is left, in one piece of at most `MAX_BUFFERED_BYTES`."""
        self.lock()
        chunks: list[bytes] = []
        size = 0
        while (chunk := await self.pull()) is not None:
            size += len(chunk)
            if size > MAX_BUFFERED_BYTES:
                await self.cancel()
                raise TypeError(
                    f"the body is larger than {MAX_BUFFERED_BYTES} bytes: read it in chunks with `async for`"
                )
            chunks.append(chunk)
        return b"".join(chunks)

    async def _close_source(self) -> None:
        close, self._source = getattr(self._source, "aclose", None), _Listed(())
        if close is not None:
            await close()

    def __repr__(self) -> str:
        return f"ReadableStream(locked={self.locked})"


class Chunks:
    """Iterates over a stream it has locked; `aclose()` cancels the stream, also before the first chunk."""

    __slots__ = ("_stream",)

    def __init__(self, stream: ReadableStream) -> None:
        stream.lock()
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._stream.pull()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Stop reading and let the source clean up."""
        await self._stream.cancel()


class StreamReader:
    """Reads a stream it has locked, as `getReader()` gives it."""

    __slots__ = ("_stream",)

    def __init__(self, stream: ReadableStream) -> None:
        stream.lock()
        self._stream: ReadableStream | None = stream

    async def read(self) -> ReadResult:
        """The next chunk, or a result that says `done`."""
        from agents_runtime.local.values import ArrayBuffer

        chunk = await self._locked().pull()
        return ReadResult(None, True) if chunk is None else ReadResult(ArrayBuffer(chunk), False)

    async def cancel(self, reason: object = None) -> None:
        """Cancel the stream."""
        await self._locked().cancel(reason)

    def releaseLock(self) -> None:
        """Give the stream back; somebody else may read on."""
        if self._stream is not None:
            self._stream.locked = False
            self._stream = None

    def _locked(self) -> ReadableStream:
        if self._stream is None:
            raise TypeError("this reader was released")
        return self._stream


class _Listed:
    """An ordinary iterable as an asynchronous one."""

    __slots__ = ("_chunks",)

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = iter(chunks)

    def __aiter__(self) -> _Listed:
        return self

    async def __anext__(self) -> Chunk:
        chunk = next(self._chunks, None)
        if chunk is None:
            raise StopAsyncIteration
        return chunk


class _Branch:
    """One of the two streams of a `tee`. Whichever asks first reads on; the other finds the chunk waiting."""

    __slots__ = ("_origin", "_turn", "_waiting", "closed", "twin")

    def __init__(self, origin: ReadableStream, turn: asyncio.Lock) -> None:
        self._origin = origin
        self._turn = turn
        self._waiting: deque[bytes | None] = deque()
        self.closed = False
        self.twin = self

    def __aiter__(self) -> _Branch:
        return self

    async def __anext__(self) -> bytes:
        if not self._waiting:
            async with self._turn:
                if not self._waiting:
                    chunk = await self._origin.pull()
                    self._waiting.append(chunk)
                    if not self.twin.closed:
                        self.twin._waiting.append(chunk)
        chunk = self._waiting.popleft()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        self.closed = True
        self._waiting.clear()
        if self.twin.closed:
            await self._origin.cancel()


def _as_bytes(chunk: object) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, str):
        return chunk.encode()
    if isinstance(chunk, bytearray | memoryview):
        return bytes(cast("memoryview", chunk))
    raise TypeError(f"a stream yields bytes or str, got {type(chunk).__name__}")
