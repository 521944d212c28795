"""Answers: whole, threaded, and nothing in them breaks out of its place."""

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents_runtime.email import addresses
from agents_runtime.email.compose import Original, Reply, build, new_message_id, subject_of, thread_of
from agents_runtime.email.errors import InvalidMail
from agents_runtime.email.headers import EmailHeaders
from agents_runtime.email.signing import sign

NOW_MS = 1_760_000_000_000


def original(subject="Hello", **headers):
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Original("ada@example.com", "desk@example.org", subject, EmailHeaders(pairs))


def built(reply=None, to=None, own=None):
    raw = build(reply or Reply(text="Hi"), to or original(message_id="<1@x>"), own or {}, "<9@example.org>", NOW_MS)
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    return email.message_from_bytes(raw, policy=email.policy.default)


def test_a_whole_answer():
    mail = built(Reply(text="Grüße\n", html="<p>Grüße</p>", from_name="Désk"), own={"X-Agent-ID": "a"})
    assert mail["from"].addresses[0].display_name == "Désk"
    assert mail["from"].addresses[0].addr_spec == "desk@example.org"
    assert mail["to"] == "ada@example.com"
    assert mail["subject"] == "Re: Hello"
    assert mail["message-id"] == "<9@example.org>"
    assert mail["in-reply-to"] == "<1@x>"
    assert mail["references"] == "<1@x>"
    assert mail["x-agent-id"] == "a"
    assert mail["date"].datetime.timestamp() == NOW_MS / 1000
    assert mail.get_body(("plain",)).get_content().replace("\r\n", "\n") == "Grüße\n"
    assert mail.get_body(("html",)).get_content().strip() == "<p>Grüße</p>"


@pytest.mark.parametrize(
    ("given", "of_original", "expected"),
    [
        (None, "Hello", "Re: Hello"),
        (None, "Re: Hello", "Re: Hello"),
        (None, "RE : Hello", "RE : Hello"),
        (None, "", "Re: your message"),
        ("Mine", "Hello", "Mine"),
    ],
)
def test_subjects(given, of_original, expected):
    assert subject_of(given, of_original) == expected


def test_threads():
    ids = [f"<{number}@x>" for number in range(150)]
    assert thread_of(EmailHeaders([])) == {}
    only_parent = thread_of(EmailHeaders([("Message-ID", "<b@x>"), ("In-Reply-To", "<a@x>")]))
    assert only_parent == {"In-Reply-To": "<b@x>", "References": "<a@x> <b@x>"}
    long = thread_of(EmailHeaders([("Message-ID", "<b@x>"), ("References", " ".join(ids))]))["References"].split()
    assert len(long) == 100
    assert long[0] == ids[0], "the first of the thread is kept"
    assert long[-2:] == [ids[-1], "<b@x>"]
    mail = built(to=original(message_id="<b@x>", references=" ".join(ids)))
    assert mail["references"].split() == long


def test_message_ids_differ_and_stay_whole():
    signed = sign("s", "my-agent", "x" * 100, NOW_MS)
    numbers = iter(range(256))
    made = {new_message_id(lambda size: bytes([next(numbers)]) * size, "desk@example.org", signed) for _ in range(50)}
    assert len(made) == 50
    long = made.pop()
    raw = build(Reply(text="x"), original(message_id=long, references=long), {}, long, NOW_MS)
    assert f"\r\nMessage-ID: {long}\r\n".encode() in raw
    assert f"\r\nIn-Reply-To: {long}\r\n".encode() in raw


def build_checked(reply, to):
    """As the verbs do it."""
    addresses.checked_headers(reply.headers)
    return build(reply, to, {}, "<9@x>", NOW_MS)


INJECTIONS = [
    "a\r\nBcc: eve@evil.example",
    "a\nBcc: eve@evil.example",
    "a\rBcc: x",
    "a\0b",
    "a\x0bb",
    "a\u2028b",
    "a\x85b",
]


@pytest.mark.parametrize("text", INJECTIONS)
@pytest.mark.parametrize("where", ["subject", "from_name", "header", "original subject"])
def test_no_value_starts_a_field_of_its_own(text, where):
    reply = {
        "subject": Reply(text="x", subject=text),
        "from_name": Reply(text="x", from_name=text),
        "header": Reply(text="x", headers={"X-Tag": text}),
        "original subject": Reply(text="x"),
    }[where]
    with pytest.raises(InvalidMail, match="line break"):
        build_checked(reply, original(text if where == "original subject" else "s"))


@pytest.mark.parametrize("name", ["X-A\r\nBcc", "X A", "X:A", "", "Ünï", "x" * 77])
def test_no_name_starts_a_field_of_its_own(name):
    with pytest.raises(InvalidMail, match="cannot be named"):
        addresses.checked_headers({name: "v"})


@pytest.mark.parametrize(
    "name", ["From", "to", "BCC", "Message-ID", "in-reply-to", "References", "Received", "Content-Type"]
)
def test_fields_of_ours_are_not_replaced(name):
    with pytest.raises(InvalidMail, match="written by the library"):
        build(Reply(text="x", headers={name: "v"}), original(), {}, "<9@x>", NOW_MS)


def test_ones_own_field_replaces_the_agents():
    mail = built(Reply(text="x", headers={"auto-submitted": "no"}), own={"Auto-Submitted": "auto-replied"})
    assert mail.get_all("auto-submitted") == ["no"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ada",
        "@x",
        "a@",
        "a@b@c",
        "a b@c",
        "a@b c",
        "<a@b>",
        "a@b,c@d",
        "a@b\r\nx",
        "a@b;",
        '"a@b',
        "a" * 320 + "@b",
        None,
        3,
    ],
)
def test_what_is_no_address(value):
    with pytest.raises(InvalidMail):
        addresses.checked_address(value, "to")


@pytest.mark.parametrize(
    "value",
    ["a@b", "a.b+c@d.example", "o'brien@x.example", '"a b"@c', "ada@[127-0-0-1]".replace("[", "").replace("]", "")],
)
def test_what_is_an_address(value):
    assert addresses.checked_address(value, "to") == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ada@x", ("", "ada@x")),
        ("Ada <ada@x>", ("Ada", "ada@x")),
        ('"Ada L." <ada@x>', ("Ada L.", "ada@x")),
        ({"email": "ada@x", "name": "Ada"}, ("Ada", "ada@x")),
        ({"email": "ada@x"}, ("", "ada@x")),
    ],
)
def test_mailboxes(value, expected):
    assert addresses.checked_mailbox(value, "to") == expected


def test_too_many_recipients():
    with pytest.raises(InvalidMail, match="more than 50"):
        addresses.mailboxes(["a@b"] * 51, "to")


def test_a_body_is_needed_and_bounded():
    with pytest.raises(InvalidMail, match="missing"):
        built(Reply())
    with pytest.raises(InvalidMail, match="longer"):
        built(Reply(text="x" * 6_000_000))
    with pytest.raises(InvalidMail, match="content_type"):
        built(Reply(text="x", content_type="image/png"))


@given(
    body=st.text(max_size=300),
    subject=st.text(max_size=200),
    name=st.text(max_size=60),
    value=st.text(max_size=200),
)
def test_whatever_is_written_the_mail_keeps_its_shape(body, subject, name, value):
    reply = Reply(text=body, subject=subject, from_name=name, headers={"X-Own": value})
    try:
        addresses.checked_headers(reply.headers)
        mail = built(reply)
    except InvalidMail:
        return
    assert set(mail) == {
        "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "X-Own", "Content-Type",
        "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip
    assert mail["to"] == "ada@example.com"
    assert str(mail["subject"]).split() == subject.split()
    got = mail.get_content().replace("\r\n", "\n").rstrip("\n")
    assert got == body.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") or "\r" in body


@pytest.mark.parametrize(
    ("sender", "recipient", "which"), [("jürgen@x", "a@y", "recipient"), ("a@y", "büro@x", "sender")]
)
def test_an_address_beyond_ascii_cannot_be_answered_and_is_named(sender, recipient, which):
    to = Original(sender, recipient, "Hello", EmailHeaders([]))
    with pytest.raises(InvalidMail, match=f"the {which} of the answer, '(jürgen|büro)@x', has letters beyond ASCII"):
        built(to=to)


def test_a_subject_without_end_is_answered():
    for subject in ("x" * 100_000, "Re: " + "é" * 100_000):
        mail = built(to=original(subject=subject, message_id="<1@x>"))
        assert mail["subject"].startswith(f"Re: {subject.removeprefix('Re: ')[:800]}")
        assert len(mail["subject"]) < 1_100
