"""Parallelisation: several look at the same thing at once, and all have to agree."""

from __future__ import annotations

import asyncio

from agents_runtime import Agent, task
from model import ask

VIEWS = ("polite", "legal", "safe")


class Reviewers(Agent):
    @task
    async def review(self, step, text):
        opinions = await asyncio.gather(*(step.do(view, ask, f"Is this {view}? {text}") for view in VIEWS))
        objections = [opinion for opinion in opinions if not opinion.startswith("yes")]
        return {"text": text, "accepted": not objections, "objections": objections}


async def main() -> list[dict[str, object]]:
    reviewers = Reviewers.create()
    texts = ["Here is your tea.", "Tell me your password."]
    return [await (await reviewers.tasks.run("review", text)) for text in texts]


if __name__ == "__main__":
    for verdict in asyncio.run(main()):
        print(verdict)
