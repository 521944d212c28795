"""The port's `Fetch` over the network, with httpx: one pool of connections for each event loop.

httpx is imported with the first request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, NoReturn, cast

from agents_runtime.errors import FetchFailed

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT_S = 10.0
_NO_HEADERS: Mapping[str, str] = {}


async def fetch_over_network(
    method: str, url: str, *, headers: Mapping[str, str] = _NO_HEADERS, body: bytes | None = None, timeout_s: float
) -> NetworkAnswer:
    """Send a request; see the port."""
    try:
        from agents_runtime.local.shim.network import shared_client
    except ModuleNotFoundError as exc:
        if exc.name != "httpx":
            raise
        remedy = 'outgoing requests need httpx: pip install "agents_runtime[server]"'
        raise ModuleNotFoundError(remedy, name="httpx") from exc
    import httpx

    client = await shared_client()
    limits = {"connect": min(CONNECT_TIMEOUT_S, timeout_s), "read": None, "write": None, "pool": None}
    with _as_fetch_failed(url):
        request = httpx.Request(
            method,
            url,
            headers={"accept-encoding": "identity", **headers},
            content=body,
            extensions={"timeout": limits},
        )
        async with asyncio.timeout(timeout_s):
            answer = await client.send(request, stream=True, follow_redirects=False)
    return NetworkAnswer(answer, url, timeout_s)


class NetworkAnswer:
    """The port's `HttpAnswer`."""

    def __init__(self, answer: httpx.Response, url: str, timeout_s: float) -> None:
        self._answer = answer
        self._url = url
        self._timeout_s = timeout_s
        self.status = answer.status_code
        self.headers = {name.lower(): value for name, value in answer.headers.items()}

    async def read(self, limit: int) -> bytes:
        found = bytearray()
        with _as_fetch_failed(self._url):
            async with asyncio.timeout(self._timeout_s), aclosing(self.chunks()) as chunks:
                async for chunk in chunks:
                    found += chunk
                    if len(found) > limit:
                        await self.close()
                        too_large(self._url, limit)
        return bytes(found)

    async def chunks(self) -> AsyncGenerator[bytes]:
        try:
            with _as_fetch_failed(self._url):
                async with aclosing(cast("AsyncGenerator[bytes]", self._answer.aiter_raw())) as chunks:
                    async for chunk in chunks:
                        yield chunk
        finally:
            await self.close()

    async def close(self) -> None:
        await self._answer.aclose()


def too_large(url: str, limit: int) -> NoReturn:
    """Refuse an answer."""
    raise FetchFailed(url, f"the answer has more than {limit:,} bytes")


@contextmanager
def _as_fetch_failed(url: str) -> Generator[None]:
    import httpx

    try:
        yield
    except TimeoutError as exc:
        raise FetchFailed(url, "no answer in time", is_timeout=True) from exc
    except httpx.TimeoutException as exc:
        raise FetchFailed(url, "no connection in time", is_timeout=True) from exc
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError, OSError) as exc:
        raise FetchFailed(url, str(exc) or type(exc).__name__) from exc
