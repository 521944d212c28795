"""Type names of the `workers` module: what a body, headers and fetch options may be."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict

if TYPE_CHECKING:
    from http import HTTPMethod

    from agents_runtime.local.shim.blob import Blob, File
    from agents_runtime.local.shim.formdata import FormData
    from agents_runtime.local.shim.js_view import JsView
    from agents_runtime.local.shim.streams import ReadableStream

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
"""A value that JSON can express."""

JSBody: TypeAlias = "ReadableStream"
"""Bodies that are JavaScript objects on the platform."""

Body: TypeAlias = "str | bytes | FormData | ReadableStream | None"
"""What a request or response may be made of."""

Headers: TypeAlias = "dict[str, str] | list[tuple[str, str]]"
"""What `headers=` accepts; a list may repeat a name."""

FormDataValue: TypeAlias = "str | Blob | File"
"""One value of a form."""

BlobValue: TypeAlias = "str | bytes | bytearray | memoryview | Blob | JsView"
"""One part of a blob."""


class Context(Protocol):
    """The execution context handed to a worker."""

    def waitUntil(self, other: Awaitable[Any]) -> None: ...


class RequestInitCfProperties(TypedDict, total=False):
    """Options for the platform's own network. The local host accepts and ignores them."""

    apps: bool | None
    cacheEverything: bool | None
    cacheKey: str | None
    cacheTags: list[str] | None
    cacheTtl: int
    cacheTtlByStatus: dict[str, int]
    image: Any | None
    mirage: bool | None
    polish: str | None
    resolveOverride: str | None
    scrapeShield: bool | None
    webp: bool | None


class FetchKwargs(TypedDict, total=False):
    """Options of `Request(...)` and `fetch(...)`."""

    method: HTTPMethod | str | None
    headers: Headers | None
    body: Body
    redirect: str | None
    cf: RequestInitCfProperties | Mapping[str, Any] | None
    cache: str | None
    credentials: str | None
    integrity: str | None
    keepalive: bool | None
    mode: str | None
    referrer: str | None
    referrerPolicy: str | None
    signal: Any
    fetcher: Any
