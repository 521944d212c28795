"""Hibernatable WebSockets of the platform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import js
from pyodide.ffi import JsException, to_js
from workers import Response

from agents_runtime._platform.workers.http import closed_upgrade
from agents_runtime._platform.workers.values import from_json_value, to_frame
from agents_runtime.errors import SocketClosed

MAX_ATTACHMENT_BYTES = 16_384
OPEN = 1
UNSENDABLE_CODES = (1005, 1006, 1015)


class WorkersSocket:
    """One WebSocket. The platform's proxies are unhashable and made anew, so `key` tells sockets apart."""

    def __init__(self, socket: Any, table: WorkersSockets) -> None:
        self._socket = socket
        self._table = table
        self._tags: tuple[str, ...] | None = None
        self._attachment: str | None = None
        self._is_attachment_known = False
        self.key: int = socket.js_id

    @property
    def is_open(self) -> bool:
        return bool(self._socket.readyState == OPEN)

    @property
    def tags(self) -> Sequence[str]:
        if self._tags is None:
            self._tags = self._table.tags_of(self._socket)
        return self._tags

    def send(self, data: str | bytes) -> None:
        try:
            self._socket.send(to_frame(data))
        except JsException as error:
            if self.is_open:
                raise  # not for being closed: the frame is too large, say
            raise SocketClosed from error

    def close(self, code: int = 1000, reason: str = "") -> None:
        self._table.forget(self.key)
        try:
            if code in UNSENDABLE_CODES:
                self._socket.close()
            else:
                self._socket.close(code, reason)
        except JsException:
            if self.is_open:
                raise

    def read_attachment(self) -> str | None:
        if not self._is_attachment_known:
            kept = from_json_value(self._socket.deserializeAttachment())
            self._attachment = kept if isinstance(kept, str) else None
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
        self._known: dict[int, WorkersSocket] = {}

    def accept(self, tags: Sequence[str], attachment: str) -> tuple[WorkersSocket, Any]:
        client, server = js.WebSocketPair.new().object_values()
        self._ctx.acceptWebSocket(server, to_js(list(tags)))
        socket = self.wrap(server)
        socket.write_attachment(attachment)
        return socket, Response(None, status=101, web_socket=client)

    def refuse(self, code: int, reason: str) -> Response:
        return closed_upgrade(code, reason)

    def all(self, tag: str | None = None) -> list[WorkersSocket]:
        raw = self._ctx.getWebSockets() if tag is None else self._ctx.getWebSockets(tag)
        return [socket for socket in map(self.wrap, raw) if socket.is_open]

    def wrap(self, raw: Any) -> WorkersSocket:
        socket = self._known.get(raw.js_id)
        if socket is None:
            socket = WorkersSocket(raw, self)
            self._known[socket.key] = socket
        return socket

    def set_auto_response(self, request: str, response: str) -> None:
        self._ctx.setWebSocketAutoResponse(js.WebSocketRequestResponsePair.new(request, response))

    def tags_of(self, raw: Any) -> tuple[str, ...]:
        """The tags that the platform keeps with a WebSocket."""
        return tuple(self._ctx.getTags(raw))

    def forget(self, key: int) -> None:
        """Let go of a WebSocket that is being closed."""
        self._known.pop(key, None)
