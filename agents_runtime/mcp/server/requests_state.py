"""Sealing what a client must bring back: it can be read by the client, but neither changed nor used for anything else.

A seal is an HMAC over the state, the end of its life, who asked, and a digest of what was asked. It does not prevent
that a client brings the same state twice while it lives: what must happen once is recorded in a table.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core.jsonx import dumps, loads
from agents_runtime.errors import UsageError
from agents_runtime.mcp.protocol.messages import McpError
from agents_runtime.mcp.protocol.versions import INVALID_PARAMS

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._platform.ports import Clock

MIN_KEY_SIZE = 16
DEFAULT_TTL_S = 600.0
MAX_STATE_SIZE = 256 * 1024
"""The longest sealed state, in characters."""

_PREFIX = "v1"
_OF_THE_ROUND = frozenset(("_meta", "inputResponses", "requestState"))
"""Parameters that differ between the rounds of one call."""


class Sealer:
    """Seals and opens the states of one server.

    Args:
        key: a secret of at least 16 bytes. Isolates that are to open each other's states need the same.
        clock: for the end of a state's life.
        ttl_s: how long a state lives, in seconds.
    """

    def __init__(self, key: bytes, clock: Clock, ttl_s: float = DEFAULT_TTL_S) -> None:
        if len(key) < MIN_KEY_SIZE:
            raise UsageError(f"the key that seals request states needs at least {MIN_KEY_SIZE} bytes")
        self._key = hashlib.sha256(b"agents_runtime mcp requestState\0" + key).digest()
        self._clock = clock
        self._ttl_ms = int(ttl_s * 1000)

    def seal(self, state: Json, principal: str, method: str, params: Mapping[str, Any]) -> str:
        """The state as a text that only this principal can use, for this call only.

        Raises:
            UsageError: it is too large.
        """
        expires_ms = self._clock.now_ms() + self._ttl_ms
        payload = _encode(dumps(state).encode())
        mac = self._mac(payload, expires_ms, principal, method, params)
        sealed = f"{_PREFIX}.{expires_ms}.{payload}.{_encode(mac)}"
        if len(sealed) > MAX_STATE_SIZE:
            raise UsageError(f"the state of a call has more than {MAX_STATE_SIZE:,} characters: store it, keep its key")
        return sealed

    def open(self, sealed: object, principal: str, method: str, params: Mapping[str, Any]) -> Json:
        """What was sealed.

        Raises:
            McpError: it was changed, is too old, or belongs to another caller or call.
        """
        if isinstance(sealed, str) and len(sealed) <= MAX_STATE_SIZE:
            prefix, _, rest = sealed.partition(".")
            expires, _, rest = rest.partition(".")
            payload, _, mac = rest.partition(".")
            if prefix == _PREFIX and expires.isascii() and expires.isdigit() and len(expires) < 20:
                expected = self._mac(payload, int(expires), principal, method, params)
                if hmac.compare_digest(expected, _decode(mac)) and int(expires) > self._clock.now_ms():
                    return loads(_decode(payload).decode())
        raise McpError(INVALID_PARAMS, "requestState is not valid for this request, or too old")

    def _mac(self, payload: str, expires_ms: int, principal: str, method: str, params: Mapping[str, Any]) -> bytes:
        asked = {key: value for key, value in params.items() if key not in _OF_THE_ROUND}
        bound = dumps([payload, expires_ms, principal, method, _ordered(asked)])
        return hmac.digest(self._key, bound.encode(), "sha256")


def _ordered(value: object) -> object:
    """JSON with the keys of objects in order: a client may write them in another one the next time."""
    if isinstance(value, dict):
        return {key: _ordered(part) for key, part in sorted(cast("dict[str, object]", value).items())}
    if isinstance(value, list):
        return [_ordered(part) for part in cast("list[object]", value)]
    return value


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    """The bytes of a text of ours; of any other, bytes that are no seal."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
    return data if _encode(data) == text else b""
