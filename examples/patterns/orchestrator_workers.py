"""Orchestrator and workers: one model finds out what is to be done, others do it, one puts it together."""

from __future__ import annotations

import asyncio

from agents_runtime import Agent, task
from model import ask

MOST_JOBS = 8


class Orchestrator(Agent):
    @task
    async def research(self, step, question):
        plan = await step.do("plan", ask, f"Split into jobs: {question}")
        jobs = plan.splitlines()[:MOST_JOBS]  # a model may plan more than anybody wants to pay for
        found = await asyncio.gather(*(step.do(f"job {number}", ask, f"Do: {job}") for number, job in enumerate(jobs)))
        return await step.do("report", ask, "Put together: " + "\n".join(found))


async def main() -> str:
    orchestrator = Orchestrator.create()
    return await (await orchestrator.tasks.run("research", "a tea house"))


if __name__ == "__main__":
    print(asyncio.run(main()))
