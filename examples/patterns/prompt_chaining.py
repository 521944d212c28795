"""Prompt chaining: each answer is the next question, and a crash costs one step, not the chain."""

from __future__ import annotations

import asyncio

from agents_runtime import Agent, task
from model import ask


class Author(Agent):
    @task
    async def article(self, step, topic):
        outline = await step.do("outline", ask, f"outline {topic}")
        chapters = []
        for number, heading in enumerate(outline.split("; ")):
            if len(heading) > 80:  # a gate between two steps: a check that needs no model
                raise ValueError(f"chapter {number} has no heading: {heading}")
            chapters.append(await step.do(f"chapter {number}", ask, f"write about {heading}"))
        return await step.do("translate", ask, f"translate into German: {' '.join(chapters)}")


async def main() -> str:
    author = Author.create()
    return await (await author.tasks.run("article", "tea"))


if __name__ == "__main__":
    print(asyncio.run(main()))
