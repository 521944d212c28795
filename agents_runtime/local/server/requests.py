"""Turns an ASGI scope or a WebSocket handshake into the worker's `Request`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from agents_runtime.errors import PeerError
from agents_runtime.local.server.body import WHOLE_BYTES, BodyTooLarge, Receive, RequestBody
from agents_runtime.local.shim.request import METHODS, Request
from agents_runtime.local.shim.urls import normal_url

_good_host = re.compile(r"[A-Za-z0-9._~-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?").fullmatch
_absolute_form = re.compile(r"https?://[^/?#]*([/?].*)?", re.IGNORECASE).fullmatch
_odd_path = re.compile(r"""/\.|%2[eE]|[^!-~]|["<>`{}\\^|#]""").search


class BadRequest(PeerError):
    """Raised when a request cannot be taken.

    Attributes:
        status: the HTTP status to answer with.
    """

    code = "bad_request"

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def url_of(scheme: str, host: str, target: str) -> str:
    """The absolute URL of a request, in the platform's spelling."""
    if not target.startswith("/"):
        absolute = _absolute_form(target)
        if absolute is None:
            raise BadRequest(400, "The request target is malformed.")
        target = absolute[1] or "/"
    url = f"{scheme}://{host}{target}"
    if _odd_path(target) is None and not host.endswith((":80", ":443")) and host == host.lower():
        return url
    try:
        return normal_url(url.partition("#")[0])
    except TypeError:
        raise BadRequest(400, "The request target is malformed.") from None


def checked_host(hosts: list[str], fallback: str | None) -> str:
    """The value of the Host header; there must be exactly one."""
    if len(hosts) != 1:
        if not hosts and fallback is not None:
            return fallback
        raise BadRequest(400, "A request has exactly one Host header.")
    if _good_host(hosts[0]) is None:
        raise BadRequest(400, "The Host header is malformed.")
    return hosts[0]


class _Head:
    """What the server itself needs of the header fields, and those that the worker gets."""

    __slots__ = ("fields", "hosts", "is_chunked", "length")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self.fields: list[tuple[str, str]] = []
        self.hosts: list[str] = []
        self.length: int | None = None
        self.is_chunked = False
        for raw_name, raw_value in raw:
            value = raw_value.decode("latin-1")
            if raw_name == b"host":
                self.hosts.append(value)
            elif raw_name == b"content-length":
                self.length = int(value)
            elif raw_name == b"transfer-encoding":
                self.is_chunked = True
                continue
            elif raw_name == b"cf-connecting-ip":
                continue
            self.fields.append((raw_name.decode("latin-1"), value))


async def read_request(
    scope: Mapping[str, Any], receive: Receive, limit_bytes: int
) -> tuple[Request, RequestBody | None]:
    """The request of an ASGI scope, and its body when that is still arriving.

    Raises:
        BadRequest: the client is told the status.
        ClientGone: there is nobody to tell.
    """
    method: str = scope["method"]
    if method not in METHODS or method == "TRACE":
        raise BadRequest(501, f"The method {method} is not supported.")
    head = _Head(scope["headers"])
    if client := scope.get("client"):
        head.fields.append(("cf-connecting-ip", client[0]))
    host = checked_host(head.hosts, "localhost" if scope["http_version"] == "1.0" else None)
    target = scope["raw_path"].decode("latin-1")
    if query := scope["query_string"]:
        target = f"{target}?{query.decode('latin-1')}"
    url = url_of(scope["scheme"], host, target)
    if head.is_chunked and head.length is not None:
        raise BadRequest(400, "A request has either a Content-Length or a Transfer-Encoding.")
    length = head.length or 0
    if not length and not head.is_chunked:
        return Request.from_server(method, url, head.fields), None
    if length > limit_bytes:
        raise BadRequest(413, str(BodyTooLarge(limit_bytes)))
    body = RequestBody(receive, limit_bytes)
    if length <= WHOLE_BYTES and not head.is_chunked:
        return Request.from_server(method, url, head.fields, await body.read_whole()), None
    return Request.from_server(method, url, head.fields, body), body
