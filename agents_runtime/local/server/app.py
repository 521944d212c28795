"""The ASGI application: one request in, one response out. What answers is a `Site`, which a reload replaces."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from agents_runtime.errors import InternalError
from agents_runtime.local.server.body import BodyTooLarge, ClientGone, Receive, RequestBody, Send
from agents_runtime.local.server.handshake import Handshake
from agents_runtime.local.server.limits import Limits
from agents_runtime.local.server.requests import BadRequest, checked_host, read_request, url_of
from agents_runtime.local.shim.request import Request
from agents_runtime.local.shim.response import Response

if TYPE_CHECKING:
    from agents_runtime.local.server.access import AccessLog

logger = logging.getLogger("agents_runtime.local.server")

_BODILESS_STATUSES = frozenset((204, 304))
_OWN = frozenset((b"transfer-encoding", b"keep-alive", b"upgrade", b"trailer", b"date"))
"""Header fields that belong to the connection; a worker cannot set them."""
_names: dict[str, bytes] = {}
"""Header names seen in responses, as bytes. Bounded by `_MAX_NAMES`."""
_MAX_NAMES = 256


class Site(Protocol):
    """What answers requests."""

    async def answer(self, request: Request) -> Response:
        """The response to a request. Never raises for a fault of the worker: that is a response too."""
        ...


class Application:
    """Serves the current site over ASGI, and opens WebSockets for the pool."""

    def __init__(self, limits: Limits, access: AccessLog | None = None) -> None:
        self._limits = limits
        self._access = access
        self._site: Site | None = None
        self._changed = asyncio.Event()

    def serve(self, site: Site | None) -> None:
        """Answer with `site` from now on; None holds requests back until the next call."""
        self._site = site
        self._changed.set()
        self._changed = asyncio.Event()

    async def _current(self) -> Site:
        while self._site is None:
            await self._changed.wait()
        return self._site

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Part of ASGI. Serves plain HTTP; WebSockets have their own protocol."""
        if scope["type"] != "http":
            raise InternalError(f"the server was started with ASGI's {scope['type']}, which has its own protocol")
        started = perf_counter()
        body: RequestBody | None = None
        try:
            request, body = await read_request(scope, receive, self._limits.max_body_bytes)
            response = await (self._site or await self._current()).answer(request)
            if response.web_socket is not None:
                response = _plain(426, "This address speaks WebSocket only.", [("upgrade", "websocket")])
        except ClientGone:
            return
        except BadRequest as refusal:
            response = _plain(refusal.status, str(refusal), [("connection", "close")])
        except Exception:
            logger.exception("%s %s failed in the server", scope["method"], scope["path"])
            response = _plain(500, "Internal Server Error")
        if body is not None and body.is_too_large:
            response = _plain(413, str(BodyTooLarge(self._limits.max_body_bytes)), [("connection", "close")])
        try:
            await _send_response(response, scope["method"], send, receive if body is None or body.is_done else None)
        except Exception:
            logger.exception("%s %s: the response cannot be sent", scope["method"], scope["path"])
            raise  # the protocol answers 500 when nothing was sent, and otherwise ends the connection
        finally:
            if self._access is not None:
                self._access.report(scope["method"], scope["path"], response.status, perf_counter() - started)

    async def upgrade(self, handshake: Handshake) -> Response:
        """Ask the site to open a WebSocket."""
        started = perf_counter()
        try:
            host = checked_host([value for name, value in handshake.headers if name == "host"], None)
            scheme = "https" if handshake.is_secure else "http"
            headers = [*handshake.headers, ("cf-connecting-ip", handshake.client)]
            request = Request.from_server("GET", url_of(scheme, host, handshake.target), headers)
            response = await (self._site or await self._current()).answer(request)
            if response.status == 101 and response.web_socket is None:
                response = _plain(500, "Internal Server Error")
        except BadRequest as refusal:
            response = _plain(refusal.status, str(refusal))
        except Exception:
            logger.exception("GET %s failed in the server", handshake.target)
            response = _plain(500, "Internal Server Error")
        if self._access is not None:
            path = handshake.target.partition("?")[0]
            self._access.report("GET", path, response.status, perf_counter() - started)
        return response


def _plain(status: int, text: str, headers: list[tuple[str, str]] | None = None) -> Response:
    fields = [("content-type", "text/plain; charset=utf-8"), *(headers or [])]
    return Response.made(status, fields, text + "\n" if status != 500 else text)


async def _send_response(response: Response, method: str, send: Send, receive: Receive | None) -> None:
    body = response.take_body() or b""
    status = response.status
    headers: list[tuple[bytes, bytes]] = []
    for name, value in response.raw_headers():
        encoded = _names.get(name) or _encode_name(name)
        if encoded == b"content-length":
            if isinstance(body, bytes) and (body or method != "HEAD"):
                continue
        elif encoded in _OWN or (encoded == b"connection" and value != "close"):
            continue
        headers.append((encoded, value.encode("latin-1", "replace")))
    if isinstance(body, bytes) and status not in _BODILESS_STATUSES and (body or method != "HEAD"):
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if isinstance(body, bytes):
        await send({"type": "http.response.body", "body": body})
    elif method == "HEAD":
        await _close(body)
        await send({"type": "http.response.body", "body": b""})
    else:
        await _stream(body, send, receive)


def _encode_name(name: str) -> bytes:
    encoded = name.lower().encode("latin-1", "replace")
    if len(_names) < _MAX_NAMES:
        _names[name] = encoded
    return encoded


async def _stream(body: AsyncIterator[bytes], send: Send, receive: Receive | None) -> None:
    """Send chunk by chunk, each when the client has taken the one before; stop when the client goes away."""
    tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(_pump(body, send))]
    if receive is not None:
        tasks.append(asyncio.ensure_future(_until_gone(receive)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _close(body)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] == "http.request":
        pass


async def _pump(body: AsyncIterator[bytes], send: Send) -> None:
    try:
        async for chunk in body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(0)  # a body and a client that never wait would keep the loop to themselves
    except Exception:
        logger.exception("a streamed response broke off")
        return  # without its end, so that the client sees it is incomplete
    await send({"type": "http.response.body", "body": b""})


async def _close(body: AsyncIterator[bytes]) -> None:
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
