"""Requests and responses of the SDK, for code that must not import it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from typing import Any

import js
import workers
from pyodide.ffi import JsException, create_proxy, to_js
from workers import Request, Response

logger = logging.getLogger("agents_runtime")

MAX_UNREAD_FRAMES = 1_024
"""So many frames of a socket may wait for a slow reader."""


def current_environment() -> Any:
    """The environment of this Worker."""
    return workers.env


def stream_response(chunks: AsyncIterable[str | bytes], status: int, headers: Mapping[str, str]) -> Response:
    """A response whose body is produced while it is sent."""
    pipe = js.TransformStream.new()
    task = asyncio.get_running_loop().create_task(_pump(chunks, pipe.writable.getWriter()))
    handle = create_proxy(task)
    task.add_done_callback(lambda _: handle.destroy())
    workers.wait_until(handle)
    return Response(pipe.readable, status=status, headers=dict(headers))


async def _pump(chunks: AsyncIterable[str | bytes], writer: Any) -> None:
    """Write what `chunks` produces; close it when nobody reads any more."""
    try:
        async for chunk in chunks:
            await writer.write(to_js(chunk.encode() if isinstance(chunk, str) else chunk))
        await writer.close()
    except JsException as error:
        logger.debug("a streamed response lost its reader: %s", error)
    except Exception as error:
        await writer.abort(str(error))
        raise
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


async def read_body(request: Request, limit: int) -> bytes | None:
    """The body of a request, None when it is longer than `limit` bytes."""
    stream: Any = request.js_object.body
    if not stream:
        return b""
    reader = stream.getReader()
    chunks: list[bytes] = []
    size = 0
    while not (read := await reader.read()).done:
        chunk: bytes = read.value.to_bytes()
        size += len(chunk)
        if size > limit:
            await reader.cancel()
            return None
        chunks.append(chunk)
    return b"".join(chunks)


async def socket_frames(response: Response) -> AsyncGenerator[str]:
    """The text frames of the WebSocket that a response carries, until it closes."""
    socket: Any = response.js_object.webSocket
    frames: asyncio.Queue[str | None] = asyncio.Queue(MAX_UNREAD_FRAMES)
    is_over = False

    def take(event: Any) -> None:
        data = getattr(event, "data", None)
        if frames.full():
            end(event)
        elif isinstance(data, str):
            frames.put_nowait(data)

    def end(_: Any) -> None:
        nonlocal is_over
        is_over = True
        if not frames.full():
            frames.put_nowait(None)

    listeners = {"message": create_proxy(take), "close": create_proxy(end), "error": create_proxy(end)}
    for kind, listener in listeners.items():
        socket.addEventListener(kind, listener)
    socket.accept()
    try:
        while not (is_over and frames.empty()) and (frame := await frames.get()) is not None:
            yield frame
    finally:
        for kind, listener in listeners.items():
            socket.removeEventListener(kind, listener)
            listener.destroy()
        try:
            socket.close(1000, "")
        except JsException as error:
            logger.debug("a socket was closed already: %s", error)


def with_headers(response: Response, headers: Mapping[str, str]) -> Response:
    """`response` with these headers set; the body is passed on unread."""
    copy = js.Response.new(response.js_object.body, response.js_object)
    for name, value in headers.items():
        copy.headers.set(name, value)
    return Response(copy)


def without_headers(request: Request, names: Sequence[str]) -> Request:
    """`request` without these headers; the body is passed on unread."""
    headers = js.Headers.new(request.js_object.headers)
    for name in names:
        headers.delete(name)
    return Request(js.Request.new(request.js_object, headers=headers))


def header_of(request: Any, name: str) -> str | None:
    """One header of a request, by its lower-case name."""
    value = request.js_object.headers.get(name)
    return value if isinstance(value, str) else None


def headers_starting(request: Any, prefixes: tuple[str, ...]) -> list[str]:
    """The names of the request's headers that start with one of the lower-case `prefixes`."""
    return [name for name, _ in request.js_object.headers if name.startswith(prefixes)]


def closed_upgrade(code: int, reason: str) -> Response:
    """A response (101) that accepts a WebSocket and closes it at once."""
    client, server = js.WebSocketPair.new().object_values()
    server.accept()
    server.close(code, reason)
    return Response(None, status=101, web_socket=client)


def with_url(request: Request, url: str) -> Request:
    """`request` with another URL; the body is passed on unread."""
    return Request(js.Request.new(url, request.js_object))


def upgrade_request(url: str, headers: Sequence[tuple[str, str]]) -> Request:
    """A request for a WebSocket."""
    fields = js.Headers.new()
    for name, value in headers:
        fields.append(name, value)
    return Request(js.Request.new(url, headers=fields))


def headers_of(request: Request) -> list[tuple[str, str]]:
    """All headers of a request."""
    fields: Any = request.js_object.headers
    return [(name, value) for name, value in fields]


__all__ = [
    "Request",
    "Response",
    "closed_upgrade",
    "current_environment",
    "header_of",
    "headers_of",
    "headers_starting",
    "read_body",
    "socket_frames",
    "stream_response",
    "upgrade_request",
    "with_headers",
    "with_url",
    "without_headers",
]
