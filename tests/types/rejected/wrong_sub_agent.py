"""A handle on a sub-agent knows its class, and the verbs know what a class is."""

from __future__ import annotations

from typing import Any

from agents_runtime import Agent


class Researcher(Agent[dict[str, Any]]):
    async def research(self, topic: str) -> int:
        return len(topic)


class Team(Agent[dict[str, Any]]):
    async def work(self) -> None:
        researcher = await self.sub_agent(Researcher, "tea")
        await researcher.call(Researcher.research, 5)  # refused
        words: str = await researcher.call(Researcher.research, "tea")  # refused
        await self.sub_agent(5, "tea")  # refused
        await self.delete_sub_agent(Researcher, 5)  # refused
        assert words
