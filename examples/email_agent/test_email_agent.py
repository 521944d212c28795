"""The help desk in a test: mails are delivered as by a mail server, and the desk is evicted before every event."""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = Path(__file__).parent
ADDRESS = "help+ada@example.com"


@pytest.fixture
def project(runtime):
    runtime.load(PROJECT)
    return runtime


async def mails_of(project, name="ada"):
    client = await project.connect(f"/agents/desk/{name}")
    await client.expect("cf_agent_state")
    return [(mail["kind"], mail["text"]) for mail in client.state["mails"]]


async def test_an_order_is_looked_up(project):
    delivery = await project.email(ADDRESS, subject="Parcel", text="Where is order 1042?")
    assert delivery.reply.subject == "Re: Parcel"
    assert delivery.reply.text.strip() == "Order 1042 has left our warehouse."
    assert await mails_of(project) == [
        ("in", "Where is order 1042?"),
        ("out", "Order 1042 has left our warehouse."),
    ]


async def test_an_answer_to_an_answer_comes_to_the_same_desk(project):
    first = (await project.email(ADDRESS, text="Hello")).reply
    headers = {"In-Reply-To": first.message["message-id"]}
    await project.email("sales@example.com", text="Thanks! And order 1041?", headers=headers)
    assert [kind for kind, _ in await mails_of(project)] == ["in", "out", "in", "out"]


async def test_what_a_person_must_decide_is_passed_on(project):
    delivery = await project.email(ADDRESS, text="I want a refund")
    assert [forward.to for forward in delivery.forwards] == [("team@example.com",)]
    assert "passed your mail on" in delivery.reply.text


async def test_a_mail_that_comes_twice_is_answered_once(project):
    headers = {"Message-ID": "<1@example.com>"}
    first = await project.email(ADDRESS, text="Hello", headers=headers)
    again = await project.email(ADDRESS, text="Hello", headers=headers)
    assert (len(first.replies), len(again.replies)) == (1, 0)


async def test_machines_are_not_answered(project):
    delivery = await project.email(ADDRESS, text="I am on holiday", headers={"Auto-Submitted": "auto-replied"})
    assert delivery.replies == ()
    assert [kind for kind, _ in await mails_of(project)] == ["in"]


async def test_nobody_else_can_be_written_to(project, caplog):
    await project.email("boss+ada@example.com", text="Hello")
    assert "so it is dropped" in caplog.text
    client = await project.connect("/agents/desk/ada")
    await client.set_state({"mails": []})
    await client.expect("cf_agent_state_error")
