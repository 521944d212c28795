"""Ids in the shapes the JavaScript SDK uses."""

from __future__ import annotations

from collections.abc import Callable

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
"""64 characters that need no escaping in a URL."""

CONNECTION_ID_SIZE = 21

_FROM_BYTE = bytes(ALPHABET[byte & 63] for byte in range(256))


def nanoid(random_bytes: Callable[[int], bytes], size: int = CONNECTION_ID_SIZE) -> str:
    """A random id of `size` characters, six bits of chance in each."""
    return random_bytes(size).translate(_FROM_BYTE).decode("ascii")
