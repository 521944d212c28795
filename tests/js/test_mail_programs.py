"""Mails of other programs: npm `mimetext` writes to an agent, npm `postal-mime` reads what it answers."""

from __future__ import annotations

import json
import subprocess

import pytest

from agents_runtime import Agent
from tests.js.harness import HERE

pytestmark = [pytest.mark.node]


class Desk(Agent):
    initial_state = {"mails": []}

    async def on_email(self, email):
        mail = [email.message_id, email.subject, (email.text or "").strip(), (email.html or "").strip() or None]
        files = [part.get_filename() for part in email.message.iter_attachments()]
        self.set_state({"mails": [*self.state["mails"], [*mail, files]]})
        await self.reply_to_email(
            email, from_name="Désk, Help", body=f"Grüße: {email.text}", html="<p>Grüße</p>", secret="s3cret"
        )


def mail_programs(given=None):
    command = ["node", str(HERE / "driver" / "mails.mjs")]
    done = subprocess.run(
        command,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        check=True,
        cwd=HERE,
    )
    return json.loads(done.stdout)


async def test_mails_of_other_programs_are_read_and_answered(packages, runtime):
    desk = runtime.get(Desk, "front")
    written = mail_programs()
    deliveries = [await runtime.email(desk, raw=mail["raw"]) for mail in written]
    seen = (await desk.state)["mails"]
    for mail, (message_id, subject, text, html, files) in zip(written, seen, strict=True):
        assert message_id == mail["id"]
        assert subject == mail["subject"]
        assert text.split() == mail["text"].split()
        assert html == mail["html"]
        assert bool(files) == (mail["subject"] == "With a file")
    answers = mail_programs([delivery.reply.raw.decode("latin-1") for delivery in deliveries])
    assert len({answer["messageId"] for answer in answers}) == len(answers)
    for mail, answer in zip(written, answers, strict=True):
        assert answer["from"] == {"address": "agent@example.com", "name": "Désk, Help"}
        assert answer["to"] == [{"address": "ada@example.com", "name": ""}]
        assert answer["subject"] == f"Re: {mail['subject']}"
        assert answer["inReplyTo"] == mail["id"]
        assert answer["references"].split()[-1] == mail["id"]
        assert answer["text"].split() == ["Grüße:", *mail["text"].split()]
        assert answer["html"].strip() == "<p>Grüße</p>"
        assert answer["headers"]["auto-submitted"] == "auto-replied"
        assert len(answer["headers"]["x-agent-sig"]) == 44
