"""A real SMTP server on loopback, in a thread of the test process."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

OK = "250 taken"


class PostOffice:
    """Takes mails, as `answer` says: a function of the envelope that gives the reply of the server.

    Attributes:
        taken: the envelopes it has taken, in order.
        offered: how often it was asked.
    """

    def __init__(self, answer: Callable[[Envelope], str] | None = None) -> None:
        self.taken: list[Envelope] = []
        self.offered = 0
        self.port = 0
        self.is_open = True
        self._answer = answer or (lambda envelope: OK)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.offered += 1
        if not (self.is_open or session.authenticated):
            return "530 who are you?"
        answer = self._answer(envelope)
        if answer.startswith("250"):
            self.taken.append(envelope)
        return answer

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if address.startswith("unknown"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return OK

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


def content_of(envelope: Envelope) -> bytes:
    """The mail itself."""
    content = envelope.content
    return content.encode() if isinstance(content, str) else content or b""


@contextmanager
def post_office(
    answer: Callable[[Envelope], str] | None = None, *, password: str | None = None, takes_utf8: bool = True
) -> Iterator[PostOffice]:
    """Run one; ended afterwards."""
    office = PostOffice(answer)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        office.port = int(probe.getsockname()[1])

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == (password or "").encode())

    options: dict[str, Any] = {"authenticator": check, "auth_require_tls": False} if password else {}
    office.is_open = password is None
    controller = Controller(office, hostname="127.0.0.1", port=office.port, enable_SMTPUTF8=takes_utf8, **options)
    controller.start()
    try:
        yield office
    finally:
        controller.stop()
