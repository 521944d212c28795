"""The address a person comes back to: what it says, and whether it may be believed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from agents_runtime.mcp.oauth.errors import OAuthError
from agents_runtime.mcp.oauth.urls import parse_url

if TYPE_CHECKING:
    from agents_runtime.mcp.oauth.metadata import AuthorizationServer

MAX_CALLBACK_CHARS = 16_384
MAX_FIELDS = 50
STATE_LIFETIME_MS = 10 * 60 * 1000

_STATE = re.compile(r"(?P<nonce>[A-Za-z0-9_-]{1,64})\.(?P<server_id>[A-Za-z0-9_-]{1,128})")
_READ = frozenset(("state", "code", "error", "error_description", "iss"))


@dataclass(frozen=True, slots=True)
class Callback:
    """What an authorization server answered through the browser."""

    nonce: str = field(repr=False)
    server_id: str
    code: str | None = field(default=None, repr=False)
    error: str | None = None
    error_description: str | None = None
    issuer: str | None = None


def make_state(nonce: str, server_id: str) -> str:
    """The state that comes back."""
    return f"{nonce}.{server_id}"


def split_state(state: str) -> tuple[str, str] | None:
    """`(nonce, server id)` of a state; None if it is none of ours."""
    match = _STATE.fullmatch(state)
    return None if match is None else (match["nonce"], match["server_id"])


def read_callback(url: str) -> Callback | None:
    """Read a callback; None if it is none, or says a thing twice."""
    if len(url) > MAX_CALLBACK_CHARS:
        return None
    try:
        pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name not in _READ:
            continue
        if name in fields:
            return None
        fields[name] = value
    state = split_state(fields.get("state", ""))
    if state is None:
        return None
    code, error = fields.get("code") or None, fields.get("error") or None
    return Callback(*state, code, error, fields.get("error_description"), fields.get("iss"))


def is_callback_to(url: str, callback_url: str) -> bool:
    """Whether a request came in at a callback's own address."""
    try:
        here, there = parse_url(url.partition("?")[0], "the request"), parse_url(callback_url, "the callback")
    except OAuthError:
        return False
    return here.origin == there.origin and here.path == there.path


def check_issuer(server: AuthorizationServer, recorded: str, named: str | None) -> None:
    """Refuse an answer of another authorization server than the one that was asked (RFC 9207).

    Raises:
        OAuthError: before anything else of the answer may be looked at.
    """
    if server.issuer != recorded:
        raise OAuthError("the authorization server changed while consent was given: start again")
    if named is None and server.names_itself:
        raise OAuthError("the answer does not say which authorization server it is from, though that one always does")
    if named is not None and named != recorded:
        raise OAuthError("the answer is from another authorization server than the one that was asked")
