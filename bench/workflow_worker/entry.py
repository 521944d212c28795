"""Workflows of many steps, and many workflows of an agent."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

from agents_runtime import Agent, AgentWorkflow
from workers import Response, WorkerEntrypoint


class Walk(AgentWorkflow):
    async def run(self, event, step):
        done = 0
        for number in range(event["payload"]["n"]):

            @step.do(f"step {number}")
            async def act():
                return 1

            done += await act()
        return done


class Starter(Agent):
    ended = 0

    async def start_all(self, n, steps):
        self.ended, self.all_ended = 0, asyncio.Event()
        self.expected = n
        for _ in range(n):
            await self.run_workflow("WALK", {"n": steps})
        await self.all_ended.wait()
        return self.ended

    def on_workflow_complete(self, name, workflow_id, result):
        self.ended += 1
        if self.ended == self.expected:
            self.all_ended.set()


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        query = parse_qs(urlsplit(request.url).query)
        n = int(query["n"][0])
        if "steps" in query:
            steps = int(query["steps"][0])
            return Response.json({"done": await self.env.Starter.getByName("s").start_all(n, steps)})
        instance = await self.env.WALK.create({"params": {"n": n}})
        status = await instance.status()
        while status["status"] not in ("complete", "errored"):
            await asyncio.sleep(0.005)
            status = await instance.status()
        return Response.json({"done": status["output"], "error": status["error"]})
