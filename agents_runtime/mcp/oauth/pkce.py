"""Proof that whoever redeems a code is who asked for it (RFC 7636, S256)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable


def make_verifier(random_bytes: Callable[[int], bytes]) -> str:
    """A verifier of 43 characters, 256 bits of chance."""
    return _text(random_bytes(32))


def challenge_of(verifier: str) -> str:
    """What the authorization server is told of a verifier."""
    return _text(hashlib.sha256(verifier.encode("ascii")).digest())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
