"""What one client may ask of the server. Everything has a bound."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the server. A client beyond one is told so by status or close code, and cut off.

    Attributes:
        max_head_bytes: request line and headers together; 431 beyond.
        max_body_bytes: a request body; 413 beyond.
        head_timeout_s: time to send the head of the first request; the connection is closed then.
        body_timeout_s: a body of which nothing arrives for so long ends the connection.
        keep_alive_s: an idle HTTP connection is closed after this.
        max_message_bytes: one WebSocket message; close code 1009 beyond.
        max_unread_bytes: what may wait for a WebSocket client that does not read; close code 1013 beyond.
        max_backlog_frames: messages of one WebSocket not yet handled; beyond, the server stops reading from it.
        max_backlog_bytes: the same, by size.
        close_timeout_s: how long a closing handshake may take.
        ping_interval_s: a WebSocket silent for so long is sent a ping; silent as long again, it is dropped.
    """

    max_head_bytes: int = 64 * KIB
    max_body_bytes: int = 100_000_000
    head_timeout_s: float = 30.0
    body_timeout_s: float = 60.0
    keep_alive_s: float = 75.0
    max_message_bytes: int = 32 * MIB
    max_unread_bytes: int = 64 * MIB
    max_backlog_frames: int = 1_000
    max_backlog_bytes: int = 16 * MIB
    close_timeout_s: float = 5.0
    ping_interval_s: float = 20.0
