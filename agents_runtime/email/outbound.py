"""What an agent sends: answers to the mail being handled, and mails of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core.capability import Capability
from agents_runtime._platform.base import mail_port
from agents_runtime.email import signing
from agents_runtime.email.addresses import (
    bare_address,
    checked_headers,
    checked_text,
    is_header_safe,
    mailboxes,
)
from agents_runtime.email.compose import MAX_BODY_BYTES, Original, Reply, build, new_message_id
from agents_runtime.email.errors import InvalidMail
from agents_runtime.email.headers import message_ids
from agents_runtime.email.inbound import describe
from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime.email.agent_email import AgentEmail
    from agents_runtime.email.signing import SignedAgent

logger = logging.getLogger("agents_runtime")

UNSET: Any = object()
"""Stands for an argument that was not given."""
AUTOMATIC = {"Auto-Submitted": "auto-replied"}
"""Tells other machines not to answer (RFC 3834)."""

_REPLY_KEYS = frozenset(
    {"to", "subject", "text", "html", "body", "content_type", "contentType", "headers", "from_name", "fromName",
     "secret"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A mail to send. The fields are those of `Agent.send_email`."""

    to: object
    from_: object
    subject: str
    text: str | None = None
    html: str | None = None
    reply_to: object = None
    cc: object = None
    bcc: object = None
    in_reply_to: str | None = None
    headers: Mapping[str, str] | None = None
    secret: str | None = None


class Sender(Capability):
    """Sends for one agent.

    Args:
        agent_name: the kebab-case name of its class.
        agent_id: gives its name.
    """

    def __init__(self, surroundings: Surroundings, agent_name: str, agent_id: str) -> None:
        self._around = surroundings
        self._agent_name = agent_name
        self._agent_id = agent_id

    async def reply(self, email: AgentEmail, reply: Reply, secret: object) -> str | None:
        """Answer a mail; the id of the answer, or None when a machine wrote it. See `Agent.reply_to_email`."""
        if email.is_secure and secret is UNSET:
            raise UsageError(
                "the mail was routed by its signature, so its answer has to be signed too: pass secret=..., the one of "
                "create_secure_reply_email_resolver, or secret=None to end that"
            )
        if email.is_auto_reply:
            logger.info("no answer to %r: a machine wrote that mail", email)
            return None
        signed = self._signed(email._agent_name, secret)  # pyright: ignore[reportPrivateUsage] # the name it was routed by
        platform = self._around.platform
        message_id = new_message_id(platform.entropy.random_bytes, email.to, signed)
        headers = {**AUTOMATIC, **self._headers(email._agent_name, signed)}  # pyright: ignore[reportPrivateUsage] # as above
        original = Original(email.from_, email.to, email.subject, email.headers)
        raw = build(reply, original, headers, message_id, platform.clock.now_ms())
        await email.reply(from_=email.to, to=email.from_, raw=raw)
        self._around.emit("email:reply", describe(email.to, email.from_, reply.subject or email.subject))
        return message_id

    async def send(self, binding: object, mail: Outgoing) -> Json:
        """Send a mail of its own. See `Agent.send_email`."""
        if binding is None or not callable(getattr(binding, "send", None)):
            raise UsageError(
                "send_email needs the binding to send through, such as self.env.EMAIL: add send_email to your wrangler "
                f"file and pass the binding, not {type(binding).__name__}"
            )
        fields = self._fields(mail)
        platform = self._around.platform
        await platform.committed()
        result: Json = await mail_port().send(binding, fields)
        self._around.emit("email:send", describe(_shown(fields["from"]), _shown(fields["to"]), mail.subject))
        return result

    def _fields(self, mail: Outgoing) -> dict[str, Any]:
        to, sender = mailboxes(mail.to, "to"), mailboxes(mail.from_, "from_")
        if not to or len(sender) != 1:
            raise InvalidMail("to" if not to else "from_", "must have an address" if not to else "must be one address")
        fields: dict[str, Any] = {
            "from": _box(sender[0]),
            "to": [address for _, address in to],
            "subject": checked_text(mail.subject, "subject"),
            "headers": self._mail_headers(mail, sender[0][1]),
        }
        for key, body in (("text", mail.text), ("html", mail.html)):
            if body is not None:
                if len(body.encode("utf-8", "replace")) > MAX_BODY_BYTES:
                    raise InvalidMail(key, f"is longer than {MAX_BODY_BYTES:,} bytes")
                fields[key] = body
        if "text" not in fields and "html" not in fields:
            raise InvalidMail("body", "is missing: give a text, or html")
        if answer_to := mailboxes(mail.reply_to, "reply_to"):
            fields["replyTo"] = _box(answer_to[0])
        for key, value in (("cc", mail.cc), ("bcc", mail.bcc)):
            if boxes := mailboxes(value, key):
                fields[key] = [address for _, address in boxes]
        return fields

    def _mail_headers(self, mail: Outgoing, sender: str) -> dict[str, str]:
        """The user's fields, over which go the agent's, and last what makes the thread and the signature."""
        users = checked_headers(mail.headers)
        for name in users:
            if name.lower() in _NOT_OWN:
                raise InvalidMail(f"header {name}", "has an argument of its own, or is written by the library")
        signed = self._signed(self._agent_name, mail.secret)
        last = self._headers(self._agent_name, signed)
        last["Message-ID"] = new_message_id(self._around.platform.entropy.random_bytes, sender, signed)
        if mail.in_reply_to is not None:
            ids = message_ids(mail.in_reply_to)
            if len(ids) != 1 or ids[0] != mail.in_reply_to.strip():
                raise InvalidMail("in_reply_to", f"is no message id in angle brackets: {mail.in_reply_to!r}"[:200])
            last["In-Reply-To"] = ids[0]
            if not any(name.lower() == "references" for name in users):
                last["References"] = ids[0]
        replaced = {name.lower() for name in last}
        return {**{name: value for name, value in users.items() if name.lower() not in replaced}, **last}

    def _signed(self, agent_name: str, secret: object) -> SignedAgent | None:
        if secret is None or secret is UNSET:
            return None
        return signing.sign(cast("str", secret), agent_name, self._agent_id, self._around.clock.now_ms())

    def _headers(self, agent_name: str, signed: SignedAgent | None) -> dict[str, str]:
        """Who wrote. Unsigned they are for people; nobody may trust them."""
        named = {signing.NAME_HEADER: agent_name, signing.ID_HEADER: self._agent_id}
        if not all(is_header_safe(value) for value in named.values()):
            if signed is not None:
                raise UsageError(f"the name {self._agent_id[:80]!r} cannot stand in a header, so pass secret=None")
            return {}
        return named if signed is None else signing.as_headers(signed)


_NOT_OWN = frozenset({"from", "to", "cc", "bcc", "subject", "reply-to", "message-id", "received", "return-path"})


def _box(mailbox: tuple[str, str]) -> str | dict[str, str]:
    name, address = mailbox
    return {"email": address, "name": name} if name else address


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in cast("list[object]", value))
    return str(cast("dict[str, str]", value)["email"]) if isinstance(value, dict) else str(value)


def unfolded(given: Mapping[str, Any], email: AgentEmail | None) -> tuple[AgentEmail, Reply, object]:
    """The dict form of `reply_to_email`: an answer to the mail that is being handled."""
    if email is None:
        raise UsageError("no mail is being handled here: reply_to_email({...}) works in on_email; else use send_email")
    if unknown := given.keys() - _REPLY_KEYS:
        raise UsageError(f"reply_to_email does not know {sorted(unknown)}; it knows {sorted(_REPLY_KEYS)}")
    to = given.get("to")
    if to is not None and bare_address(str(to)).lower() != email.from_.lower():
        raise UsageError(
            f"the mail came from {email.from_!r}, and only that address can be answered, not {to!r}: use send_email"
        )
    reply = Reply(
        text=given.get("text", given.get("body")),
        html=given.get("html"),
        subject=given.get("subject"),
        content_type=given.get("content_type", given.get("contentType", "text/plain")),
        from_name=given.get("from_name", given.get("fromName", "")),
        headers=checked_headers(given.get("headers")),
    )
    return email, reply, given.get("secret", UNSET)
