"""What is said to an HTTP request of a legacy client before any session is asked: the checks, in their order.

Pure: headers and bytes in, a decision out. Only the session itself knows whether it exists; it answers that last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from agents_runtime._core.jsonx import loads
from agents_runtime.mcp.protocol.messages import McpError, Message, Request, parse_message
from agents_runtime.mcp.protocol.versions import (
    INVALID_REQUEST,
    LAST_EVENT_HEADER,
    LEGACY_VERSIONS,
    PARSE_ERROR,
    SERVER_ERROR,
    SESSION_HEADER,
    SESSION_NOT_FOUND,
    VERSION_HEADER,
)

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_BATCH = 100
"""The most messages in one POST of an old client."""

MAX_SESSION_ID_CHARS = 128
INITIALIZE = "initialize"

JSON_TYPE = "application/json"
SSE_TYPE = "text/event-stream"

Transport = Literal["streamable-http", "sse", "auto"]
"""How clients talk to a session: with one endpoint, in the way of 2024-11-05, or either."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer to a request that goes no further: a status, and an error of JSON-RPC as body."""

    status: int
    code: int
    message: str

    def body(self) -> str:
        """The answer's text."""
        error = {"code": self.code, "message": self.message}
        return json.dumps({"jsonrpc": "2.0", "id": None, "error": error}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Opened:
    """A POST that asks for a new session."""

    message: Request


@dataclass(frozen=True, slots=True)
class Posted:
    """Messages for a session."""

    session_id: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Listening:
    """A GET that waits for what a session has to say, or goes on after an event that it has seen."""

    session_id: str
    last_event_id: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A DELETE of a session."""

    session_id: str


UNKNOWN_SESSION = Refused(404, SESSION_NOT_FOUND, "Session not found")
TOO_LARGE = Refused(413, SERVER_ERROR, f"Request body too large. Maximum size is {MAX_BODY_BYTES} bytes")


def before_body(headers: Mapping[str, str]) -> Refused | None:
    """What the headers of a POST alone decide; None: read the body. Header names are in lower case."""
    accept = headers.get("accept", "")
    if not (_accepts(accept, JSON_TYPE) and _accepts(accept, SSE_TYPE)):
        return Refused(406, SERVER_ERROR, f"Not Acceptable: Client must accept both {JSON_TYPE} and {SSE_TYPE}")
    if _media_type(headers.get("content-type", "")) != JSON_TYPE:
        return Refused(415, SERVER_ERROR, f"Unsupported Media Type: Content-Type must be {JSON_TYPE}")
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and (len(length) > 15 or int(length) > MAX_BODY_BYTES):
        return TOO_LARGE
    return None


def parse_body(body: bytes) -> tuple[Message, ...] | Refused:
    """The messages of a body; several only in the batch that old clients may send."""
    data = decode_body(body)
    return data if isinstance(data, Refused) else messages_of(data)


def decode_body(body: bytes) -> object:
    """The JSON of a body in UTF-8, or the refusal of what is none."""
    try:
        return loads(body.decode())
    except ValueError:
        return Refused(400, PARSE_ERROR, "Parse error: Invalid JSON")


def messages_of(data: object) -> tuple[Message, ...] | Refused:
    """The messages that decoded JSON stands for."""
    elements = cast("list[object]", data) if isinstance(data, list) else [data]
    if not elements or len(elements) > MAX_BATCH:
        return Refused(400, PARSE_ERROR, f"Parse error: a batch has 1 to {MAX_BATCH} messages")
    try:
        return tuple(parse_message(element) for element in elements)
    except McpError as error:
        return Refused(400, PARSE_ERROR, f"Parse error: Invalid JSON-RPC message ({error.message})")


def decide_post(headers: Mapping[str, str], messages: tuple[Message, ...]) -> Opened | Posted | Refused:
    """What becomes of the messages of a POST."""
    session_id = headers.get(SESSION_HEADER)
    opening = next((one for one in messages if isinstance(one, Request) and one.method == INITIALIZE), None)
    if opening is not None:
        if session_id is not None:
            return Refused(
                400, INVALID_REQUEST, "Invalid Request: Initialization requests must not include a sessionId"
            )
        if len(messages) > 1:
            return Refused(400, INVALID_REQUEST, "Invalid Request: Only one initialization request is allowed")
        return Opened(opening)
    checked = _session_of(headers)
    return checked if isinstance(checked, Refused) else Posted(checked, messages)


def decide_get(headers: Mapping[str, str]) -> Listening | Refused:
    """What becomes of a GET."""
    if not _accepts(headers.get("accept", ""), SSE_TYPE):
        return Refused(406, SERVER_ERROR, f"Not Acceptable: Client must accept {SSE_TYPE}")
    checked = _session_of(headers, version_first=False)
    return checked if isinstance(checked, Refused) else Listening(checked, headers.get(LAST_EVENT_HEADER))


def decide_delete(headers: Mapping[str, str]) -> Ended | Refused:
    """What becomes of a DELETE."""
    checked = _session_of(headers, version_first=False)
    return checked if isinstance(checked, Refused) else Ended(checked)


METHOD_NOT_ALLOWED = Refused(405, SERVER_ERROR, "Method not allowed: this version of the protocol has POST only")


def not_found(method: str) -> Refused:
    """The answer to any other method."""
    return Refused(404, SERVER_ERROR, f"Not found: {method[:20]} is not served here")


def is_session_id(text: str) -> bool:
    """Whether a text may be the id of a session: visible ASCII, not too long."""
    return 0 < len(text) <= MAX_SESSION_ID_CHARS and text.isascii() and text.isprintable() and " " not in text


def _session_of(headers: Mapping[str, str], *, version_first: bool = True) -> str | Refused:
    session_id = headers.get(SESSION_HEADER)
    unnamed = Refused(400, SERVER_ERROR, "Bad Request: Mcp-Session-Id header is required") if not session_id else None
    refused = (_version_refused(headers) or unnamed) if version_first else (unnamed or _version_refused(headers))
    if refused is not None:
        return refused
    return cast("str", session_id) if is_session_id(session_id or "") else UNKNOWN_SESSION


def _version_refused(headers: Mapping[str, str]) -> Refused | None:
    version = headers.get(VERSION_HEADER)
    if version is None or version in LEGACY_VERSIONS:
        return None
    supported = ", ".join(reversed(LEGACY_VERSIONS))
    return Refused(
        400,
        SERVER_ERROR,
        f"Bad Request: Unsupported protocol version: {version[:40]!r} (supported versions: {supported})",
    )


@lru_cache(maxsize=64)
def _accepts(accept: str, media_type: str) -> bool:
    family = media_type.partition("/")[0] + "/*"
    return any(_media_type(part) in (media_type, family, "*/*") for part in accept.split(","))


def _media_type(text: str) -> str:
    return text.partition(";")[0].strip().lower()
