"""What a modern request says about itself in `_meta`, and the headers that must repeat it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from agents_runtime.mcp.protocol.headers import check_param_headers, check_routing_headers
from agents_runtime.mcp.protocol.messages import McpError, is_object
from agents_runtime.mcp.protocol.versions import (
    CLIENT_CAPABILITIES_KEY,
    CLIENT_INFO_KEY,
    INVALID_PARAMS,
    LOG_LEVEL_KEY,
    LOG_LEVELS,
    METHOD_HEADER,
    MODERN_VERSIONS,
    NAME_HEADER,
    PROTOCOL_VERSION_KEY,
    UNSUPPORTED_PROTOCOL_VERSION,
    VERSION_HEADER,
    is_modern,
)
from agents_runtime.mcp.server.caller import Caller

if TYPE_CHECKING:
    from agents_runtime.mcp.protocol.headers import MirroredParam
    from agents_runtime.mcp.protocol.messages import Params, Request
    from agents_runtime.mcp.server.auth import AuthInfo

HeaderOf = Callable[[str], "str | None"]
"""Looks up a header by its lower-case name."""


def looks_modern(version_header: str | None, data: object) -> bool:
    """Whether a decoded body is to be answered as a modern request, a wrong one included."""
    if is_modern(version_header):
        return True
    params: object = cast("Params", data).get("params") if isinstance(data, dict) else None
    meta: object = cast("Params", params).get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and PROTOCOL_VERSION_KEY in meta


def caller_of(request: Request, header_of: HeaderOf | None = None, auth: AuthInfo | None = None) -> Caller:
    """Who sends a modern request.

    Args:
        request: the message.
        header_of: its HTTP headers, to be compared with it; None where there are none.
        auth: what is known about the authorization.

    Raises:
        McpError: something is missing, contradicts itself, or the version is not spoken.
    """
    meta: object = request.params.get("_meta")
    if not is_object(meta):
        raise McpError(INVALID_PARAMS, "Invalid params: _meta must be an object that says version and capabilities")
    for key in (PROTOCOL_VERSION_KEY, CLIENT_CAPABILITIES_KEY):
        if key not in meta:
            raise McpError(INVALID_PARAMS, f"Invalid params: _meta lacks {key}")
    version, capabilities = meta[PROTOCOL_VERSION_KEY], meta[CLIENT_CAPABILITIES_KEY]
    info, level = meta.get(CLIENT_INFO_KEY), meta.get(LOG_LEVEL_KEY)
    if header_of is not None:
        names = (VERSION_HEADER, METHOD_HEADER, NAME_HEADER)
        check_routing_headers(_present(header_of, names), version, request.method, request.params)
    if not isinstance(version, str) or not isinstance(capabilities, dict) or not (info is None or is_object(info)):
        raise McpError(INVALID_PARAMS, "Invalid params: the version in _meta is a text, the others are objects")
    if level is not None and level not in LOG_LEVELS:
        raise McpError(INVALID_PARAMS, f"Invalid params: {LOG_LEVEL_KEY} must be one of {', '.join(LOG_LEVELS)}")
    check_version(version)
    return Caller(version, info, cast("Params", capabilities), auth, level)


def check_version(version: str) -> None:
    """Raise McpError for a version that is no modern one."""
    if not is_modern(version):
        data: Any = {"supported": list(MODERN_VERSIONS), "requested": version[:100]}
        raise McpError(UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version", data)


def check_mirrored(mirrored: tuple[MirroredParam, ...], request: Request, header_of: HeaderOf) -> None:
    """Compare the headers of a tool's parameters with the arguments of a call. Raises McpError."""
    arguments: object = request.params.get("arguments") or {}
    if mirrored and is_object(arguments):
        found = _present(header_of, tuple(param.header.lower() for param in mirrored))
        check_param_headers(mirrored, arguments, found)


def _present(header_of: HeaderOf, names: tuple[str, ...]) -> Mapping[str, str]:
    values = {name: header_of(name) for name in names}
    return {name: value.strip(" \t") for name, value in values.items() if value is not None}
