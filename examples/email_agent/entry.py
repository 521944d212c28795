"""A help desk that is written to by e-mail: it answers, keeps the thread, and passes on what a person must decide."""

from __future__ import annotations

import re

from agents_runtime import (
    Agent,
    create_address_based_email_resolver,
    create_secure_reply_email_resolver,
    route_agent_email,
    route_agent_request,
)
from workers import Response, WorkerEntrypoint

TEAM = "team@example.com"
ORDER = re.compile(r"\border\D{0,3}(\d{3,6})\b", re.I)
FOR_PEOPLE = re.compile(r"\b(refund|complain\w*|person|human|broken)\b", re.I)
STAGES = ["is being packed", "has left our warehouse", "is with the courier and comes today"]
HELP = "I can look up an order (“Where is order 1042?”), and I pass on whatever a person has to decide."


class Desk(Agent):
    """One customer's desk. What was written and answered is its state."""

    initial_state = {"mails": []}

    async def on_email(self, email):
        if self.is_answered(email.message_id):
            return  # the mail was delivered again, because its first acknowledgement got lost
        text = (email.text or "").strip()
        self.note(email.message_id, "in", email.from_, email.subject, text)
        answer = self.answer(text)
        if FOR_PEOPLE.search(text):
            await email.forward(TEAM, {"X-Reason": "a person has to decide"})
            self.note(None, "forward", TEAM, email.subject, "passed on to the team")
            answer = "I have passed your mail on to the team. A person will write to you."
        sent_id = await self.reply_to_email(email, from_name="Help desk", body=answer, secret=self.env.MAIL_SECRET)
        if sent_id is not None:  # machines are not answered
            self.note(sent_id, "out", email.from_, f"Re: {email.subject}", answer, answers=email.message_id)

    def answer(self, text):
        order = ORDER.search(text)
        return f"Order {order[1]} {STAGES[int(order[1]) % len(STAGES)]}." if order else HELP

    def is_answered(self, message_id):
        return any(mail["answers"] == message_id for mail in self.state["mails"] if message_id)

    def note(self, message_id, kind, who, subject, text, answers=None):
        mail = {"id": message_id, "kind": kind, "who": who, "subject": subject, "text": text[:2000], "answers": answers}
        self.set_state({"mails": [*self.state["mails"], mail][-50:]})

    def validate_state_change(self, next_state, source):
        if source != "server":
            raise ValueError("write a mail instead")


by_address = create_address_based_email_resolver({"help@example.com": "Desk"})


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)

    async def email(self, message):
        by_signature = create_secure_reply_email_resolver(self.env.MAIL_SECRET)
        await route_agent_email(message, self.env, lambda mail, env: by_signature(mail, env) or by_address(mail, env))
