"""Which era a server is of: a modern request tells, and `initialize` opens the session of an older one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from agents_runtime.mcp.client.errors import HttpRefusal, McpTimeout, ProtocolFailure
from agents_runtime.mcp.protocol.messages import McpError, Params
from agents_runtime.mcp.protocol.versions import (
    LEGACY_VERSIONS,
    MODERN_ERRORS,
    MODERN_VERSIONS,
    UNSUPPORTED_PROTOCOL_VERSION,
)

if TYPE_CHECKING:
    from agents_runtime.mcp.client.session import Session

OPEN_TIMEOUT_S = 20.0
PROBE_TIMEOUT_S = 10.0
"""Some older servers never answer what they do not know; then `initialize` is tried."""


async def open_session(session: Session, versions: Sequence[str]) -> None:
    """Agree on a version, one of `versions`, newest first; and open a session if the version has them.

    Raises:
        McpError: the server refused.
        HttpRefusal: the same, by HTTP; 404 and 405 may mean that it speaks an older transport.
        RemoteError: it could not be reached, or speaks no version of these.
    """
    legacy = [version for version in versions if version in LEGACY_VERSIONS]
    modern = [version for version in versions if version in MODERN_VERSIONS]
    if session.transport.kind != "streamable-http" and legacy:
        modern = []
    if modern and await _discovered(session, modern, has_other=bool(legacy)):
        return
    if not legacy:
        raise ProtocolFailure(f"the server does not speak {', '.join(modern)}")
    await _initialize(session, legacy)


async def _discovered(session: Session, versions: Sequence[str], *, has_other: bool) -> bool:
    """Whether the server is modern; then it has told what it can."""
    version = versions[0]
    for _ in range(2):
        session.transport.version = version
        try:
            result = await session.request(
                "server/discover", timeout_s=PROBE_TIMEOUT_S if has_other else OPEN_TIMEOUT_S
            )
        except (McpError, HttpRefusal, McpTimeout, ProtocolFailure) as error:
            known = _versions_in(error)
            shared = next((each for each in versions if each in known), None)
            if shared is not None:
                version = shared
                continue
            session.transport.version = None
            if not has_other or (isinstance(error, McpError) and _is_modern_error(error)):
                raise
            return False
        supported = result.get("supportedVersions")
        shared = next((each for each in versions if isinstance(supported, list) and each in supported), None)
        session.transport.version = shared
        if shared is not None:
            session.server = result
            return True
        return False
    session.transport.version = None
    raise ProtocolFailure("the server refuses the version that it asks for")


def _is_modern_error(error: McpError) -> bool:
    """Whether only a modern server says so; a refused version may have older ones beside it."""
    return error.error_code in MODERN_ERRORS - {UNSUPPORTED_PROTOCOL_VERSION}


def _versions_in(error: Exception) -> list[object]:
    """The versions that a server offers instead of the refused one."""
    if not isinstance(error, McpError) or error.error_code != UNSUPPORTED_PROTOCOL_VERSION:
        return []
    supported = cast("Params", error.data).get("supported") if isinstance(error.data, dict) else None
    return cast("list[object]", supported) if isinstance(supported, list) else []


async def _initialize(session: Session, versions: Sequence[str]) -> None:
    session.transport.version = None
    client = session.client
    params = {"protocolVersion": versions[0], "capabilities": client.capabilities, "clientInfo": client.info}
    result = await session.request("initialize", params, timeout_s=OPEN_TIMEOUT_S)
    version = result.get("protocolVersion")
    if version not in versions:
        raise ProtocolFailure(f"the server speaks the version {str(version)[:40]!r}, which this client does not")
    session.transport.version = cast("str", version)
    session.server = result
    await session.notify("notifications/initialized")
