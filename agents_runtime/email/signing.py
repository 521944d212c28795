"""The signature that lets an answer find its way back to the agent that wrote, and nobody else's mail. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agents_runtime.errors import UsageError

NAME_HEADER = "X-Agent-Name"
ID_HEADER = "X-Agent-ID"
SIGNATURE_HEADER = "X-Agent-Sig"
TIME_HEADER = "X-Agent-Sig-Ts"

DEFAULT_MAX_AGE_S = 30 * 24 * 60 * 60
MAX_AHEAD_S = 300
"""How far the clock of the signer may be ahead."""
MAX_TOKEN_CHARS = 700

SignatureProblem = Literal["missing_headers", "expired", "invalid", "malformed_timestamp"]


@dataclass(frozen=True, slots=True)
class SignedAgent:
    """Which agent signed a mail, and when."""

    agent_name: str
    agent_id: str
    timestamp: str
    signature: str


def signature_of(secret: str, agent_name: str, agent_id: str, timestamp: str) -> str:
    """HMAC-SHA256 of `name:id:timestamp`, in base64."""
    text = f"{agent_name}:{agent_id}:{timestamp}".encode()
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode("ascii")


def sign(secret: str, agent_name: str, agent_id: str, now_ms: int) -> SignedAgent:
    """Sign for an agent.

    Raises:
        UsageError: something is empty, or a name has a colon, which separates the parts of what is signed.
    """
    for what, value in (("secret", secret), ("agent name", agent_name), ("agent id", agent_id)):
        if not value:
            raise UsageError(f"the {what} to sign e-mail with is empty")
    for what, value in (("agent name", agent_name), ("agent id", agent_id)):
        if ":" in value:
            raise UsageError(f"the {what} {value[:80]!r} has a colon, so its e-mail cannot be signed: pass secret=None")
    timestamp = str(now_ms // 1000)
    return SignedAgent(agent_name, agent_id, timestamp, signature_of(secret, agent_name, agent_id, timestamp))


def sign_agent_headers(secret: str, agent_name: str, agent_id: str, *, now_ms: int) -> dict[str, str]:
    """Make the header fields that `create_secure_reply_email_resolver` trusts.

    `reply_to_email` and `send_email` add them by themselves when they are given a secret. `now_ms` is the time in
    milliseconds since the epoch.

    Raises:
        UsageError: something is empty, or a name has a colon.
    """
    return as_headers(sign(secret, agent_name, agent_id, now_ms))


def as_headers(signed: SignedAgent) -> dict[str, str]:
    """The four header fields of a signature."""
    return {
        NAME_HEADER: signed.agent_name,
        ID_HEADER: signed.agent_id,
        SIGNATURE_HEADER: signed.signature,
        TIME_HEADER: signed.timestamp,
    }


def from_headers(headers: Mapping[str, str]) -> SignedAgent | None:
    """The signature in a mail's own header fields; None when one of the four is missing or empty."""
    values = [headers.get(name.lower(), "") for name in (NAME_HEADER, ID_HEADER, TIME_HEADER, SIGNATURE_HEADER)]
    return SignedAgent(*values) if all(values) else None


def check(signed: SignedAgent, secret: str, max_age_s: int, now_ms: int) -> SignatureProblem | None:
    """What is wrong with a signature; None when it is good. Takes the same time for every wrong one."""
    if not (signed.timestamp.isascii() and signed.timestamp.isdigit() and len(signed.timestamp) <= 15):
        return "malformed_timestamp"
    age_s = now_ms // 1000 - int(signed.timestamp)
    if age_s < -MAX_AHEAD_S:
        return "invalid"
    if age_s > max_age_s:
        return "expired"
    expected = signature_of(secret, signed.agent_name, signed.agent_id, signed.timestamp)
    is_good = hmac.compare_digest(expected.encode(), signed.signature.encode("utf-8", "surrogatepass"))
    return None if is_good and ":" not in signed.agent_name + signed.agent_id else "invalid"


def as_token(signed: SignedAgent) -> str | None:
    """The signature as part of a message id, which mail programs send back. None: it would be too long."""
    text = f"{signed.agent_name}:{signed.agent_id}:{signed.timestamp}:{signed.signature}"
    token = base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")
    return token if len(token) <= MAX_TOKEN_CHARS else None


def from_message_id(message_id: str) -> SignedAgent | None:
    """The signature in a message id of ours, unchecked; None when there is none."""
    token = message_id.strip("<>").rpartition("@")[0].partition(".")[2]
    if not token or len(token) > MAX_TOKEN_CHARS:
        return None
    try:
        parts = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().split(":")
    except (ValueError, binascii.Error):
        return None
    return SignedAgent(*parts) if len(parts) == 4 and all(parts) else None
