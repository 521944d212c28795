"""Sending on by SMTP, to a real server: at least once, tried again, given up when there is no use."""

import asyncio
import contextlib
from typing import Any

import pytest

from agents_runtime.errors import ConfigError
from agents_runtime.local.mail.outbox import DiskOutbox, MemoryOutbox, SentMail
from agents_runtime.local.mail.smtp import SmtpRelay, SmtpServer
from tests.mail_server import OK, content_of, post_office

WITHIN_S = 10.0


def mail(number=1, to=("bob@example.com",), text="Grüße", status: Any = "waiting"):
    raw = f"From: a@example.com\r\nSubject: {number}\r\n\r\n{text}\r\n".encode()
    return SentMail(f"{1_760_000_000_000 + number:013d}-abcdefghij", "send", "a@example.com", to, number, raw, status)


@contextlib.asynccontextmanager
async def relaying(url, outbox, way=SmtpServer):
    relay = SmtpRelay(way.of(url), outbox, first_pause_s=0.05)
    relay.start()
    try:
        yield relay
    finally:
        await relay.stop()


async def until(check):
    async with asyncio.timeout(WITHIN_S):
        while not check():
            await asyncio.sleep(0.01)


async def test_what_waits_and_what_comes_is_sent(tmp_path):
    outbox = DiskOutbox(tmp_path)
    outbox.add(mail(1))
    outbox.add(mail(2, status="kept"))
    with post_office() as office:
        async with relaying(office.url, outbox):
            await until(lambda: outbox.get(mail(1).id).status == "sent")
            outbox.add(mail(3, to=("bob@example.com", "eve@example.com")))
            await until(lambda: outbox.get(mail(3).id).status == "sent")
    first, second = office.taken
    assert first.content == mail(1).raw
    assert first.mail_from == "a@example.com"
    assert second.rcpt_tos == ["bob@example.com", "eve@example.com"]
    assert outbox.get(mail(2).id).status == "kept", "what was kept before there was a server stays"


async def test_a_server_that_is_busy_is_asked_again():
    outbox = MemoryOutbox()
    outbox.add(mail())
    answers = iter(["451 later", "421 busy", OK])
    with post_office(lambda envelope: next(answers)) as office:
        async with relaying(office.url, outbox):
            await until(lambda: outbox.get(mail().id).status == "sent")
    assert (office.offered, len(office.taken)) == (3, 1)
    assert outbox.get(mail().id).attempts == 3


async def test_what_is_refused_for_good_fails_and_holds_up_nothing():
    outbox = MemoryOutbox()
    outbox.add(mail(1))
    outbox.add(mail(2, to=("unknown@example.com",)))
    outbox.add(mail(3))
    with post_office(lambda envelope: "554 no" if b"Subject: 1" in content_of(envelope) else OK) as office:
        async with relaying(office.url, outbox):
            await until(lambda: outbox.get(mail(3).id).status == "sent")
    assert [one.status for one in outbox.all()] == ["failed", "failed", "sent"]
    assert "no such mailbox" in (outbox.get(mail(2).id).problem or "")
    assert len(office.taken) == 1


async def test_an_address_that_the_server_has_no_letters_for_fails_and_holds_up_nothing():
    outbox = MemoryOutbox()
    outbox.add(mail(1, to=("jürgen@example.com",)))
    outbox.add(mail(2))
    with post_office(takes_utf8=False) as office:
        async with relaying(office.url, outbox):
            await until(lambda: outbox.get(mail(2).id).status == "sent")
    first = outbox.get(mail(1).id)
    assert (first.status, first.attempts) == ("failed", 1)
    assert "takes no addresses with letters beyond ASCII" in str(first.problem)


async def test_an_address_beyond_ascii_is_sent_to_where_the_server_takes_it():
    outbox = MemoryOutbox()
    outbox.add(mail(1, to=("jürgen@example.com",)))
    with post_office() as office:
        async with relaying(office.url, outbox):
            await until(lambda: outbox.get(mail(1).id).status == "sent")
    assert office.taken[0].rcpt_tos == ["jürgen@example.com"]


class Picky(SmtpServer):
    """A way to a mail server that does not know what to do with the first mail."""

    def send(self, mail):
        if "1" in mail.subject:
            raise ValueError("no such thing in SMTP")
        return super().send(mail)


async def test_a_mail_that_cannot_be_sent_for_any_reason_holds_up_nothing():
    outbox = MemoryOutbox()
    outbox.add(mail(1))
    outbox.add(mail(2))
    with post_office() as office:
        async with relaying(office.url, outbox, Picky):
            await until(lambda: outbox.get(mail(2).id).status == "sent")
    assert outbox.get(mail(1).id).status == "failed"


async def test_some_recipients_may_be_refused():
    outbox = MemoryOutbox()
    outbox.add(mail(to=("bob@example.com", "unknown@example.com")))
    with post_office() as office:
        async with relaying(office.url, outbox):
            await until(lambda: outbox.get(mail().id).status == "sent")
    assert outbox.get(mail().id).problem == "refused for unknown@example.com"


async def test_a_server_that_is_not_there_is_waited_for():
    outbox = MemoryOutbox()
    outbox.add(mail())
    with post_office() as office:
        url = office.url
    async with relaying(url, outbox):
        await until(lambda: outbox.get(mail().id).attempts >= 2)
    assert outbox.get(mail().id).status == "waiting"


async def test_a_password_is_used():
    outbox = MemoryOutbox()
    outbox.add(mail())
    with post_office(password="open sesame") as office:
        async with relaying(f"smtp://ada:open%20sesame@127.0.0.1:{office.port}", outbox):
            await until(lambda: outbox.get(mail().id).status == "sent")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mail.example.com", "names no mail server"),
        ("http://x", "names no mail server"),
        ("smtp://", "names no mail server"),
        ("smtp://x:port", "is no URL"),
        ("smtp://ada:secret@mail.example.com", "unencrypted"),
    ],
)
def test_a_url_that_cannot_be(url, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        SmtpServer.of(url)
    assert "secret" not in str(caught.value)


def test_urls():
    assert SmtpServer.of("smtp://x").port == 25
    assert SmtpServer.of("smtps://ada:p%40ss@x") == SmtpServer("x", 465, "ada", "p@ss", True, False)
    assert SmtpServer.of("smtp://ada:p@x:587?starttls").starts_tls
