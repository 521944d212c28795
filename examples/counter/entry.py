"""A counter shared by everyone who has the page open: it survives restarts and tells who changed it."""

from __future__ import annotations

import time

from agents_runtime import Agent, callable, route_agent_request
from workers import Response, WorkerEntrypoint

HISTORY_LENGTH = 30


class Counter(Agent):
    """One number, the last changes to it, and how many people are looking."""

    initial_state = {"count": 0, "history": []}

    @callable
    def change(self, by: int, who: str) -> int:
        """Add `by` to the count; the state reaches every open page before this call is answered."""
        count = self.state["count"] + by
        entry = {"who": who[:24], "by": by, "count": count, "at": int(time.time() * 1000)}
        self.set_state({"count": count, "history": [entry, *self.state["history"]][:HISTORY_LENGTH]})
        return count

    def on_connect(self, connection, ctx):
        self.tell_how_many_are_online()

    def on_close(self, connection, code, reason, was_clean):
        self.tell_how_many_are_online()

    def tell_how_many_are_online(self):
        self.broadcast({"type": "online", "count": len(list(self.get_connections()))})


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
