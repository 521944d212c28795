"""Mails: the same agent gets, answers, forwards, refuses and sends them, on every host."""

import email
import email.policy

import pytest

from tests.conformance.differences import differs

HEAD = (
    "From: Ada <ada@example.com>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@example.com>\r\n"
    "X-Custom: yes\r\n"
)


def mail(text, head=HEAD):
    return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"


def parsed(raw):
    return email.message_from_bytes(raw.encode("latin-1"), policy=email.policy.default)


async def deliver(world, name, text, head=HEAD):
    return await world.email("ada@example.com", f"mailed+{name}@example.org", mail(text, head))


async def report(world, name):
    return await world.call("MAILED", name, "report")


async def test_a_mail_is_handled_before_it_is_acknowledged(world, name):
    outcome = await deliver(world, name, "hello")
    assert outcome == {"rejected": None, "replies": [], "forwards": []}
    state = await report(world, name)
    raw = mail("hello")
    assert state["mails"] == [["ada@example.com", f"mailed+{name}@example.org", "Grüße", "hello", len(raw)]]
    assert state["noted"] == ["<1@example.com>", None, "yes"]


@pytest.mark.parametrize("command", ["reply Grüße", "dict Grüße"])
async def test_an_answer(world, name, command):
    outcome = await deliver(world, name, command.encode().decode("latin-1"))
    [reply] = outcome["replies"]
    answer = parsed(reply["raw"])
    assert (reply["from"], reply["to"]) == (f"mailed+{name}@example.org", "ada@example.com")
    assert answer["from"].addresses[0].addr_spec == f"mailed+{name}@example.org"
    assert answer["in-reply-to"] == answer["references"] == "<1@example.com>"
    assert answer["message-id"].endswith("@example.org>")
    assert answer["subject"] == ("Re: Grüße" if command.startswith("reply") else "Sure")
    assert answer.get_content().strip() == "Grüße"
    assert (answer["x-agent-sig"] is not None) == command.startswith("reply")


async def test_an_answer_to_an_answer_finds_its_agent(world, name):
    [reply] = (await deliver(world, name, "reply one"))["replies"]
    first = parsed(reply["raw"])["message-id"]
    head = f"Subject: Re\r\nMessage-ID: <2@x>\r\nX-Custom: back\r\nIn-Reply-To: {first}\r\n"
    await world.email("ada@example.com", "anybody@example.org", mail("hello", head))
    assert (await report(world, name))["noted"] == ["<2@x>", None, "back"]


async def test_several_things_in_order_with_pauses(world, name):
    outcome = await deliver(world, name, "wait 0.05\r\nforward boss@example.com\r\nwait 0.05\r\nreply done")
    assert [forward["to"] for forward in outcome["forwards"]] == ["boss@example.com"]
    assert {key.lower(): value for key, value in outcome["forwards"][0]["headers"].items()}["x-note"] == "please"
    assert len(outcome["replies"]) == 1


@differs(
    "Where mails may be forwarded to",
    workers="Only to addresses that you have verified for your account; others are an error.",
    local="Anywhere: it goes to the outbox, and from there to your SMTP server if there is one.",
    why="There is no account on a laptop. An agent hears of a refusal as `RemoteError`; be ready for it.",
)
async def test_what_the_platform_refuses_is_told_to_the_agent(world, name):
    await deliver(world, name, "reply one\r\ntry refused@example.com" if world.is_real else "try boss@example.com")
    noted = (await report(world, name))["noted"]
    assert noted == ("destination address not verified" if world.is_real else None)


async def test_a_refusal(world, name):
    assert (await deliver(world, name, "reject not today"))["rejected"] == "not today"


async def test_a_failure_is_no_acknowledgement(world, name):
    with pytest.raises(Exception, match="ValueError: broken"):
        await deliver(world, name, "fail broken")
    assert len((await report(world, name))["mails"]) == 1


async def test_an_unknown_agent_is_an_error_that_lists_the_bindings(world, name):
    with pytest.raises(Exception, match=r"nobody.*this worker has .*MAILED"):
        await world.email("ada@example.com", f"nobody+{name}@example.org", mail("hello"))


async def test_a_large_mail(world, name):
    await deliver(world, name, "size \r\nwait " + "0" * 1_500_000)
    assert (await report(world, name))["noted"] > 1_500_000


async def test_a_mail_bomb_is_an_error_and_the_agent_goes_on(world, name):
    bomb = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(190))
    with pytest.raises(Exception, match="MailTooComplex"):
        await world.email("ada@example.com", f"mailed+{name}@example.org", f"Message-ID: <1@x>\r\n{bomb}")
    await deliver(world, name, "bomb defused")
    assert (await report(world, name))["noted"] == "still here"


async def test_a_mail_of_ones_own(world, name):
    await deliver(world, name, "send grace@example.com")
    [sent] = await world.sent_mails()
    assert sent["to"] == ["grace@example.com"]
    assert sent["from"] == "desk@example.org"
    assert sent["subject"] == "Grüße"
    result = (await report(world, name))["noted"]
    assert result["messageId"].endswith("@example.org>")


async def test_the_agent_leaves_memory_after_a_mail(world, name):
    await deliver(world, name, "reply one")
    await world.evict("MAILED", name)
    await deliver(world, name, "hello")
    assert len((await report(world, name))["mails"]) == 2
