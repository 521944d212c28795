"""Header fields: names in any case, machines told from people, loops."""

from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime import is_auto_reply_email
from agents_runtime.email.headers import EmailHeaders, loop_problem, message_ids
from agents_runtime.email.parsing import header_pairs


def test_a_mapping_by_any_case():
    headers = EmailHeaders([("Subject", " hi\r\n there "), ("Received", "a"), ("received", "b")])
    assert headers["SUBJECT"] == "hi there"
    assert headers.get("x") is None
    assert headers.get_all("Received") == ["a", "b"]
    assert set(headers) == {"subject", "received"}
    assert len(headers) == 2
    assert headers.pairs()[0] == ("Subject", "hi there")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Auto-Submitted", "auto-replied", True),
        ("AUTO-SUBMITTED", "Auto-Generated", True),
        ("auto-submitted", "no", False),
        ("auto-submitted", " NO ", False),
        ("auto-submitted", "no; x", True),
        ("X-Auto-Response-Suppress", "All", True),
        ("x-auto-response-suppress", "", True),
        ("Precedence", "bulk", True),
        ("Precedence", "Junk", True),
        ("Precedence", "list", True),
        ("Precedence", "first-class", False),
        ("Subject", "Automatic reply", False),
    ],
)
def test_machines_are_known_by_their_headers(name, value, expected):
    assert is_auto_reply_email([{"key": name, "value": value}]) is expected
    assert is_auto_reply_email({name: value}) is expected
    assert is_auto_reply_email([(name, value)]) is expected
    assert is_auto_reply_email(EmailHeaders([(name, value)])) is expected


def test_nobody_is_a_machine_without_headers():
    assert not is_auto_reply_email([])


def test_a_mail_that_goes_in_circles_is_known():
    assert loop_problem(EmailHeaders([("Received", "x")] * 100), "a@b") is None
    assert "hops" in (loop_problem(EmailHeaders([("Received", "x")] * 101), "a@b") or "")
    assert "forwarded" in (loop_problem(EmailHeaders([("X-Loop", "A@b")]), "a@b") or "")
    assert loop_problem(EmailHeaders([("X-Loop", "c@d")]), "a@b") is None


@given(st.text(max_size=300))
def test_message_ids_are_whole(text):
    assert all(found.startswith("<") and found.endswith(">") and " " not in found for found in message_ids(text))


def test_a_long_id_that_a_mail_program_has_encoded():
    mail = EmailMessage()
    long = f"<{'x' * 150}@example.com>"
    mail["In-Reply-To"] = long
    pairs = header_pairs(mail.as_bytes(policy=SMTP))
    assert "=?" in EmailHeaders(pairs)["in-reply-to"]
    assert message_ids(EmailHeaders(pairs)["in-reply-to"]) == [long]


def test_message_ids_in_order():
    assert message_ids("<a@b>\t<c@d> junk <e f> <g@h>") == ["<a@b>", "<c@d>", "<g@h>"]
    assert message_ids(None) == []
