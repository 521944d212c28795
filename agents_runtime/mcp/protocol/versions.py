"""The revisions of the protocol, and the names and numbers that go with them.

There are two eras. Legacy revisions open with `initialize` and may have sessions. The modern one has neither: each
request says in its `_meta` which version it speaks and who asks.
"""

from __future__ import annotations

from typing import Final

V_2024_11_05: Final = "2024-11-05"
V_2025_03_26: Final = "2025-03-26"
V_2025_06_18: Final = "2025-06-18"
V_2025_11_25: Final = "2025-11-25"
MODERN_VERSION: Final = "2026-07-28"

LEGACY_VERSIONS: Final = (V_2025_11_25, V_2025_06_18, V_2025_03_26, V_2024_11_05)
"""Newest first."""

LATEST_LEGACY_VERSION: Final = V_2025_11_25
MODERN_VERSIONS: Final = (MODERN_VERSION,)
SUPPORTED: Final = (*MODERN_VERSIONS, *LEGACY_VERSIONS)
ASSUMED_VERSION: Final = V_2025_03_26
"""What a legacy client speaks that sends no version header."""

# Keys of `_meta`

META_PREFIX: Final = "io.modelcontextprotocol/"
PROTOCOL_VERSION_KEY: Final = META_PREFIX + "protocolVersion"
CLIENT_INFO_KEY: Final = META_PREFIX + "clientInfo"
CLIENT_CAPABILITIES_KEY: Final = META_PREFIX + "clientCapabilities"
LOG_LEVEL_KEY: Final = META_PREFIX + "logLevel"
SERVER_INFO_KEY: Final = META_PREFIX + "serverInfo"
SUBSCRIPTION_ID_KEY: Final = META_PREFIX + "subscriptionId"
PROGRESS_TOKEN_KEY: Final = "progressToken"
TASKS_EXTENSION: Final = META_PREFIX + "tasks"

# Names of HTTP headers, in lower case as they are looked up

VERSION_HEADER: Final = "mcp-protocol-version"
METHOD_HEADER: Final = "mcp-method"
NAME_HEADER: Final = "mcp-name"
PARAM_HEADER_PREFIX: Final = "mcp-param-"
SESSION_HEADER: Final = "mcp-session-id"
LAST_EVENT_HEADER: Final = "last-event-id"

# Error codes

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
SERVER_ERROR: Final = -32000
"""Legacy: a request that the transport refuses."""
SESSION_NOT_FOUND: Final = -32001
"""Legacy: the session is unknown or over."""
RESOURCE_NOT_FOUND: Final = -32002
"""Legacy; the modern era says INVALID_PARAMS."""
HEADER_MISMATCH: Final = -32020
MISSING_CLIENT_CAPABILITY: Final = -32021
UNSUPPORTED_PROTOCOL_VERSION: Final = -32022
URL_ELICITATION_REQUIRED: Final = -32042

MODERN_ERRORS: Final = frozenset({HEADER_MISMATCH, MISSING_CLIENT_CAPABILITY, UNSUPPORTED_PROTOCOL_VERSION})
"""Codes that only a modern server answers with: they tell a client its era."""

HTTP_STATUS: Final = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    MISSING_CLIENT_CAPABILITY: 400,
    UNSUPPORTED_PROTOCOL_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}
"""The HTTP status of a modern error answer; any other code goes with 200."""

LOG_LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""By rising severity."""


def is_modern(version: object) -> bool:
    """Whether a version is of the era without sessions."""
    return version in MODERN_VERSIONS


def is_severe_enough(level: str, least: str) -> bool:
    """Whether a log message of `level` is wanted by someone who asked for `least` and worse."""
    return LOG_LEVELS.index(level) >= LOG_LEVELS.index(least)
