"""`Response`: what a worker answers, or what `fetch` brought back."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Self, overload

from agents_runtime.local.shim import headers as header_fields
from agents_runtime.local.shim.content import Content, Raw, taken_in
from agents_runtime.local.shim.js_view import JsView
from agents_runtime.local.shim.streams import ReadableStream
from agents_runtime.local.shim.urls import normal_url

if TYPE_CHECKING:
    from agents_runtime.local.shim.formdata import FormData
    from agents_runtime.local.shim.types import Body, Headers

NULL_BODY_STATUSES = frozenset((101, 204, 205, 304))
_REDIRECT_STATUSES = frozenset((301, 302, 303, 307, 308))
_TEXT_FIELDS: header_fields.Fields = [("content-type", "text/plain;charset=UTF-8")]
_JSON_FIELDS: header_fields.Fields = [("content-type", "application/json")]


class HttpStatusError(OSError):
    """Raised by `raise_for_status` for a status of 400 and above.

    Attributes:
        status: the status code.
        status_text: its text, possibly empty.
        url: where the response came from.
    """

    def __init__(self, status: int, status_text: str, url: str) -> None:
        self.status = status
        self.status_text = status_text
        self.url = url
        side = "Client" if status < 500 else "Server"
        super().__init__(f"{status} {side} Error: {status_text} for url: {url}")


class _Json:
    """`response.json()` reads the body; `Response.json(data)` makes a response."""

    @overload
    def __get__(self, instance: None, owner: type[FetchResponse]) -> Callable[..., Response]: ...
    @overload
    def __get__(self, instance: FetchResponse, owner: type[FetchResponse]) -> Callable[[], Awaitable[Any]]: ...
    def __get__(self, instance: FetchResponse | None, owner: type[FetchResponse]) -> Callable[..., Any]:
        return Response.from_json if instance is None else instance.read_json


class FetchResponse(Content):
    """What responses can do. `fetch` and workers deal in `Response`."""

    __slots__ = ("_redirected", "_status", "_status_text", "_url", "web_socket")

    _status: int
    _status_text: str
    _url: str
    _redirected: bool
    web_socket: Any
    """The client end of an accepted WebSocket; only with status 101."""

    json = _Json()

    @property
    def status(self) -> int:
        """The status code."""
        return self._status

    @property
    def status_text(self) -> str:
        """The text that goes with the status; often empty."""
        return self._status_text

    @property
    def ok(self) -> bool:
        """Whether the status is in 200-299."""
        return 200 <= self._status <= 299

    @property
    def url(self) -> str:
        """Where a fetched response came from in the end; empty for one that was made here."""
        return self._url

    @property
    def redirected(self) -> bool:
        """Whether `fetch` followed a redirect."""
        return self._redirected

    @property
    def type(self) -> str:
        """Always "default" outside browsers."""
        return "default"

    @property
    def js_object(self) -> JsView:
        """Stands for this response where the platform takes a JavaScript one."""
        return JsView(self)

    async def read_json(self) -> Any:
        """The body parsed as JSON; what `json()` of an instance does. Internal."""
        return json.loads(await self.text())

    async def formData(self) -> FormData:
        """The same as `form_data`."""
        return await self.form_data()

    async def string(self) -> str:
        """The same as `text`."""
        return await self.text()

    async def memoryview(self) -> memoryview:
        """The body as a memoryview."""
        return memoryview(await self.bytes())

    def raise_for_status(self) -> None:
        """Raise HttpStatusError for a status of 400 and above."""
        if self._status >= 400:
            raise HttpStatusError(self._status, self._status_text, self._url)

    def clone(self) -> Response:
        """A second response with the same content. Raises BodyUsedError when the body was read."""
        if self.web_socket is not None:
            raise TypeError("a response with a WebSocket cannot be cloned")
        return self.replaced(body=self._split_body())

    def replace_body(self, body: Body) -> Response:
        """A response with the same status and headers but another body."""
        raw, content_type = taken_in(body, "Response")
        raw = _check_null_body(self._status, raw)
        return self.replaced(fields=header_fields.with_content_type(self._fields, content_type), body=raw)

    def replaced(self, *, fields: header_fields.Fields | None = None, body: Raw = None) -> Response:
        """The same response with other header fields or another body. Internal."""
        return Response.made(
            self._status,
            self._fields if fields is None else fields,
            body,
            status_text=self._status_text,
            url=self._url,
            redirected=self._redirected,
            web_socket=self.web_socket,
        )

    @staticmethod
    def redirect(url: str, status: int = 302) -> Response:
        """A redirect to an absolute URL. Raises ValueError when the status is none of a redirect."""
        if status not in _REDIRECT_STATUSES:
            raise ValueError(f"a redirect has status 301, 302, 303, 307 or 308, not {status!r}")
        return Response.made(int(status), [("location", normal_url(url))], None)

    @staticmethod
    def from_json(
        data: Any,
        status: int | None = 200,
        status_text: str = "",
        headers: Headers | None = None,
    ) -> Response:
        """A response with `data` as JSON. Raises TypeError when `data` cannot be written as JSON."""
        fields = _JSON_FIELDS
        if headers:
            fields = header_fields.with_content_type(header_fields.checked_fields(headers), "application/json")
        text = json.dumps(data)
        code = _checked_status(status, None)
        _check_null_body(code, text)
        return Response.made(code, fields, text, status_text=_checked_status_text(status_text))


class Response(FetchResponse):
    """An HTTP response, as in the `workers` SDK.

    Args:
        body: text, bytes, a form, a stream, or nothing. For an async generator, see `agents_runtime.stream_response`.
        status: 200 to 599; 101 only together with `web_socket`. Without one: 200.
        status_text: the text after the status.
        headers: a dict, or a list of pairs when a name is to be repeated.
        web_socket: the client end of an accepted WebSocket.
    """

    __slots__ = ()

    def __init__(
        self,
        body: Body | JsView = None,
        status: int | None = None,
        status_text: str = "",
        headers: Headers | None = None,
        web_socket: Any = None,
    ) -> None:
        self._url = ""
        self._redirected = False
        self._used = False
        if isinstance(body, JsView) and isinstance(body.wrapped, FetchResponse):
            self._share(body.wrapped, status is not None or bool(status_text) or headers is not None)
            return
        code = 200 if not status and web_socket is None else _checked_status(status, web_socket)
        raw, content_type = taken_in(body, "Response")
        if raw is not None and code in NULL_BODY_STATUSES:
            raw = _check_null_body(code, raw)
        self._body = raw
        if headers or type(raw) is not str:
            self._fields = header_fields.with_content_type(header_fields.checked_fields(headers), content_type)
        else:
            self._fields = _TEXT_FIELDS
        self._status = code
        self._status_text = _checked_status_text(status_text) if status_text else ""
        self.web_socket = web_socket

    @classmethod
    def made(
        cls,
        status: int,
        fields: header_fields.Fields,
        body: Raw,
        *,
        status_text: str = "",
        url: str = "",
        redirected: bool = False,
        web_socket: Any = None,
    ) -> Self:
        """A response of checked parts. Internal."""
        response = cls.__new__(cls)
        response._body = body
        response._used = False
        response._fields = fields
        response._status = status
        response._status_text = status_text
        response._url = url
        response._redirected = redirected
        response.web_socket = web_socket
        return response

    def _share(self, other: FetchResponse, has_options: bool) -> None:
        if has_options:
            raise ValueError("a Response made from a JavaScript response takes no options")
        self._body, self._used, self._fields = other.body, other._used, other._fields
        self._status, self._status_text, self._url = other._status, other._status_text, other._url
        self._redirected, self.web_socket = other._redirected, other.web_socket

    def __repr__(self) -> str:
        parts = [f"status={self._status}"]
        if self._status_text:
            parts.append(f"status_text={self._status_text!r}")
        content_type = header_fields.find(self._fields, "content-type")
        if content_type is not None:
            parts.append(f"content_type={content_type!r}")
        if self._url:
            parts.append(f"url={self._url!r}")
        return f"Response({', '.join(parts)})"


def _checked_status(status: object, web_socket: object) -> int:
    if not status:
        return 200 if web_socket is None else 101
    if not isinstance(status, int):
        raise TypeError(f"status must be an int, got {type(status).__name__}")
    if web_socket is not None:
        if status != 101:
            raise ValueError(f"a response with a WebSocket has status 101, not {int(status)}")
    elif not 200 <= status <= 599:
        hint = ": it needs web_socket=" if status == 101 else ""
        raise ValueError(f"a response has a status from 200 to 599, not {int(status)}{hint}")
    return int(status)


def _checked_status_text(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"status_text must be a text, got {type(text).__name__}")
    if "\n" in text or "\r" in text or "\0" in text:
        raise TypeError("status_text contains a line break or a NUL character")
    return text


def _check_null_body(status: int, body: Raw) -> Raw:
    """The body, or None where the status allows none. Raises TypeError for content."""
    if status not in NULL_BODY_STATUSES or body is None:
        return body
    if isinstance(body, ReadableStream) or body:
        raise TypeError(f"a response with status {status} cannot have a body")
    return None
