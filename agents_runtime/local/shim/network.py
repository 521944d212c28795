"""Sends requests of `fetch` over the network with httpx: one pool of connections for each event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import httpx

from agents_runtime.local.shim import headers as header_fields
from agents_runtime.local.shim.response import NULL_BODY_STATUSES, Response
from agents_runtime.local.shim.streams import ReadableStream

if TYPE_CHECKING:
    from agents_runtime.local.shim.request import Request

MAX_REDIRECTS = 20
CONNECT_TIMEOUT_S = 30.0
_SET_BY_HTTPX = frozenset(("host", "content-length", "transfer-encoding", "connection"))
_HOP_BY_HOP = frozenset(("transfer-encoding", "connection", "keep-alive"))
_OF_ENCODED_BODY = frozenset(("content-encoding", "content-length"))


async def send(request: Request) -> Response:
    """Send a request and return the response, its body still to come. See `fetch`."""
    client = await shared_client()
    fields = header_fields.without(request.raw_headers(), _SET_BY_HTTPX)
    if header_fields.find(fields, "accept-encoding") is None:
        fields.append(("accept-encoding", "gzip, deflate"))
    with _as_os_error(request.url):
        outgoing = httpx.Request(
            str(request.method),
            request.url,
            headers=fields,
            content=request.take_body(),
            extensions={"timeout": {"connect": CONNECT_TIMEOUT_S, "read": None, "write": None, "pool": None}},
        )
        answer = await client.send(outgoing, stream=True, follow_redirects=request.redirect == "follow")
    return await _response(request, answer)


async def _response(request: Request, answer: httpx.Response) -> Response:
    fields = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in answer.headers.raw]
    body = None
    if request.method == "HEAD" or answer.status_code in NULL_BODY_STATUSES:
        await answer.aclose()
    else:
        body = ReadableStream(_Download(answer))
        if header_fields.find(fields, "content-encoding") is not None:  # the body reaches the worker decoded
            fields = header_fields.without(fields, _OF_ENCODED_BODY)
    return Response.made(
        answer.status_code,
        header_fields.without(fields, _HOP_BY_HOP),
        body,
        status_text=answer.reason_phrase,
        url=str(answer.url),
        redirected=bool(answer.history),
    )


class _Download:
    """The body of a response as it arrives. Gives its connection back when it ends or is dropped."""

    __slots__ = ("_answer", "_chunks", "_loop")

    def __init__(self, answer: httpx.Response) -> None:
        self._answer: httpx.Response | None = answer
        self._chunks = answer.aiter_bytes()
        self._loop = asyncio.get_running_loop()

    def __aiter__(self) -> _Download:
        return self

    async def __anext__(self) -> bytes:
        if self._answer is None:
            raise StopAsyncIteration
        with _as_os_error(str(self._answer.url)):
            return await anext(self._chunks)

    async def aclose(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            await answer.aclose()

    def __del__(self) -> None:
        answer = self._answer
        if answer is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: asyncio.ensure_future(answer.aclose()))


@contextmanager
def _as_os_error(url: str) -> Generator[None]:
    """Raise what httpx raises as an OSError, the kind that `fetch` raises on the platform."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
        raise OSError(f"fetch {url} failed: {str(exc) or type(exc).__name__}") from exc


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncGenerator[httpx.AsyncClient]] = WeakKeyDictionary()


async def shared_client() -> httpx.AsyncClient:
    """The client of the running loop. It is closed when the loop shuts down its asynchronous generators."""
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        pool = _pools[loop] = _pool()
    return await anext(pool)


async def _pool() -> AsyncGenerator[httpx.AsyncClient]:
    client = httpx.AsyncClient(
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
        max_redirects=MAX_REDIRECTS,
    )
    try:
        while True:
            yield client
    finally:
        await client.aclose()
