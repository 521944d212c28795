"""Mails in a test: made, delivered as a mail server would, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import TYPE_CHECKING

from agents_runtime.email.addresses import bare_address, domain_of
from agents_runtime.email.compose import POLICY

if TYPE_CHECKING:
    from agents_runtime.local.host import Host
    from agents_runtime.local.mail.outbox import SentMail

AGENT_ADDRESS = "agent@example.com"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a mail that a test delivered.

    Attributes:
        rejected: the reason why the worker refused it; None: it took it.
        replies: what it answered.
        forwards: what it passed on.
    """

    rejected: str | None
    replies: tuple[SentMail, ...]
    forwards: tuple[SentMail, ...]

    @property
    def reply(self) -> SentMail:
        """The one answer. Raises AssertionError if there is none, or several."""
        assert len(self.replies) == 1, f"there are {len(self.replies)} answers"
        return self.replies[0]


def made(
    sender: str, recipient: str, subject: str, text: str, html: str | None, headers: Mapping[str, str], unique: int
) -> bytes:
    """A mail as a usual mail program writes it."""
    mail = EmailMessage(POLICY)
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, subject
    if not any(name.lower() == "message-id" for name in headers):
        mail["Message-ID"] = f"<test-{unique}@{domain_of(bare_address(sender))}>"
    for name, value in headers.items():
        mail[name] = value
    mail.set_content(text)
    if html is not None:
        mail.add_alternative(html, subtype="html")
    return mail.as_bytes()


async def deliver(host: Host, target: str | tuple[str, str], sender: str, raw: bytes) -> Delivery:
    """Hand a mail to the worker by its address, or to one agent (binding, name). Raises what the handler raised."""
    room = host.mail
    before = {mail.id for mail in room.outbox.all()}
    if isinstance(target, str):
        message = room.receive(sender, target, raw)
        await room.deliver(message)
    else:
        from agents_runtime.email.resolvers import create_catch_all_email_resolver
        from agents_runtime.email.route import route_agent_email

        message = room.receive(sender, AGENT_ADDRESS, raw)
        host.enter_worker()
        await route_agent_email(message, host.env, create_catch_all_email_resolver(*target))
    new = [mail for mail in room.outbox.all() if mail.id not in before]
    replies = tuple(mail for mail in new if mail.kind == "reply")
    return Delivery(message.reason, replies, tuple(mail for mail in new if mail.kind == "forward"))
