"""Addresses and header fields: taken apart, and checked before they leave. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from agents_runtime.email.errors import InvalidMail

MAX_LOCAL_CHARS = 64
MAX_DOMAIN_CHARS = 253
MAX_ADDRESS_CHARS = 320
MAX_HEADER_BYTES = 16_384
"""The longest value of a header field that is sent."""
MAX_HEADERS = 100
"""So many header fields of one's own may a mail have."""
MAX_RECIPIENTS = 50

_bad = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]").search
_field_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,76}").fullmatch
_address = re.compile(r"[^\s<>()\[\],;:\\\"@]+@[^\s<>()\[\],;:\\\"@]+").fullmatch
_quoted_address = re.compile(r"\"[^\"\\]+\"@[^\s<>()\[\],;:\\\"@]+").fullmatch
_named = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<address>[^<>]*)>\s*").fullmatch


def split_address(address: str) -> tuple[str, str, str] | None:
    """Take `local+sub@domain` apart; the sub-address may be empty. None: that is no address to route by."""
    local, at, domain = address.partition("@")
    if not at or not 0 < len(domain) <= MAX_DOMAIN_CHARS or _bad(address) or "@" in domain:
        return None
    local, plus, sub = local.partition("+")
    if not 0 < len(local) <= MAX_LOCAL_CHARS or (plus and not 0 < len(sub) <= MAX_LOCAL_CHARS):
        return None
    return local, sub, domain


def domain_of(address: str) -> str:
    """What stands behind the last @."""
    return address.rpartition("@")[2]


def bare_address(text: str) -> str:
    """The address in `Name <address>`, or the text itself."""
    found = _named(text)
    return (found["address"] if found else text).strip()


def checked_address(value: object, part: str) -> str:
    """Return a bare address that may stand in an envelope.

    Raises:
        InvalidMail: it is none, or could change the mail around it.
    """
    if not isinstance(value, str):
        raise InvalidMail(part, f"must be an address as text, not {type(value).__name__}")
    text = value.strip()
    if _bad(value) or len(text) > MAX_ADDRESS_CHARS or not (_address(text) or _quoted_address(text)):
        raise InvalidMail(part, f"is no e-mail address: {value!r}"[:200])
    return text


def checked_mailbox(value: object, part: str) -> tuple[str, str]:
    """Return the display name (perhaps empty) and address of a text or a `{"email": ..., "name": ...}`."""
    if isinstance(value, Mapping):
        given = cast("Mapping[str, object]", value)
        name, address = given.get("name") or "", given.get("email")
        return checked_text(name, f"the name in {part}"), checked_address(address, part)
    if isinstance(value, str) and (found := _named(value)):
        return checked_text(found["name"].strip('"'), f"the name in {part}"), checked_address(found["address"], part)
    return "", checked_address(value, part)


def mailboxes(value: object, part: str) -> list[tuple[str, str]]:
    """Return one or several mailboxes, at most `MAX_RECIPIENTS`."""
    if value is None:
        return []
    many = cast("list[object]", list(value) if isinstance(value, list | tuple) else [value])  # pyright: ignore[reportUnknownArgumentType] # any items
    if len(many) > MAX_RECIPIENTS:
        raise InvalidMail(part, f"has {len(many)} addresses, more than {MAX_RECIPIENTS}")
    return [checked_mailbox(one, part) for one in many]


def checked_text(value: object, part: str) -> str:
    """Return a text that fits in one header field.

    Raises:
        InvalidMail: it has line breaks or other control characters, which would start a field of their own.
    """
    if not isinstance(value, str):
        raise InvalidMail(part, f"must be a text, not {type(value).__name__}")
    if _bad(value):
        raise InvalidMail(part, "has a line break or another control character, which a header must not have")
    if len(value.encode()) > MAX_HEADER_BYTES:
        raise InvalidMail(part, f"is longer than {MAX_HEADER_BYTES:,} bytes")
    return value


def checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return header fields of the user's own, none of which can smuggle in another.

    Raises:
        InvalidMail: a name or a value cannot stand in a header.
    """
    checked: dict[str, str] = {}
    for name, value in (headers or {}).items():
        if not _field_name(str(name)):
            raise InvalidMail("headers", f"has a field that cannot be named {name!r}"[:120])
        checked[name] = checked_text(value, f"header {name}")
    if len(checked) > MAX_HEADERS:
        raise InvalidMail("headers", f"has {len(checked)} fields, more than {MAX_HEADERS}")
    return checked


def is_header_safe(text: str) -> bool:
    """Whether a text can stand in a header as it is: short, printable, ASCII."""
    return len(text) <= 512 and text.isascii() and text.isprintable() and text == text.strip()
