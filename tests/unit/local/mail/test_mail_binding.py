"""The binding that sends a ready mail checks its envelope: what is in it goes to mail servers as it is."""

from types import SimpleNamespace
from typing import Any

import pytest

from agents_runtime.email.errors import InvalidMail
from agents_runtime.local.config_mail import SendEmailBinding
from agents_runtime.local.mail.binding import SendEmail
from agents_runtime.local.mail.message import EmailMessage


@pytest.mark.parametrize("to", ["bob@example.com\r\nRCPT TO:<eve@example.com>", "bob", "", None])
async def test_the_envelope_of_a_ready_mail_has_addresses(to):
    room: Any = SimpleNamespace(host=None)
    message: Any = EmailMessage("a@example.com", to, "From: a@example.com\r\nMessage-ID: <1@x>\r\n\r\nHi\r\n")
    with pytest.raises(InvalidMail, match=r"^to "):
        await SendEmail(room, SendEmailBinding("EMAIL")).send(message)
