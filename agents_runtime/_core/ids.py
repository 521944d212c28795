"""Ids: random ones in the shapes the JavaScript SDK uses, and such that sort by time."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
"""64 characters that need no escaping in a URL."""

CONNECTION_ID_SIZE = 21

_IN_ORDER = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
)
_LETTER_FIRST = 1 << 46
_FROM_BYTE = bytes(ALPHABET[byte & 63] for byte in range(256))


def nanoid(random_bytes: Callable[[int], bytes], size: int = CONNECTION_ID_SIZE) -> str:
    """A random id of `size` characters, six bits of chance in each."""
    return random_bytes(size).translate(_FROM_BYTE).decode("ascii")


class OrderedIds:
    """Makes ids of 16 characters that sort in the order in which they were made.

    Rows with such keys lie side by side, so that many are written, found and deleted together, however many others
    there are. The first half is a time in milliseconds, which runs ahead when there are more; the second is chance.
    """

    __slots__ = ("_last_ms", "_random_bytes")

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._last_ms = -1

    def make(self, now_ms: int) -> str:
        """The next id."""
        self._last_ms = last_ms = max(now_ms, self._last_ms + 1)
        code = b2a_base64((_LETTER_FIRST | last_ms).to_bytes(6, "big") + self._random_bytes(6), newline=False)
        return code.translate(_IN_ORDER).decode("ascii")
