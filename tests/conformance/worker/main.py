"""The main module of the worker under test: the same on every host."""

from __future__ import annotations

from agents_under_test import Desk, Slow
from authorized_under_test import Clerk
from durable_under_test import Durable
from earlier_under_test import Chat, DocsServer, Onboarding, SupportAgent, earlier_email, earlier_fetch
from facets_under_test import Facet, Parent
from kept_under_test import Kept, Neighbour, kept
from lab import Lab
from mailed_under_test import Mailed
from mistakes_under_test import Mistakes
from offered_under_test import Offered, offered, to_agent
from planned_under_test import Planned
from probes import BrokenProbe, Ports, Probe
from sub_agents_under_test import Member, Team
from toolbox_under_test import Crate, Toolbox
from workers import Response, WorkerEntrypoint
from workflows_under_test import Errand, Foreman, Raw

from agents_runtime import (
    create_address_based_email_resolver,
    create_secure_reply_email_resolver,
    route_agent_email,
    route_agent_request,
)

__all__ = [
    "BrokenProbe",
    "Chat",
    "Clerk",
    "Crate",
    "Default",
    "Desk",
    "DocsServer",
    "Durable",
    "Errand",
    "Facet",
    "Foreman",
    "Kept",
    "Lab",
    "Mailed",
    "Member",
    "Mistakes",
    "Neighbour",
    "Offered",
    "Onboarding",
    "Parent",
    "Planned",
    "Ports",
    "Probe",
    "Raw",
    "Slow",
    "SupportAgent",
    "Team",
    "Toolbox",
]  # fmt: skip


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        kind, _, rest = request.url.split("/", 3)[3].partition("/")
        if kind in ("MCP", "OFFERED"):
            return await (offered if kind == "MCP" else to_agent)(request, self.env, self.ctx)
        if kind == "KEPT" and rest == "raw":  # as a careless author might
            return await self.env.KEPT.getByName("streamable-http:raw").fetch(request)
        if kind.partition("?")[0] == "KEPT":
            return await kept.fetch(request, self.env, self.ctx)
        if kind == "EARLIER":
            return await earlier_fetch(request, self.env, self.ctx)
        if kind in ("PROBE", "PORTS"):
            name = rest.split("?")[0].split("/")[0]
            return await getattr(self.env, kind).getByName(name).fetch(request)
        return await route_agent_request(request, self.env) or Response("no such path", status=404)

    async def email(self, message):
        if message.to.endswith("@example.com"):
            await earlier_email(message, self.env)
            return

        async def by_address(mail):
            await route_agent_email(message, self.env, create_address_based_email_resolver("mailed"))

        await route_agent_email(message, self.env, create_secure_reply_email_resolver("s3cret"), on_no_route=by_address)
