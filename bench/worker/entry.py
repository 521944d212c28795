"""The Python side of the benchmarks: the same Counter as bench/js/worker.js."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from agents_runtime import Agent, callable, route_agent_request, task
from workers import Request, Response, WorkerEntrypoint


class Part(Agent):
    initial_state = {"count": 0}

    async def echo(self, value):
        return value

    async def increment(self):
        self.set_state({"count": self.state["count"] + 1})
        return self.state["count"]

    async def part(self):
        return await self.sub_agent(Part, "part")

    async def deep_echo(self, depth, value):
        """Have the echo come from a sub-agent so many levels below."""
        return await (await self.part()).deep_echo(depth - 1, value) if depth else value


class Counter(Agent):
    initial_state = {"count": 0}
    seen = 0
    hits = 0

    @callable
    def increment(self, by=1):
        self.set_state({"count": self.state["count"] + by})
        return self.state["count"]

    @callable
    def echo(self, value):
        return value

    @callable
    def ran(self):
        return self.hits

    def hit(self, payload, item):
        self.hits += 1

    async def fill(self, n, stashes):
        """Run fibers one after the other, each of which stashes how far it is."""

        async def work(fiber):
            for step in range(stashes):
                fiber.stash({"step": step})

        for _ in range(n):
            await self.run_fiber("bench", work)
        return Response.from_json({"filled": n})

    @task
    async def walk(self, step, n):
        done = 0
        for number in range(n):
            done += await step.do(f"step {number}", self.act, number)
        return done

    def act(self, number):
        return 1

    async def plan(self, op, n, at):
        """Create schedules, one by one, for a moment or for in an hour; or queue items."""
        for number in range(n):
            if op == "queue":
                await self.queue("hit", {"number": number})
            else:
                when = datetime.fromtimestamp(at, UTC) if at else 3600
                await self.schedule(when, "hit", {"number": number})
        return Response.from_json({"planned": n})

    async def own(self, value):
        return value

    async def call_parts(self, op, n):
        """Call a sub-agent, or a method of this one, so many times, one after the other."""
        part = await self.sub_agent(Part, "part")
        for number in range(n):
            if op == "sub":
                await part.echo(number)
            elif op == "subinc":
                await part.increment()
            elif op == "sub3":
                await part.deep_echo(2, number)
            else:
                await self.own(number)
        return Response.from_json({"called": n})

    async def on_request(self, request: Request) -> Response:
        self.seen += 1
        query = parse_qs(urlsplit(request.url).query)
        op = query.get("op")
        if op in (["schedule"], ["queue"]):
            return await self.plan(op[0], int(query["n"][0]), int(query.get("at", ["0"])[0]))
        if op == ["fiber"]:
            return await self.fill(int(query["n"][0]), int(query["stashes"][0]))
        if op == ["walk"]:
            return Response.from_json({"done": await (await self.tasks.run("walk", int(query["n"][0])))})
        if op in (["sub"], ["subinc"], ["sub3"], ["own"]):
            return await self.call_parts(op[0], int(query["n"][0]))
        if op == ["hits"]:
            return Response.from_json({"hits": self.hits})
        if op == ["inc"]:
            return Response.from_json({"count": self.increment()})
        if op == ["seen"]:
            return Response.from_json({"seen": self.seen})
        return Response.from_json({"count": self.state["count"]})


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
