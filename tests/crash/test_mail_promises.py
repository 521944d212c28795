"""What an acknowledged mail promises: it was handled and stored, wherever the agent or its host dies meanwhile."""

import asyncio

import pytest

from agents_runtime import Agent
from agents_runtime.errors import AgentError


class Desk(Agent):
    """Notes each mail, then answers it, then notes that it did."""

    initial_state = {"answered": []}

    def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS mails (id TEXT, text TEXT)")

    async def on_email(self, email):
        self.sql("INSERT INTO mails VALUES (?, ?)", email.message_id, email.text)
        await self.reply_to_email(email, body=f"Noted: {email.text}")
        self.set_state({"answered": [*self.state["answered"], email.message_id]})
        if "news" in (email.text or ""):
            await self.send_email(
                self.env.EMAIL, to="all@example.com", from_="desk@example.org", subject="News", text=email.text
            )

    def noted(self):
        return [row["id"] for row in self.sql("SELECT id FROM mails ORDER BY rowid")]


async def story(runtime):
    runtime.bind_email("EMAIL")
    desk = runtime.get(Desk, "front")
    for number, text in enumerate(["one", "two news", "three"]):
        await runtime.email(desk, text=text, headers={"Message-ID": f"<{number}@x>"})
        yield f"<{number}@x>"


async def nothing_is_lost(runtime, acknowledged):
    desk = runtime.get(Desk, "front")
    noted = await desk.noted()
    answered = (await desk.state)["answered"]
    replies = [sent for sent in runtime.outbox if sent.kind == "reply"]
    for message_id in acknowledged:
        assert message_id in noted
        assert message_id in answered
        assert [reply.message["in-reply-to"] for reply in replies].count(message_id) == 1
    for reply in replies:
        assert reply.message["in-reply-to"] in noted, "an answer left before what it rests on was stored"
    for sent in runtime.outbox:
        if sent.kind == "send":
            assert "<1@x>" in answered, "a mail left before what it rests on was stored"


async def test_acknowledged_mails_are_stored_wherever_it_dies(runtime):
    runtime.bind(Desk)
    report = await runtime.crash_sweep(story, nothing_is_lost)
    assert report.commits >= 6


class Fragile(Agent):
    """Does something to itself in the middle of a mail."""

    initial_state = {"mails": 0}

    async def on_email(self, email):
        self.set_state({"mails": self.state["mails"] + 1})
        if email.subject == "destroy":
            await self.destroy()
        elif email.subject == "abort":
            self.ctx.abort("enough")
        elif email.subject == "wait":
            await self.ctx.agents_platform.clock.sleep(3600)


async def test_an_agent_that_dies_in_the_middle_acknowledges_nothing(runtime):
    runtime.expect_errors()
    fragile = runtime.get(Fragile, "a")
    waiting = asyncio.ensure_future(runtime.email(fragile, subject="wait"))
    await runtime.settle()
    runtime.crash(fragile)
    with pytest.raises(Exception, match="crashed"):
        await asyncio.wait_for(waiting, 5)
    with pytest.raises(BaseException, match="enough"):
        await asyncio.wait_for(runtime.email(fragile, subject="abort"), 5)
    await runtime.email(fragile, subject="fine")
    assert (await fragile.state)["mails"] == 2, "the first was committed while it waited, the second never"


async def test_an_agent_may_destroy_itself_over_a_mail(runtime):
    fragile = runtime.get(Fragile, "a")
    await runtime.email(fragile, subject="one")
    await runtime.email(fragile, subject="destroy")
    await runtime.settle()
    assert (await fragile.state)["mails"] == 0


async def test_a_mail_sent_again_after_a_crash_is_handled(runtime):
    """As a mail server does: until it is acknowledged."""
    runtime.bind(Desk)
    runtime.bind_email("EMAIL")
    runtime.expect_errors()
    desk = runtime.get(Desk, "front")
    for number in range(1, 6):
        runtime.fail_commit(number % 3 + 1)
        for _ in range(4):
            try:
                await runtime.email(desk, text="news", headers={"Message-ID": f"<{number}@x>"})
                break
            except (AgentError, Exception):
                continue
        else:
            pytest.fail("the mail was never taken")
    assert {f"<{number}@x>" for number in range(1, 6)} <= set((await desk.state)["answered"])
