"""The worker behind the landing page: the agents of both examples in one place."""

from __future__ import annotations

from agents_runtime import route_agent_request
from chatroom.entry import ChatRoom
from counter.entry import Counter
from workers import Response, WorkerEntrypoint

__all__ = ["ChatRoom", "Counter", "Default"]


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
