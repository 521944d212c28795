"""E-mail as users write it: both type checkers must accept it."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any, assert_type

from agents_runtime import (
    Agent,
    AgentEmail,
    EmailRoute,
    create_address_based_email_resolver,
    create_secure_reply_email_resolver,
    route_agent_email,
)
from agents_runtime.testing import Runtime


class Desk(Agent):
    async def on_email(self, email: AgentEmail) -> None:
        assert_type(email.subject, str)
        assert_type(email.text, str | None)
        assert_type(email.message, EmailMessage)
        assert_type(email.headers["X-Tag"], str)
        assert_type(await email.get_raw(), bytes)
        assert_type(await self.reply_to_email(email, from_name="Desk", body="Hi", secret=None), str | None)
        assert_type(await self.reply_to_email({"text": "Hi"}), str | None)
        await self.send_email(self.env.EMAIL, to=["a@b"], from_={"email": "c@d", "name": "C"}, subject="s", text="t")
        await email.forward("boss@example.com", {"X-Note": "please"})
        email.set_reject("no")


class Plain(Agent):
    def on_email(self, email: AgentEmail) -> None:
        self.set_state({"from": email.from_})


async def chosen(mail: Any, env: Any) -> EmailRoute | None:
    return EmailRoute("Desk", "a")


async def handle(message: Any, env: Any) -> None:
    await route_agent_email(message, env, create_address_based_email_resolver({"a@b": "Desk"}))
    await route_agent_email(message, env, create_secure_reply_email_resolver("s", max_age=60), on_no_route=print)
    await route_agent_email(message, env, lambda mail, env: {"agentName": "Desk", "agentId": mail.to})
    await route_agent_email(message, env, chosen)


async def look(runtime: Runtime) -> None:
    delivery = await runtime.email(runtime.get(Desk, "a"), subject="Hi", text="there")
    assert_type(delivery.rejected, str | None)
    assert_type(delivery.reply.to, tuple[str, ...])
    assert_type(delivery.reply.text, str | None)
