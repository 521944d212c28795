"""`Request`: what arrives at a worker, or what it is about to send."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPMethod
from typing import TYPE_CHECKING, Any, Unpack

from agents_runtime.local.shim import headers as header_fields
from agents_runtime.local.shim.content import Content, Raw, taken_in
from agents_runtime.local.shim.js_view import JsView
from agents_runtime.local.shim.streams import ReadableStream
from agents_runtime.local.shim.urls import normal_url

if TYPE_CHECKING:
    from agents_runtime.local.shim.types import FetchKwargs

METHODS = frozenset(method.value for method in HTTPMethod) - {"CONNECT"}
"""Methods a request may have."""
_BODILESS = frozenset(("GET", "HEAD"))
_IGNORED = frozenset(("credentials", "keepalive", "mode", "referrer", "referrerPolicy", "signal"))
_CACHE_MODES = frozenset(("no-store", "no-cache"))
_REDIRECTS = frozenset(("follow", "manual"))


class Request(Content):
    """An HTTP request, as in the `workers` SDK.

    Args:
        input: an absolute URL, or a request to copy. The copy takes over the body.
        options: what to set or replace: `method`, `headers`, `body`, `redirect`, `cf` and the like.
    """

    __slots__ = ("_cf", "_method", "_options", "_url")

    _method: str
    _url: str
    _cf: Mapping[str, Any] | None
    _options: Mapping[str, Any]

    def __init__(self, input: Request | JsView | str, **options: Unpack[FetchKwargs]) -> None:  # noqa: A002 - the SDK's
        given: dict[str, Any] = dict(options)
        if isinstance(input, JsView):
            self._share(input.wrapped, given)
            return
        body, method, headers = given.pop("body", None), given.pop("method", None), given.pop("headers", _ABSENT)
        fields: header_fields.Fields = []
        raw: Raw = None
        self._method, self._cf, self._options = "GET", None, {}
        if isinstance(input, Request):
            self._method, self._cf, self._options = input._method, input._cf, input._options
            self._url, fields = input._url, input._fields
            raw = _taken_over_body(input) if body is None else None
        else:
            self._url = normal_url(input)
        if headers is not _ABSENT:
            fields = header_fields.required_fields(headers)
        if body is not None:
            raw, content_type = taken_in(body, "Request")
            fields = header_fields.with_content_type(fields, content_type)
        if method is not None:
            self._method = _checked_method(method)
        if raw is not None and self._method in _BODILESS:
            raise TypeError(f"a {self._method} request cannot have a body")
        self._body, self._used, self._fields = raw, False, fields
        if given:
            self._cf = given.pop("cf", self._cf)
            self._options = {**self._options, **_checked_options(given)}

    @classmethod
    def from_server(
        cls,
        method: str,
        url: str,
        headers: list[tuple[str, str]],
        body: AsyncIterator[bytes] | bytes | None = None,
        cf: Mapping[str, Any] | None = None,
    ) -> Request:
        """A request that arrived from the network. For servers: the caller has checked every part."""
        request = cls.__new__(cls)
        request._method = method
        request._url = url
        request._fields = headers
        request._body = body if body is None or isinstance(body, bytes) else ReadableStream(body)
        request._used = False
        request._cf = cf
        request._options = _INCOMING
        return request

    @property
    def method(self) -> HTTPMethod:
        """The method in upper case. Raises ValueError for one that `http.HTTPMethod` does not know."""
        return HTTPMethod(self._method)

    @property
    def url(self) -> str:
        """The absolute URL."""
        return self._url

    @property
    def cf(self) -> Any:
        """What the network says about the caller, read by attribute; None when it says nothing."""
        if self._cf is None:
            return None
        from agents_runtime.local.values import JsDict

        return JsDict(self._cf)

    @property
    def cache(self) -> str | None:
        """The cache mode asked for: no-store, no-cache or nothing."""
        return self._options.get("cache")

    @property
    def integrity(self) -> str:
        """Always empty: the platform checks no hashes."""
        return ""

    @property
    def keepalive(self) -> bool:
        """Always False: the platform does not use it."""
        return False

    @property
    def redirect(self) -> str:
        """What `fetch` does with a redirect: follow or manual."""
        return str(self._options.get("redirect", "follow"))

    @property
    def js_object(self) -> JsView:
        """Stands for this request where the platform takes a JavaScript one."""
        return JsView(self)

    async def json(self, **kwargs: Any) -> Any:
        """The body parsed as JSON. Options are those of `json.loads`."""
        return json.loads(await self.text(), **kwargs)

    def clone(self) -> Request:
        """A second request with the same content. Raises BodyUsedError when the body was read."""
        return self.replaced(body=self._split_body())

    def replaced(
        self, *, fields: header_fields.Fields | None = None, body: Raw = None, url: str | None = None
    ) -> Request:
        """The same request with other header fields, another body or URL. Internal."""
        request = Request.from_server(self._method, url or self._url, self._fields if fields is None else fields)
        request._body, request._cf, request._options = body, self._cf, self._options
        return request

    def _share(self, other: object, given: dict[str, Any]) -> None:
        if given:
            raise ValueError("a Request made from a JavaScript request takes no options")
        if not isinstance(other, Request):
            raise TypeError(f"expected the JavaScript side of a Request, got that of a {type(other).__name__}")
        self._method, self._url, self._fields = other._method, other._url, other._fields
        self._body, self._used = other.body, other._used
        self._cf, self._options = other._cf, other._options

    def __repr__(self) -> str:
        return f"Request(method={self._method!r}, url={self._url!r})"


_INCOMING: Mapping[str, Any] = {"redirect": "manual"}
_ABSENT = object()


def _checked_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of the options once method, headers, body and cf are taken; those that do nothing are dropped."""
    kept: dict[str, Any] = {}
    for name, value in given.items():
        if name == "redirect" and value is not None:
            if value not in _REDIRECTS:
                raise TypeError(f"redirect must be follow or manual, not {value!r}")
            kept[name] = value
        elif name == "cache" and value is not None:
            if value not in _CACHE_MODES:
                raise TypeError(f"cache must be no-store or no-cache, not {value!r}")
            kept[name] = value
        elif name == "integrity" and value:
            raise TypeError("integrity is not supported: check the hash of the body yourself")
        elif name not in _IGNORED and name not in ("redirect", "cache", "integrity"):
            raise TypeError(f"unknown option {name!r} of a Request")
    return kept


def _taken_over_body(other: Request) -> Raw:
    if other.body_used:
        raise TypeError("the body of the request to copy was read already: clone the request before reading it")
    return other.give_body()


def _checked_method(method: object) -> str:
    if not isinstance(method, str):
        raise TypeError(f"method must be a text or an http.HTTPMethod, got {type(method).__name__}")
    name = str(method.value if isinstance(method, HTTPMethod) else method).upper()
    if name not in METHODS:
        raise TypeError(f"invalid HTTP method {method!r}")
    return name
