"""A counter: its state is stored, and sent to every page that is open."""

from agents_runtime import Agent, callable, route_agent_request
from workers import Response, WorkerEntrypoint


class Counter(Agent):
    initial_state = {"count": 0}

    @callable
    async def increment(self, by: int = 1) -> int:
        """Pages call this; so can other agents and tests."""
        self.set_state({"count": self.state["count"] + by})
        return self.state["count"]

    @callable
    async def reset(self) -> None:
        self.set_state({"count": 0})


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        # /agents/counter/<name> reaches the Counter of that name; each name is a counter of its own.
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
