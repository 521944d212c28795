"""`self.dynamic_agents`: the verbs of sub-agents, as the JavaScript SDK groups them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from agents_runtime.routing.handle import AgentHandle
    from agents_runtime.sub_agents.registry import SubAgentInfo
    from agents_runtime.sub_agents.verbs import SubAgentVerbs

AgentType = TypeVar("AgentType")


class DynamicAgents:
    """The sub-agents of one agent."""

    def __init__(self, verbs: SubAgentVerbs) -> None:
        self._verbs = verbs

    @overload
    async def get(self, cls: type[AgentType], name: str) -> AgentHandle[AgentType]: ...
    @overload
    async def get(self, cls: str, name: str) -> AgentHandle[Any]: ...
    async def get(self, cls: type[Any] | str, name: str) -> AgentHandle[Any]:
        """The same as `sub_agent`."""
        return await self._verbs.sub_agent(cls, name)

    async def abort(self, cls: type[Any] | str, name: str, reason: str = "aborted by its parent") -> None:
        """The same as `abort_sub_agent`."""
        await self._verbs.abort_sub_agent(cls, name, reason)

    async def delete(self, cls: type[Any] | str, name: str) -> None:
        """The same as `delete_sub_agent`."""
        await self._verbs.delete_sub_agent(cls, name)

    def has(self, cls: type[Any] | str, name: str) -> bool:
        """The same as `has_sub_agent`."""
        return self._verbs.has_sub_agent(cls, name)

    def list(self, cls: type[Any] | str | None = None) -> list[SubAgentInfo]:
        """The same as `list_sub_agents`."""
        return self._verbs.list_sub_agents(cls)
