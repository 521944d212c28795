"""A counter shared by everyone who has the page open: it survives restarts and tells who changed it."""

from __future__ import annotations

from agents_runtime import Agent, callable, route_agent_request
from workers import Response, WorkerEntrypoint


class Counter(Agent):
    """One number and the last changes to it. What `change` sets is stored and sent before its caller is answered."""

    initial_state = {"count": 0, "history": []}

    @callable
    def change(self, by: int, who: str) -> int:
        count = self.state["count"] + by
        change = {"who": who[:24], "by": by, "count": count}
        history = [change, *self.state["history"]][:30]
        self.set_state({"count": count, "history": history})
        return count

    def validate_state_change(self, next_state, source):
        if source != "server":
            raise ValueError("call change() instead")

    def on_connect(self, connection, ctx):
        self.tell_how_many_are_online()

    def on_close(self, connection, code, reason, was_clean):
        self.tell_how_many_are_online()

    def tell_how_many_are_online(self):
        self.broadcast({"type": "online", "count": len(list(self.get_connections()))})


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
