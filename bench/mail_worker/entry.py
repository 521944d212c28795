"""The worker of the mail measurement: notes each mail and answers it."""

from __future__ import annotations

from agents_runtime import Agent, create_address_based_email_resolver, route_agent_email, route_agent_request
from workers import Response, WorkerEntrypoint


class Desk(Agent):
    initial_state = {"count": 0}

    async def on_email(self, email):
        self.set_state({"count": self.state["count"] + 1, "last": email.subject, "size": len(email.text or "")})
        await self.reply_to_email(email, from_name="Desk", body=f"Thank you for {email.subject}.")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)

    async def email(self, message):
        await route_agent_email(message, self.env, create_address_based_email_resolver("desk"))
