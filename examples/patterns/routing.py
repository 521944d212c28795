"""Routing: a first, cheap question decides who answers."""

from __future__ import annotations

import asyncio

from agents_runtime import Agent, task
from model import ask

DESKS = ("billing", "technical", "general")


class FrontDesk(Agent):
    @task
    async def answer(self, step, question):
        desk = await step.do("route", ask, f"Which desk? {question}")
        if desk not in DESKS:  # a model may say anything
            desk = "general"
        return await step.do("answer", ask, f"As the {desk} desk, answer: {question}")


async def main() -> list[str]:
    desk = FrontDesk.create()
    questions = ["I want my money back", "The app shows an error", "Hello"]
    return [await (await desk.tasks.run("answer", question)) for question in questions]


if __name__ == "__main__":
    print("\n".join(asyncio.run(main())))
