"""Outgoing HTTP of a test runtime: handlers that the test gives, this machine, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from contextvars import Context
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from agents_runtime.errors import FetchFailed
from agents_runtime.local.fetching import fetch_over_network, too_large
from agents_runtime.testing.guard import NetworkRefused

if TYPE_CHECKING:
    from agents_runtime._platform.ports import HttpAnswer
    from agents_runtime.local.shim.request import Request
    from agents_runtime.local.shim.response import Response

HttpHandler = Callable[["Request"], Awaitable["Response"]]
"""Answers the requests to one host."""

HANDLER_TIMEOUT_S = 10.0
"""Real seconds that a handler gets."""

_NO_HEADERS: Mapping[str, str] = {}


class HttpServers:
    """What stands for the network in one test runtime.

    Attributes:
        handlers: by host name, with its port if it is not the usual one.
        enter: makes the code that follows part of the runtime's worker, outside of any object.
    """

    def __init__(self) -> None:
        self.handlers: dict[str, HttpHandler] = {}
        self.enter: Callable[[], None] = lambda: None

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes | None = None,
        timeout_s: float,
    ) -> HttpAnswer:
        """Be the port's `Fetch`."""
        from agents_runtime.local.shim.request import Request

        if self._handler_of(url) is not None:
            fields = [("host", urlsplit(url).netloc), *((name.lower(), value) for name, value in headers.items())]
            response = await self._ask(Request.from_server(method, url, fields, body), timeout_s)
            return HandlerAnswer(response, url, timeout_s)
        try:
            return await fetch_over_network(method, url, headers=headers, body=body, timeout_s=timeout_s)
        except BaseExceptionGroup as group:
            raise _refusal(group) or group from group

    async def answer(self, request: Request) -> Response | None:
        """Answer the `fetch` of a worker; None leaves it to the network."""
        return None if self._handler_of(request.url) is None else await self._ask(request, HANDLER_TIMEOUT_S)

    def _handler_of(self, url: str) -> HttpHandler | None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            return None
        return self.handlers.get(f"{host}:{port}") or self.handlers.get(str(host))

    async def _ask(self, request: Request, timeout_s: float) -> Response:
        handler = self._handler_of(request.url)
        assert handler is not None
        # In a context of its own, so that the handler does not run as the agent that asks.
        task = asyncio.get_running_loop().create_task(self._call(handler, request), context=Context())
        try:
            async with asyncio.timeout(min(timeout_s, HANDLER_TIMEOUT_S)):
                return await task
        except TimeoutError as exc:
            raise FetchFailed(request.url, "no answer in time", is_timeout=True) from exc

    async def _call(self, handler: HttpHandler, request: Request) -> Response:
        self.enter()
        return await handler(request)


def _refusal(error: BaseException) -> NetworkRefused | None:
    """The refusal in an exception, which a library may have wrapped in groups."""
    if isinstance(error, BaseExceptionGroup):
        inner = cast("BaseExceptionGroup[BaseException]", error).exceptions
        return next((found for each in inner if (found := _refusal(each)) is not None), None)
    return error if isinstance(error, NetworkRefused) else None


class HandlerAnswer:
    """The port's `HttpAnswer` for the response of a handler."""

    def __init__(self, response: Response, url: str, timeout_s: float) -> None:
        self._body = response.take_body()
        self._url = url
        self._timeout_s = timeout_s
        self.status = response.status
        self.headers: dict[str, str] = {}
        for name, value in response.raw_headers():
            known = self.headers.get(name.lower())
            self.headers[name.lower()] = value if known is None else f"{known}, {value}"

    async def read(self, limit: int) -> bytes:
        """Read the whole body."""
        found = bytearray()
        try:
            async with asyncio.timeout(self._timeout_s), aclosing(self.chunks()) as chunks:
                async for chunk in chunks:
                    found += chunk
                    if len(found) > limit:
                        too_large(self._url, limit)
        except TimeoutError as exc:
            raise FetchFailed(self._url, "no answer in time", is_timeout=True) from exc
        finally:
            await self.close()
        return bytes(found)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Iterate over the body as the handler produces it."""
        body = self._body
        try:
            if isinstance(body, bytes):
                self._body = None
                yield body
            elif body is not None:
                async for chunk in body:
                    yield bytes(chunk)
        except FetchFailed:
            raise
        except Exception as exc:  # whatever the handler's stream raises is a broken connection to its reader
            raise FetchFailed(self._url, str(exc) or type(exc).__name__) from exc
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of the body."""
        body, self._body = self._body, None
        end = getattr(body, "aclose", None)
        if end is not None:
            await end()
