"""The opening handshake of a WebSocket, without I/O: read the request, refuse a bad one, write the answer."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from agents_runtime.errors import PeerError

Fields = list[tuple[str, str]]

_ACCEPT_SALT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""The constant of RFC 6455, section 1.3."""

_CONNECTION_FIELDS = frozenset(
    {
        "connection", "upgrade", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
        "content-length", "sec-websocket-accept", "sec-websocket-extensions",
    }
)  # fmt: skip
"""Header fields that belong to the connection; a worker cannot set them."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """A request to open a WebSocket. Header names are in lower case."""

    method: str
    target: str
    headers: Fields
    client: str = ""
    is_secure: bool = False

    def get(self, name: str) -> str | None:
        """The value of a header, repeated ones joined by commas."""
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None


class BadHandshake(PeerError):
    """Raised when a request to open a WebSocket breaks the protocol.

    Attributes:
        status: the HTTP status to answer with.
        headers: header fields to answer with.
    """

    code = "bad_handshake"

    def __init__(self, status: int, message: str, headers: Fields | None = None) -> None:
        self.status = status
        self.headers = headers or []
        super().__init__(message)


def parse_head(head: bytes, *, client: str = "", is_secure: bool = False) -> Handshake:
    """Read a request head that an HTTP parser has accepted before. `client` is the address it came from."""
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers: Fields = []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name and (name := name.strip().lower()) != "cf-connecting-ip":
            headers.append((name, value.strip()))
    return Handshake(method, target, headers, client, is_secure)


def accept(handshake: Handshake) -> str:
    """The value of `Sec-WebSocket-Accept`.

    Raises:
        BadHandshake: the request is no valid handshake.
    """
    if handshake.method != "GET":
        raise BadHandshake(405, "A WebSocket is opened with GET.", [("allow", "GET")])
    if handshake.get("sec-websocket-version") != "13":
        raise BadHandshake(426, "Only WebSocket version 13 is spoken here.", [("sec-websocket-version", "13")])
    key = handshake.get("sec-websocket-key") or ""
    try:
        is_valid = len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        is_valid = False
    if not is_valid:
        raise BadHandshake(400, "The header Sec-WebSocket-Key is missing or malformed.")
    digest = hashlib.sha1(f"{key}{_ACCEPT_SALT}".encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def accepted_head(
    accept_value: str, headers: Iterable[tuple[str, str]], defaults: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """The head of the 101 response. `headers` are the worker's; it may choose the sub-protocol among them."""
    own: Fields = [("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", accept_value)]
    return response_head(101, [*own, *worker_fields(headers)], defaults)


def worker_fields(headers: Iterable[tuple[str, str]]) -> Fields:
    """What a worker's header fields leave when those of the connection are taken out."""
    return [(name, value) for name, value in headers if name.lower() not in _CONNECTION_FIELDS]


def response_head(status: int, headers: Iterable[tuple[str, str]], defaults: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A response head as bytes; `defaults` are header fields every response of the server has."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    lines = [f"HTTP/1.1 {status} {phrase}".encode()]
    lines += [name + b": " + value for name, value in defaults]
    lines += [f"{name}: {value}".encode("latin-1", "replace") for name, value in headers]
    return b"\r\n".join([*lines, b"", b""])
