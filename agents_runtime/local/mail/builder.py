"""From the fields that a binding's `send` takes to a mail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from typing import Any, cast

from agents_runtime._core.ids import nanoid
from agents_runtime.email.addresses import checked_headers, checked_mailbox, checked_text, domain_of, mailboxes
from agents_runtime.email.compose import POLICY
from agents_runtime.email.errors import InvalidMail
from agents_runtime.local.entropy import Entropy

_KNOWN = frozenset({"from", "to", "cc", "bcc", "replyTo", "subject", "text", "html", "headers", "attachments"})
_OWN = frozenset({"from", "to", "cc", "bcc", "subject", "reply-to", "date", "mime-version", "content-type"})


def build(fields: Mapping[str, Any], entropy: Entropy, now_ms: int) -> tuple[str, tuple[str, ...], str, bytes]:
    """Make a mail; returns the envelope's sender and recipients, the message id, and the mail.

    Raises:
        InvalidMail: a field is missing, unknown, or cannot stand in a mail.
    """
    if unknown := fields.keys() - _KNOWN:
        raise InvalidMail("mail", f"has unknown fields: {', '.join(sorted(unknown))}")
    name, sender = checked_mailbox(fields.get("from"), "from")
    to, cc, bcc = (mailboxes(fields.get(key), key) for key in ("to", "cc", "bcc"))
    if not to:
        raise InvalidMail("to", "must have an address")
    mail = EmailMessage(POLICY)
    mail["From"] = formataddr((name, sender))
    for key, boxes in (("To", to), ("Cc", cc), ("Reply-To", mailboxes(fields.get("replyTo"), "replyTo"))):
        if boxes:
            mail[key] = ", ".join(formataddr(box) for box in boxes)
    mail["Subject"] = checked_text(fields.get("subject"), "subject")
    mail["Date"] = format_datetime(datetime.fromtimestamp(now_ms / 1000, tz=UTC))
    headers = checked_headers(fields.get("headers"))
    message_id = next((value for key, value in headers.items() if key.lower() == "message-id"), "")
    if not message_id:
        message_id = mail["Message-ID"] = f"<{nanoid(entropy.random_bytes)}@{domain_of(sender)}>"
    for key, value in headers.items():
        if key.lower() in _OWN:
            raise InvalidMail(f"header {key}", "has a field of its own")
        mail[key] = value
    _set_content(mail, fields)
    return sender, tuple(address for _, address in (*to, *cc, *bcc)), message_id, mail.as_bytes()


def _set_content(mail: EmailMessage, fields: Mapping[str, Any]) -> None:
    text, html = fields.get("text"), fields.get("html")
    if text is None and html is None:
        raise InvalidMail("mail", "has neither text nor html")
    if text is None:
        mail.set_content(str(html), subtype="html")
    else:
        mail.set_content(str(text))
        if html is not None:
            mail.add_alternative(str(html), subtype="html")
    for attachment in cast("list[Mapping[str, Any]]", fields.get("attachments") or []):
        content = attachment["content"]
        main, _, sub = str(attachment.get("type") or "application/octet-stream").partition("/")
        mail.add_attachment(
            content.encode() if isinstance(content, str) else bytes(content),
            maintype=main,
            subtype=sub or "octet-stream",
            filename=checked_text(attachment.get("filename", "attachment"), "filename"),
        )
