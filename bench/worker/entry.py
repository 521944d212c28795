"""The Python side of the benchmarks: the same Counter as bench/js/worker.js."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from agents_runtime import Agent, callable, route_agent_request
from workers import Request, Response, WorkerEntrypoint


class Counter(Agent):
    initial_state = {"count": 0}
    seen = 0

    @callable
    def increment(self, by=1):
        self.set_state({"count": self.state["count"] + by})
        return self.state["count"]

    @callable
    def echo(self, value):
        return value

    def on_request(self, request: Request) -> Response:
        self.seen += 1
        op = parse_qs(urlsplit(request.url).query).get("op")
        if op == ["inc"]:
            return Response.from_json({"count": self.increment()})
        if op == ["seen"]:
            return Response.from_json({"seen": self.seen})
        return Response.from_json({"count": self.state["count"]})


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
