"""The HTTP protocol on httptools, which has no limit of its own for the head of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from agents_runtime.local.server.guard import TOO_LARGE, Guard

if TYPE_CHECKING:
    from agents_runtime.local.server.limits import Limits

_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(TOO_LARGE), TOO_LARGE)
)


class GuardedHttpTools(Guard, HttpToolsProtocol):
    """httptools with bounds."""

    def __init__(self, limits: Limits, **options: Any) -> None:
        self.limits = limits
        self._head_bytes = 0
        self._is_in_head = True
        self._is_too_large = False
        super().__init__(**options)

    def data_received(self, data: bytes) -> None:
        was_in_head, before = self._is_in_head, self._head_bytes
        super().data_received(data)
        if was_in_head and self._is_in_head and self._head_bytes == before:
            self._head_bytes += len(data)  # part of a field that has not ended yet
            if self._head_bytes > self.limits.max_head_bytes and not self.transport.is_closing():
                self._is_too_large = True
                self.send_400_response("")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if self._is_too_large:
            self.transport.write(_REFUSAL)
            self.transport.close()
        else:
            super().send_400_response(msg)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self.limits.max_head_bytes:
            self._is_too_large = True
            raise ValueError("the head is too large")  # makes the parser give up and report a bad request
