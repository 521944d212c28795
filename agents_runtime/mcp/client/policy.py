"""What a server's options say about connecting to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents_runtime._core.retry import RetryPolicy
from agents_runtime.mcp.client.listening import LISTEN_S
from agents_runtime.mcp.protocol.versions import SUPPORTED

if TYPE_CHECKING:
    from agents_runtime.mcp.client.store import ServerRow

CONNECT_RETRY = RetryPolicy(3, 500, 5_000)


def listen_s(row: ServerRow) -> float:
    """How long a stream stays open on which the server tells of changes."""
    given = row.options.get("listenSeconds")
    return given if isinstance(given, int | float) else LISTEN_S


def versions_of(row: ServerRow) -> list[str]:
    """The versions that may be agreed on, newest first."""
    given = row.client.get("supportedProtocolVersions")
    if not isinstance(given, list):
        return list(SUPPORTED)
    return [version for version in SUPPORTED if version in given]
