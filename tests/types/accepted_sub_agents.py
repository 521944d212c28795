"""Sub-agents as users write them: both type checkers must accept it, with these types."""

from __future__ import annotations

from typing import Any, TypedDict, assert_type

from agents_runtime import Agent, AgentHandle, get_agent_by_name, get_sub_agent_by_name
from agents_runtime.sub_agents.registry import SubAgentInfo


class Found(TypedDict):
    found: list[str]


class Researcher(Agent[Found]):
    initial_state: Found = {"found": []}

    async def research(self, topic: str) -> int:
        team = await self.parent_agent(Team)
        assert_type(team, AgentHandle[Team])
        assert_type(await team.call(Team.tell, topic), None)
        return len(topic)


class Team(Agent[dict[str, Any]]):
    def tell(self, text: str) -> None: ...

    async def work(self, topic: str) -> int:
        researcher = await self.sub_agent(Researcher, topic)
        assert_type(researcher, AgentHandle[Researcher])
        assert_type(await self.sub_agent("Researcher", topic), AgentHandle[Any])
        assert_type(await researcher.state, Found)
        assert_type(self.has_sub_agent(Researcher, topic), bool)
        assert_type(self.list_sub_agents(Researcher), list[SubAgentInfo])
        assert_type(self.self_path[-1]["name"], str)
        await self.abort_sub_agent(Researcher, topic, "again")
        await self.delete_sub_agent("Researcher", topic)
        return await researcher.call(Researcher.research, topic)


async def from_a_worker() -> None:
    team = await get_agent_by_name(Team, "t")
    researcher = await get_sub_agent_by_name(team, Researcher, "tea")
    assert_type(researcher, AgentHandle[Researcher])
    assert_type(await researcher.call(Researcher.research, "tea"), int)
