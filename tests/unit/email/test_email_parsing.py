"""Received mails: a corpus of odd ones, whatever the standard library can write, and bombs."""

import email.policy
import time
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.email.agent_email import AgentEmail
from agents_runtime.email.errors import MailTooComplex
from agents_runtime.email.headers import EmailHeaders
from agents_runtime.email.parsing import MAX_DEPTH, MAX_PARTS, header_pairs, parse, readable_header

BOMB_LIMIT_S = 10.0
"""Many times what each bomb takes, and far less than it would without limits."""


async def nothing(action):
    return None


def received(raw):
    raw = raw if isinstance(raw, bytes) else raw.encode()
    headers = EmailHeaders(header_pairs(raw))
    return AgentEmail(
        "ada@example.com", "desk@example.org", headers, raw, agent_name="desk", is_secure=False, ask=nothing
    )


CORPUS = {
    "plain": ("Subject: hi\r\n\r\nhello\r\n", "hi", "hello\n", None),
    "bare line feeds": ("Subject: hi\n\nhello\n", "hi", "hello\n", None),
    "no body": ("Subject: hi\r\n\r\n", "hi", "", None),
    "no header at all": ("\r\nhello\r\n", "", "hello\n", None),
    "head without an end": ("Subject: hi", "hi", "", None),
    "no subject": ("From: a@b\r\n\r\nx", "", "x", None),
    "two subjects": ("Subject: one\r\nSubject: two\r\n\r\nx", "one", "x", None),
    "folded subject": ("Subject: one\r\n two\r\n\tthree\r\n\r\nx", "one two three", "x", None),
    "encoded words": ("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?b?5A==?=\r\n\r\nx", "Grüßeä", "x", None),
    "broken encoded word": ("Subject: =?utf-8?b?!!!?= =?nonsense?q?x?=\r\n\r\nx", None, "x", None),
    "raw utf-8 in a header": ("Subject: Grüße\r\n\r\nx", "Grüße", "x", None),
    "raw latin-1 in a header": (b"Subject: Gr\xfc\xdfe\r\n\r\nx", "Grüße", "x", None),
    "control characters": ("Subject: a\x00b\x07c\r\n\r\nx", "a b c", "x", None),
    "quoted-printable": (
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "Gr=C3=BC=\r\n=C3=9Fe",
        "", "Grüße", None,
    ),
    "base64 with rubbish": ("Content-Transfer-Encoding: base64\r\n\r\naGVs*bG8=\r\n", "", None, None),
    "unknown charset": ("Content-Type: text/plain; charset=klingon\r\n\r\nhi", "", "hi", None),
    "wrong charset": (b"Content-Type: text/plain; charset=us-ascii\r\n\r\n\xff\xfe", "", "��", None),
    "latin-1": (b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xe4", "", "ä", None),
    "html alone": ("Content-Type: text/html\r\n\r\n<p>x</p>", "", None, "<p>x</p>"),
    "alternative": (
        "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nplain\r\n--b\r\n"
        "Content-Type: text/html\r\n\r\n<b>rich</b>\r\n--b--\r\n",
        "", "plain", "<b>rich</b>",
    ),
    "boundary without an end": (
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst", "", "first", None,
    ),
    "multipart without a boundary": ("Content-Type: multipart/mixed\r\n\r\nx", "", None, None),
    "boundary that never comes": ("Content-Type: multipart/mixed; boundary=b\r\n\r\nx", "", None, None),
    "a mail within": (
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee below\r\n--b\r\n"
        "Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--b--\r\n",
        "", "see below", None,
    ),
    "attachment only": (
        "Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=x.pdf\r\n\r\nxx", "", None, None,
    ),
    "rubbish": (bytes(range(256)) * 3, "", None, None),
    "empty": (b"", "", "", None),
    "header without a colon": ("Subject: hi\r\nrubbish\r\nX: y\r\n\r\nx", "hi", None, None),
    "space before the colon": ("Subject : hi\r\n\r\nx", "hi", None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CORPUS)
def test_odd_mails(name):
    raw, subject, text, html = CORPUS[name]
    mail = received(raw)
    if subject is not None:
        assert mail.subject == subject
    if text is not None:
        assert mail.text == text
    assert mail.html == html
    assert mail.text is None or isinstance(mail.text, str)
    for field in ("from", "to", "date", "content-type", "message-id", "subject"):
        assert mail.message[field] is None or isinstance(str(mail.message[field]), str)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("<a@b>", "<a@b>"),
        ("  <a@b> (comment)", "<a@b>"),
        ("a@b", None),
        ("", None),
        ("<a b@c>", None),
        ("<a@b>\r\n <c@d>", "<a@b>"),
    ],
)
def test_message_ids(field, expected):
    assert received(f"Message-ID: {field}\r\n\r\nx").message_id == expected


def test_attachments_come_with_the_standard_librarys_message():
    written = EmailMessage()
    written["Subject"] = "with"
    written.set_content("text")
    written.add_attachment(b"\x00\x01", maintype="image", subtype="png", filename="pixel ü.png")
    mail = received(written.as_bytes(policy=email.policy.SMTP))
    [attachment] = mail.message.iter_attachments()
    assert attachment.get_filename() == "pixel ü.png"
    assert attachment.get_content() == b"\x00\x01"


PIECES = [
    "\r\n", "\n", ":", " ", "--b", "--b--", "Content-Type: multipart/mixed; boundary=b", "Content-Type: message/rfc822",
    "=?utf-8?q?", "?=", "x", "\t", "(", '"', "<", ">",
]  # fmt: skip
words = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=60)


@given(subject=words, body=st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=400), html=st.booleans())
def test_what_the_standard_library_writes_is_read(subject, body, html):
    written = EmailMessage()
    written["Subject"] = subject.strip()
    written["From"], written["To"], written["Message-ID"] = "ada@example.com", "desk@example.org", "<1@example.com>"
    written.set_content(body)
    if html:
        written.add_alternative(f"<p>{body}</p>", subtype="html")
    mail = received(written.as_bytes(policy=email.policy.SMTP))
    assert mail.message_id == "<1@example.com>"
    assert mail.text.rstrip("\n") == body.rstrip("\n")
    assert (mail.html is not None) == html
    visible = "".join(char if char.isprintable() else " " for char in subject)
    assert mail.subject.split() == visible.split()


@given(st.binary(max_size=600))
def test_any_bytes_are_read_or_refused(raw):
    mail = received(raw)
    assert isinstance(mail.subject, str)
    assert mail.text is None or isinstance(mail.text, str)
    assert mail.html is None or isinstance(mail.html, str)
    assert isinstance(mail.is_auto_reply, bool)
    for value in mail.message.values():
        assert isinstance(str(value), str)


@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_any_heap_of_pieces_is_read(pieces):
    mail = received("".join(pieces))
    assert mail.text is None or isinstance(mail.text, str)
    assert isinstance(mail.subject, str)


def nested(depth):
    heads = "".join(f"Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n" for level in range(depth))
    return f"{heads}Content-Type: text/plain\n\ndeep\n"


def inner(depth):
    return "Content-Type: message/rfc822\n\n" * depth + "Subject: x\n\ndeep\n"


def test_some_nesting_is_read():
    assert received(nested(MAX_DEPTH)).text.strip() == "deep"


BOMBS = {
    "nesting": nested(MAX_DEPTH + 1),
    "much nesting": nested(MAX_PARTS - 2),
    "endless nesting": nested(50_000),
    "mails in mails": inner(MAX_DEPTH + 1),
    "mails in mails without end": inner(50_000),
    "parts": "Content-Type: multipart/mixed; boundary=b\n\n" + "--b\n\nx\n" * 500_000,
    "lines": "Subject: x\n\n" + "\n" * 2_000_000,
    "size": "Subject: x\n\n" + "x" * (26 * 1024 * 1024),
    "header fields": "X: y\n" * 500_000 + "\n",
    "folds of a header": "Subject: x\n" + " y\n" * 500_000 + "\nbody",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_in_no_time(name):
    raw = BOMBS[name].encode()
    began = time.perf_counter()
    with pytest.raises(MailTooComplex):
        parse(raw)
    assert time.perf_counter() - began < BOMB_LIMIT_S


HEADER_BOMBS = [
    "(" * 100_000,
    "<" * 100_000,
    '"' * 100_000,
    "a@b," * 50_000,
    "=?utf-8?q?x?= " * 20_000,
    ";x=y" * 50_000,
    ":" * 100_000,
]


@pytest.mark.parametrize(
    "field", ["To", "Subject", "Content-Type", "Content-Disposition", "Date", "Message-ID", "References"]
)
@pytest.mark.parametrize("value", HEADER_BOMBS, ids=range(len(HEADER_BOMBS)))
def test_no_header_field_takes_long(field, value):
    began = time.perf_counter()
    mail = received(f"{field}: {value}\r\n\r\nbody")
    assert isinstance(mail.subject, str)
    assert mail.text is None or isinstance(mail.text, str)
    assert mail.message_id is None or mail.message_id.startswith("<")
    assert isinstance(str(mail.message[field]), str)
    assert time.perf_counter() - began < BOMB_LIMIT_S


def test_the_bytes_of_a_bomb_can_still_be_read():
    mail = received(BOMBS["nesting"])
    with pytest.raises(MailTooComplex, match=r"get_raw"):
        _ = mail.text
    assert mail.raw_size == len(BOMBS["nesting"])


def test_a_readable_header_has_no_control_characters():
    assert readable_header("a\r\n b\x1b[31mc\u202ed") == "a b [31mc d"
    assert readable_header(None) == ""


@pytest.mark.parametrize("field", ["Cc: " + "(," * 50_000, "Cc: " + "(" * 8_000, "X: " + "a" * 2_000_000])
def test_what_was_read_is_written_as_it_came(field):
    raw = f"From: Ada <ada@example.com>\r\n{field}\r\nSubject: hi\r\n\r\nHello\r\n".encode()
    message = parse(raw)
    began = time.perf_counter()
    assert bytes(message).replace(b"\r\n", b"\n") == raw.replace(b"\r\n", b"\n")
    assert time.perf_counter() - began < 0.5
    message["X-Seen"] = "grün"
    assert b"X-Seen: =?utf-8?" in bytes(message)
