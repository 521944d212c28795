"""Making an answer: a mail of its own, threaded to the one it answers, which no value can break out of. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, formataddr
from typing import TYPE_CHECKING, Any

from agents_runtime._core.ids import nanoid
from agents_runtime.email import signing
from agents_runtime.email.addresses import checked_text, domain_of
from agents_runtime.email.errors import InvalidMail
from agents_runtime.email.headers import EmailHeaders, message_ids

if TYPE_CHECKING:
    from agents_runtime.email.signing import SignedAgent

MAX_REFERENCES = 100
"""The platform answers no mail with more."""
MAX_BODY_BYTES = 5 * 1024 * 1024
RESERVED = frozenset(
    {"from", "to", "message-id", "in-reply-to", "references", "date", "mime-version", "content-type",
     "content-transfer-encoding", "bcc", "received", "return-path", "dkim-signature"}
)  # fmt: skip
"""Fields that are ours to write: with others an answer would not be one, or would not be delivered."""

_STRUCTURED = frozenset({"content-type", "content-disposition", "content-transfer-encoding", "mime-version"})
_content_type = re.compile(r"text/[a-z0-9.+-]{1,60}").fullmatch
_prefix = re.compile(r"^\s*re\s*:", re.IGNORECASE)


class _OnePiece(EmailPolicy):
    """Folds plain fields at spaces and never inside a word: ids and signatures stay whole."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:  # noqa: ANN401 - as in the standard library
        if isinstance(value, str) and value.isascii() and value.isprintable() and name.lower() not in _STRUCTURED:
            return name, value  # as it is: half the time of an answer would go into taking such fields apart
        return super().header_store_parse(name, value)

    def fold(self, name: str, value: Any) -> str:  # noqa: ANN401 - as in the standard library
        return _folded(name, str(value)) if str(value).isascii() else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:  # noqa: ANN401 - as above
        return self.fold(name, value).encode("ascii", "surrogateescape")


POLICY = _OnePiece(linesep=SMTP.linesep, max_line_length=78, cte_type="7bit")


def _folded(name: str, value: str) -> str:
    lines: list[str] = []
    line = f"{name}:"
    for word in value.split(" "):
        if len(line) + 1 + len(word) > 78 and not line.endswith(":"):
            lines.append(line)
            line = ""
        line = f"{line} {word}"
    return "\r\n".join([*lines, line]) + "\r\n"


MAX_SUBJECT_CHARS = 900
"""So much of the original's subject is kept in that of an answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an answer says."""

    text: str | None = None
    html: str | None = None
    subject: str | None = None
    content_type: str = "text/plain"
    from_name: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Original:
    """The mail that is answered."""

    sender: str
    recipient: str
    subject: str
    headers: EmailHeaders


def build(reply: Reply, to: Original, own: Mapping[str, str], message_id: str, now_ms: int) -> bytes:
    """The answer, ready to be sent.

    Args:
        own: the agent's header fields. The user's may replace these, and no others of ours.

    Raises:
        InvalidMail: something cannot stand in a mail.
    """
    for part, address in (("the sender of the answer,", to.recipient), ("the recipient of the answer,", to.sender)):
        if not address.isascii():
            raise InvalidMail(
                part,
                f"{address[:120]!r}, has letters beyond ASCII, so the mail cannot be answered: few servers take them",
            )
    mail = EmailMessage(POLICY)
    mail["From"] = formataddr((checked_text(reply.from_name, "from_name"), to.recipient))
    mail["To"] = to.sender
    mail["Subject"] = checked_text(subject_of(reply.subject, to.subject), "subject")
    mail["Date"] = format_datetime(datetime.fromtimestamp(now_ms / 1000, tz=UTC))
    mail["Message-ID"] = message_id
    thread = thread_of(to.headers)
    for name, value in {**thread, **_merged(own, reply.headers)}.items():
        mail[name] = value
    _set_body(mail, reply)
    return mail.as_bytes()


def _merged(own: Mapping[str, str], users: Mapping[str, str]) -> dict[str, str]:
    for name in users:
        if name.lower() in RESERVED:
            raise InvalidMail(f"header {name}", "is written by the library; leave it out")
    replaced = {name.lower() for name in users}
    return {**{name: value for name, value in own.items() if name.lower() not in replaced}, **users}


def _set_body(mail: EmailMessage, reply: Reply) -> None:
    text, html = reply.text, reply.html
    if text is None and html is None:
        raise InvalidMail("body", "is missing: give a text, or html")
    for what, value in (("text", text), ("html", html)):
        if value is not None and len(value.encode("utf-8", "replace")) > MAX_BODY_BYTES:
            raise InvalidMail(what, f"is longer than {MAX_BODY_BYTES:,} bytes")
    if not _content_type(reply.content_type.lower()):
        raise InvalidMail("content_type", f"must be a text/... type, not {reply.content_type!r}"[:120])
    if text is None:
        mail.set_content(_clean(html or ""), subtype="html")
        return
    mail.set_content(_clean(text), subtype=reply.content_type.lower().partition("/")[2])
    if html is not None:
        mail.add_alternative(_clean(html), subtype="html")


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def subject_of(given: str | None, original: str) -> str:
    """The subject of an answer: what was given, or `Re:` and the original's, once."""
    if given is not None:
        return given
    if not original:
        return "Re: your message"
    short = original[:MAX_SUBJECT_CHARS]  # whoever writes a subject without end is answered all the same
    return short if _prefix.match(original) else f"Re: {short}"


def thread_of(headers: EmailHeaders) -> dict[str, str]:
    """`In-Reply-To` and `References` of an answer; nothing when the original has no id."""
    own = message_ids(headers.get("message-id"))
    if not own:
        return {}
    known = message_ids(headers.get("references")) or message_ids(headers.get("in-reply-to"))[:1]
    chain = known if own[0] in known else [*known, own[0]]
    if len(chain) > MAX_REFERENCES:
        chain = [chain[0], *chain[-(MAX_REFERENCES - 1) :]]
    return {"In-Reply-To": own[0], "References": " ".join(chain)}


def new_message_id(random_bytes: Callable[[int], bytes], address: str, signed: SignedAgent | None) -> str:
    """A message id that nobody has used, in which a signature travels when there is one."""
    token = None if signed is None else signing.as_token(signed)
    return f"<{nanoid(random_bytes)}{'.' + token if token else ''}@{domain_of(address)}>"
