"""Header fields of a received mail, and what they say about who wrote it: a person or a machine. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

MAX_HOPS = 100
"""A mail with so many `Received` fields goes round in circles (RFC 5321 6.3)."""
LOOP_HEADER = "X-Loop"
"""Put into what is forwarded, so that it is known again when it comes back."""

_message_id = re.compile(r"<[^<>\s]{1,900}>")
_PRECEDENCES = frozenset({"bulk", "junk", "list"})
_SPACES = re.compile(r"\s*[\r\n]+\s*")


class EmailHeaders(Mapping[str, str]):
    """The header fields of a mail, by name in any case. Values are unfolded and otherwise as they were sent.

    `headers["Subject"]` is the first field of that name; `get_all` gives every one.
    """

    __slots__ = ("_by_name", "_pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = tuple((name, _SPACES.sub(" ", value).strip()) for name, value in pairs)
        self._by_name: dict[str, list[str]] = {}
        for name, value in self._pairs:
            self._by_name.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return self._by_name[name.lower()][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def get_all(self, name: str) -> list[str]:
        """Return every value of that name, in order; none is an empty list."""
        return list(self._by_name.get(name.lower(), ()))

    def pairs(self) -> list[tuple[str, str]]:
        """Return every field in order, names as they were written."""
        return list(self._pairs)

    def __repr__(self) -> str:
        return f"<EmailHeaders {', '.join(self._by_name)}>"[:200]


def pairs_of(headers: object) -> list[tuple[str, str]]:
    """Header fields from any usual form: ours, a mapping, pairs, or a list of `{"key": ..., "value": ...}`."""
    if isinstance(headers, EmailHeaders):
        return headers.pairs()
    items: Any = getattr(headers, "items", None)
    found = cast("Iterable[Any]", items() if callable(items) else headers)
    return [_pair(one) for one in found]


def _pair(one: Any) -> tuple[str, str]:  # noqa: ANN401 - a mapping or a pair
    if isinstance(one, Mapping):
        given = cast("Mapping[str, object]", one)
        return str(given.get("key", given.get("name", ""))), str(given.get("value", ""))
    name, value = one
    return str(name), str(value)


def is_auto_reply_email(headers: object) -> bool:
    """Whether a mail was written by a machine: an out-of-office answer, a bounce, a list. Do not answer those.

    True for `Auto-Submitted` other than exactly `no`, any `X-Auto-Response-Suppress`, and `Precedence` of `bulk`,
    `junk` or `list`, in any case.

    Args:
        headers: `email.headers`, a mapping, pairs, or a list of `{"key": ..., "value": ...}`.
    """
    for name, value in pairs_of(headers):
        match name.strip().lower():
            case "auto-submitted" if value.strip().lower() != "no":
                return True
            case "x-auto-response-suppress":
                return True
            case "precedence" if value.strip().lower() in _PRECEDENCES:
                return True
            case _:
                continue
    return False


def loop_problem(headers: EmailHeaders, recipient: str) -> str | None:
    """Why a mail is to be refused because it goes round in circles; None when it does not."""
    if len(headers.get_all("received")) > MAX_HOPS:
        return f"more than {MAX_HOPS} hops: this mail goes round in circles"
    if any(value.lower() == recipient.lower() for value in headers.get_all(LOOP_HEADER)):
        return "this mail was forwarded from here before"
    return None


def message_ids(text: str | None) -> list[str]:
    """The message ids in a `Message-ID`, `In-Reply-To` or `References` field, with their angle brackets.

    Some programs encode a long one like a text; it is decoded.
    """
    if text and "=?" in text:
        from agents_runtime.email.parsing import readable_header

        text = readable_header(text)
    return _message_id.findall(text) if text else []
