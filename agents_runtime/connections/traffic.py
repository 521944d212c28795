"""What arrives on the connections of one agent: frames for the capabilities, everything else for the user's hooks."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from agents_runtime._core import wire
from agents_runtime.context import run_in

if TYPE_CHECKING:
    from agents_runtime._core.capability import FrameHandler
    from agents_runtime._core.jsonx import Json
    from agents_runtime.connections.connection import Connection
    from agents_runtime.connections.registry import ConnectionRegistry

logger = logging.getLogger("agents_runtime")

Emit = Callable[[str, "Mapping[str, Json]"], None]

UNANSWERABLE_CODES = (1005, 1006, 1015)
"""Codes that stand for the lack of one; they are never sent."""


class MessageHooks(Protocol):
    """What the user does with what arrives."""

    def on_message(self, connection: Connection, message: str | bytes, /) -> object:
        """Handle a message that is no frame of the protocol."""
        ...

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool, /) -> object:
        """Take note that a connection is gone."""
        ...


class Traffic:
    """Hands each message to whom it concerns."""

    def __init__(
        self,
        hooks: MessageHooks,
        registry: ConnectionRegistry,
        frames: Callable[[], Mapping[str, FrameHandler]],
        disconnected: Callable[[Connection], None],
        emit: Emit,
        fail: Callable[[Exception, Connection], Awaitable[object]],
    ) -> None:
        self._hooks = hooks
        self._registry = registry
        self._frames = frames
        self._handlers: Mapping[str, FrameHandler] | None = None
        self._disconnected = disconnected
        self._emit = emit
        self._fail = fail

    def receive(self, connection: Connection, message: object) -> Awaitable[None]:
        """Decide who handles a message, and return the handling to wait for."""
        if type(message) is str:
            if (frame := wire.decode(message)) is not None:
                handlers = self._handlers
                if handlers is None:
                    handlers = self._handlers = self._frames()
                kind = frame.get("type")
                handler = handlers.get(kind) if type(kind) is str else None
                if handler is not None and (work := handler(connection, frame)) is not None:
                    return work
            return self._tell(connection, message)
        return self._tell(connection, _as_bytes(message))

    async def close(self, connection: Connection, key: int, code: int, reason: str, was_clean: bool) -> None:
        """Let go of a connection that the client closed, and tell the user."""
        self._registry.remove(key)
        self._disconnected(connection)
        self._emit("disconnect", {"connectionId": connection.id, "code": code, "reason": reason})
        try:
            await run_in(connection.scope, self._hooks.on_close, connection, code, reason, was_clean)
        except Exception as error:  # whatever the user's hook raises is reported
            await self._fail(error, connection)

    async def _tell(self, connection: Connection, message: str | bytes) -> None:
        try:
            await run_in(connection.scope, self._hooks.on_message, connection, message)
        except Exception as error:  # the connection stays open
            await self._fail(error, connection)


class Closable(Protocol):
    """An end of a WebSocket."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it."""
        ...


def answer_close(end: Closable, code: int, reason: str) -> None:
    """Answer a close with its own code and reason. What a broken transport says to that interests nobody."""
    try:
        if code in UNANSWERABLE_CODES:
            end.close(1005)
        else:
            end.close(code, reason)
    except Exception as error:  # the platform's own error; the connection is gone either way
        logger.debug("a close with code %s could not be answered: %s", code, error)


def _as_bytes(message: object) -> bytes:
    """A binary message as bytes, from whatever buffer the platform hands over."""
    if isinstance(message, bytes):
        return bytes(message)
    return bytes(cast("Any", message).to_bytes())
