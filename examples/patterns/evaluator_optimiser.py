"""Evaluator and optimiser: one writes, another criticises, until it is good or patience ends."""

from __future__ import annotations

import asyncio

from agents_runtime import Agent, task
from model import ask

MOST_ROUNDS = 5


class Poet(Agent):
    @task
    async def haiku(self, step, topic):
        remarks: list[str] = []
        draft = ""
        for number in range(MOST_ROUNDS):
            heeding = "".join(f". Heed: {remark}" for remark in remarks)
            draft = await step.do(f"draft {number}", ask, f"Haiku about {topic}{heeding}")
            verdict = await step.do(f"verdict {number}", ask, f"Rate: {draft}")
            step.status(f"round {number + 1}: {verdict}")
            if verdict == "good":
                return {"haiku": draft, "rounds": number + 1}
            remarks.append(verdict)
        return {"haiku": draft, "rounds": MOST_ROUNDS}


async def main() -> object:
    poet = Poet.create()
    return await (await poet.tasks.run("haiku", "tea"))


if __name__ == "__main__":
    print(asyncio.run(main()))
