"""`Request`: what arrives at a worker, or what it is about to send."""

from __future__ import annotations

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

METHODS = frozenset(method.value for method in HTTPMethod) - {"CONNECT", "TRACE"}
_BODILESS = frozenset(("GET", "HEAD"))
_TAKEN_OVER = frozenset(
    ("cache", "credentials", "integrity", "keepalive", "mode", "redirect", "referrer", "referrerPolicy")
)
_REDIRECTS = frozenset(("follow", "manual", "error"))


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
        given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
        if isinstance(input, JsView):
            self._share(input.wrapped, given)
            return
        fields: header_fields.Fields = []
        raw: Raw = None
        self._method, self._cf, self._options = "GET", None, {}
        if isinstance(input, Request):
            self._method, self._cf, self._options = input._method, input._cf, input._options
            self._url, fields = input._url, input._fields
            if "body" not in given:
                raw = input.give_body()
        else:
            self._url = normal_url(input)
        content_type = None
        if "body" in given:
            raw, content_type = taken_in(given.pop("body"), "Request")
        if "headers" in given:
            fields = header_fields.checked_fields(given.pop("headers"))
        if content_type and header_fields.find(fields, "content-type") is None:
            fields = [*fields, ("content-type", content_type)]
        if "method" in given:
            self._method = _checked_method(given.pop("method"))
        if raw is not None and self._method in _BODILESS:
            raise TypeError(f"a {self._method} request cannot have a body")
        self._body, self._used, self._fields = raw, False, fields
        self._cf = given.pop("cf", self._cf)
        self._take_over(given)

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
    def cf(self) -> Any:  # noqa: ANN401 - free-form, read by attribute
        """What the network says about the caller, read by attribute; None when it says nothing."""
        if self._cf is None:
            return None
        from agents_runtime.local.values import JsDict

        return JsDict(self._cf)

    @property
    def cache(self) -> str:
        """The cache mode asked for."""
        return str(self._options.get("cache", "default"))

    @property
    def credentials(self) -> str:
        """Always what was given; the platform does not use it."""
        return str(self._options.get("credentials", "same-origin"))

    @property
    def destination(self) -> str:
        """Always empty outside browsers."""
        return ""

    @property
    def integrity(self) -> str:
        """The hash the content should have; not checked."""
        return str(self._options.get("integrity", ""))

    @property
    def is_history_navigation(self) -> bool:
        """Always False outside browsers."""
        return False

    @property
    def keepalive(self) -> bool:
        """Always what was given; the platform does not use it."""
        return bool(self._options.get("keepalive", False))

    @property
    def mode(self) -> str:
        """Always what was given; the platform does not use it."""
        return str(self._options.get("mode", "cors"))

    @property
    def redirect(self) -> str:
        """What `fetch` does with a redirect: follow, manual or error."""
        return str(self._options.get("redirect", "follow"))

    @property
    def referrer(self) -> str:
        """Always what was given; the platform does not use it."""
        return str(self._options.get("referrer", "about:client"))

    @property
    def referrer_policy(self) -> str:
        """Always what was given; the platform does not use it."""
        return str(self._options.get("referrerPolicy", ""))

    @property
    def js_object(self) -> JsView:
        """Stands for this request where the platform takes a JavaScript one."""
        return JsView(self)

    async def json(self, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the sender wrote
        """The body parsed as JSON. Options are those of `json.loads`."""
        return await self.read_json(**kwargs)

    def clone(self) -> Request:
        """A second request with the same content. Raises BodyUsedError when the body was read."""
        return self.replaced(body=self._split_body())

    def replaced(self, *, fields: header_fields.Fields | None = None, body: Raw = None) -> Request:
        """The same request with other header fields or another body. Internal."""
        request = Request.from_server(self._method, self._url, self._fields if fields is None else fields)
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

    def _take_over(self, given: dict[str, Any]) -> None:
        unknown = given.keys() - _TAKEN_OVER
        if unknown:
            raise TypeError(f"unknown option of Request: {', '.join(sorted(unknown))}")
        if given.get("redirect", "follow") not in _REDIRECTS:
            raise TypeError(f"redirect must be follow, manual or error, not {given['redirect']!r}")
        if given:
            self._options = {**self._options, **given}

    def __repr__(self) -> str:
        return f"Request(method={self._method!r}, url={self._url!r})"


_INCOMING: Mapping[str, Any] = {"redirect": "manual"}


def _checked_method(method: object) -> str:
    if not isinstance(method, str):
        raise TypeError(f"method must be a text or an http.HTTPMethod, got {type(method).__name__}")
    name = str(method.value if isinstance(method, HTTPMethod) else method).upper()
    if name not in METHODS:
        raise TypeError(f"invalid HTTP method {method!r}")
    return name
