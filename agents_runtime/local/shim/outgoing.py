"""`fetch`: a request to another server. The network itself is in `network`, which is imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack, cast

from agents_runtime.local.shim import headers as header_fields
from agents_runtime.local.shim.request import Request
from agents_runtime.local.shim.runtime import current_fetcher

if TYPE_CHECKING:
    from agents_runtime.local.shim.js_view import JsView
    from agents_runtime.local.shim.response import Response
    from agents_runtime.local.shim.types import FetchKwargs


async def fetch(resource: str | Request | JsView, **other_options: Unpack[FetchKwargs]) -> Response:
    """Send a request and return the response as soon as its headers are there; the body streams.

    Redirects are followed up to 20 times unless `redirect="manual"`. No cookies are kept. Nothing is
    retried. There is no time-out once a connection stands: use `asyncio.timeout`.

    Raises:
        OSError: the server cannot be reached or broke off.
        TypeError: the request cannot be sent as given.
    """
    given = cast("FetchKwargs", {name: value for name, value in other_options.items() if value is not None})
    fetcher = given.pop("fetcher", None) or current_fetcher()
    request = resource if isinstance(resource, Request) and not given else Request(resource, **given)
    if fetcher is not None:
        answer: Response | None = await fetcher(request)
        if answer is not None:
            return answer
    if not request.url.startswith(("http://", "https://")):
        raise OSError(f"fetch takes http:// and https:// URLs, not {request.url!r}")
    if header_fields.find(request.raw_headers(), "upgrade") is not None:
        raise TypeError("fetch cannot open WebSockets on the local host: use a WebSocket client library")
    try:
        from agents_runtime.local.shim.network import send
    except ModuleNotFoundError as exc:
        if exc.name != "httpx":
            raise
        raise ModuleNotFoundError('fetch needs httpx: pip install "agents_runtime[server]"', name="httpx") from exc
    return await send(request)
