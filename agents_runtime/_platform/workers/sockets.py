"""Hibernatable WebSockets of the platform."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from js import WebSocketPair, WebSocketRequestResponsePair
from pyodide.ffi import JsException, to_js
from workers import Response

from agents_runtime._platform.workers.values import from_json_value, to_frame
from agents_runtime.errors import SocketClosed

MAX_ATTACHMENT_BYTES = 16_384
OPEN = 1
UNSENDABLE_CODES = (1005, 1006, 1015)

_keys = itertools.count(1)


class WorkersSocket:
    """One WebSocket. The platform's proxies are unhashable and made anew, so `key` tells sockets apart."""

    def __init__(self, socket: Any, tags: Sequence[str]) -> None:
        self._socket = socket
        self._attachment: str | None = None
        self._is_attachment_known = False
        self.key = next(_keys)
        self.tags = tags

    @property
    def is_open(self) -> bool:
        return bool(self._socket.readyState == OPEN)

    def is_same(self, raw: Any) -> bool:
        """Whether `raw` is this WebSocket."""
        return bool(self._socket == raw)

    def refresh(self, raw: Any) -> None:
        """Use the platform's newest object for this WebSocket."""
        self._socket = raw

    def send(self, data: str | bytes) -> None:
        try:
            self._socket.send(to_frame(data))
        except JsException as error:
            raise SocketClosed from error

    def close(self, code: int = 1000, reason: str = "") -> None:
        try:
            if code in UNSENDABLE_CODES:
                self._socket.close()
            else:
                self._socket.close(code, reason)
        except JsException:
            return  # closed already

    def read_attachment(self) -> str | None:
        if not self._is_attachment_known:
            self._attachment = from_json_value(self._socket.deserializeAttachment())
            self._is_attachment_known = True
        return self._attachment

    def write_attachment(self, text: str) -> None:
        size = len(text.encode())
        if size > MAX_ATTACHMENT_BYTES:
            raise ValueError(
                f"A WebSocket 'attachment' cannot be larger than {MAX_ATTACHMENT_BYTES} bytes. "
                f"'attachment' was {size} bytes."
            )
        self._socket.serializeAttachment(text)
        self._attachment, self._is_attachment_known = text, True


class WorkersSockets:
    """The port's `Sockets`."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx
        self._known: list[WorkersSocket] = []

    def accept(self, tags: Sequence[str], attachment: str) -> tuple[WorkersSocket, Any]:
        client, server = WebSocketPair.new().object_values()
        self._ctx.acceptWebSocket(server, to_js(list(tags)))
        socket = WorkersSocket(server, tuple(tags))
        socket.write_attachment(attachment)
        self._known.append(socket)
        return socket, Response(None, status=101, web_socket=client)

    def all(self, tag: str | None = None) -> list[WorkersSocket]:
        raw = self._ctx.getWebSockets() if tag is None else self._ctx.getWebSockets(tag)
        sockets = [self.wrap(socket) for socket in raw]
        if tag is None:
            self._known = sockets.copy()
        return [socket for socket in sockets if socket.is_open]

    def wrap(self, raw: Any) -> WorkersSocket:
        for socket in self._known:
            if socket.is_same(raw):
                socket.refresh(raw)
                return socket
        socket = WorkersSocket(raw, tuple(self._ctx.getTags(raw)))
        self._known.append(socket)
        return socket

    def set_auto_response(self, request: str, response: str) -> None:
        self._ctx.setWebSocketAutoResponse(WebSocketRequestResponsePair.new(request, response))
