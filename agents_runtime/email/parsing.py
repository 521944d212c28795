"""Reading a received mail with the standard library, within limits that no mail bomb gets past."""

from __future__ import annotations

import logging
import re
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesFeedParser
from email.policy import EmailPolicy
from typing import Any, cast

from agents_runtime.email.errors import MailTooComplex

MAX_SIZE_BYTES = 25 * 1024 * 1024
"""The largest mail that is taken, as on the platform."""
MAX_LINES = 600_000
MAX_PARTS = 200
MAX_DEPTH = 20
MAX_HEADER_FIELDS = 1_000
MAX_PARSED_HEADER_CHARS = 8_192
"""A longer header field is not taken apart, and is a plain text."""
MAX_DECODED_CHARS = 16_384

_STRUCTURED = frozenset({"content-disposition", "content-transfer-encoding", "mime-version"})
"""Fields that the standard library itself asks for their parts. Those that cannot be read count as empty."""
logger = logging.getLogger("agents_runtime")
_end_of_head = re.compile(rb"\r?\n\r?\n|\r\r")
_fold = re.compile(r"[\r\n]+")


class _TolerantPolicy(EmailPolicy):
    """The standard policy, for which no header field is too odd: what it cannot read is a plain text."""

    def header_fetch_parse(self, name: str, value: str) -> Any:  # noqa: ANN401 - as in the standard library
        if hasattr(value, "name"):
            return value
        text = _fold.sub("", value)
        is_long = len(text) > MAX_PARSED_HEADER_CHARS
        for attempt in (*(() if is_long else (value,)), *(("",) if name.lower() in _STRUCTURED else ())):
            try:
                return super().header_fetch_parse(name, attempt)
            except Exception:  # the standard library fails on some of what is sent
                logger.debug("the field %s of a mail cannot be taken apart", name)
        return _readable(text)


POLICY = _TolerantPolicy(refold_source="none")
"""What is read is written as it came: to fold it anew would take it apart after all."""


class _Counted:
    """Makes the parts of a mail, and counts them."""

    def __init__(self) -> None:
        self.parts = 0

    def __call__(self, policy: Any = None) -> EmailMessage:  # noqa: ANN401 - as in the standard library
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise MailTooComplex("parts", MAX_PARTS)
        return EmailMessage(policy or POLICY)


def parse(raw: bytes) -> EmailMessage:
    """Read a mail. Broken ones are read as far as they go; `message.defects` tells what is wrong with them.

    Raises:
        MailTooComplex: it is too long, or has too many parts, levels, lines or header fields.
    """
    if len(raw) > MAX_SIZE_BYTES:
        raise MailTooComplex("bytes", MAX_SIZE_BYTES)
    if raw.count(b"\n") + raw.count(b"\r") > 2 * MAX_LINES:
        raise MailTooComplex("lines", MAX_LINES)
    if head_of(raw).count(b"\n") > MAX_HEADER_FIELDS:
        raise MailTooComplex("header lines", MAX_HEADER_FIELDS)
    parser = BytesFeedParser(cast("Any", _Counted()), policy=POLICY)
    try:
        parser.feed(raw)
        message = cast("EmailMessage", parser.close())
    except RecursionError as error:
        raise MailTooComplex("nested parts", MAX_DEPTH) from error
    _check_depth(message)
    return message


def head_of(raw: bytes) -> bytes:
    """The header block of a mail."""
    found = _end_of_head.search(raw)
    return raw if found is None else raw[: found.end()]


def _check_depth(message: EmailMessage) -> None:
    level: list[Any] = [message]
    for _ in range(MAX_DEPTH + 1):
        level = [part for one in level if one.is_multipart() for part in one.get_payload()]
        if not level:
            return
    raise MailTooComplex("nested parts", MAX_DEPTH)


def header_pairs(raw: bytes) -> list[tuple[str, str]]:
    """The header fields of a mail as they were sent, bytes beyond ASCII read as UTF-8 or else Latin-1."""
    pairs: list[tuple[str, str]] = []
    for line in re.split(rb"\r\n(?![ \t])|\n(?![ \t])|\r(?![ \t\n])", head_of(raw), maxsplit=MAX_HEADER_FIELDS):
        name, colon, value = line.partition(b":")
        if colon and name.strip() and name[:1] not in b" \t":
            pairs.append((name.strip().decode("latin-1"), _text_of(value)))
    return pairs


def _text_of(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _readable(value: str) -> str:
    """A header value with its encoded words decoded; as it is where that fails."""
    if len(value) > MAX_DECODED_CHARS or "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        return value


def readable_header(value: str | None) -> str:
    """A header value for people: unfolded, decoded, without control characters. Empty when there is none."""
    text = _readable(_fold.sub("", value or ""))
    return "".join(char if char.isprintable() else " " for char in text).strip()


def text_body(message: EmailMessage, kind: str) -> str | None:
    """The body of a mail, `plain` or `html`, in its own character set as far as that is known; None: it has none."""
    part = message.get_body((kind,))
    if part is None:
        return None
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset() or "utf-8"
    try:
        text = data.decode(charset, "replace")
    except (LookupError, ValueError):
        text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n")
