"""What agents offer for their sub-agents, and the hook that guards them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from agents_runtime._core.capability import capability
    from agents_runtime._platform.child.identity import Step
    from agents_runtime.routing.handle import AgentHandle
    from agents_runtime.sub_agents.children import SubAgents
    from agents_runtime.sub_agents.dynamic import DynamicAgents
    from agents_runtime.sub_agents.hops import SubAgentRoute
    from agents_runtime.sub_agents.registry import SubAgentInfo

AgentType = TypeVar("AgentType")


class SubAgentVerbs:
    """The verbs and the hook of sub-agents."""

    __slots__ = ()

    if TYPE_CHECKING:
        _sub_agents: capability[SubAgents]

    @overload
    async def sub_agent(self, cls: type[AgentType], name: str) -> AgentHandle[AgentType]: ...
    @overload
    async def sub_agent(self, cls: str, name: str) -> AgentHandle[Any]: ...
    async def sub_agent(self, cls: type[Any] | str, name: str) -> AgentHandle[Any]:
        """Return a handle on a sub-agent of this agent, created and started if it is not there.

        It has a state, tables, schedules and connections of its own, and lives where this agent lives. The class must
        be in the worker's main module under its own name; it needs no binding. What is listed survives a crash.

        Args:
            cls: an Agent class, or its name.
            name: any text but the empty one; with the class name at most 255 bytes.

        Raises:
            UsageError: there can be no such sub-agent: the class, the name, the number or the depth is not allowed.
            RemoteError: it could not start, and was not created.
        """
        children = self._sub_agents
        step = children.step_of(cls, name)
        await children.ensure(step)
        return children.handle(step)

    async def abort_sub_agent(self, cls: type[Any] | str, name: str, reason: str = "aborted by its parent") -> None:
        """Drop a sub-agent's memory: whatever runs in it fails with `reason`, and the next event starts it again.

        What it stored stays, and so do its connections.
        """
        children = self._sub_agents
        children.abort(children.step_of(cls, name), reason)

    async def delete_sub_agent(self, cls: type[Any] | str, name: str) -> None:
        """Delete a sub-agent with everything it stored, its own sub-agents included. One that is not there is fine.

        Its clients are disconnected (1001), its schedules and tasks are gone, and what runs in it fails. It is not
        listed any more from the first moment, and a crash in between does not bring half of it back.
        """
        children = self._sub_agents
        await children.delete(children.step_of(cls, name))

    def has_sub_agent(self, cls: type[Any] | str, name: str) -> bool:
        """Whether this agent has the sub-agent."""
        class_name = cls if isinstance(cls, str) else cls.__name__
        return self._sub_agents.registry.has(class_name, name)

    def list_sub_agents(self, cls: type[Any] | str | None = None) -> list[SubAgentInfo]:
        """List the sub-agents of this agent, of one class or all, the oldest first."""
        class_name = cls.__name__ if isinstance(cls, type) else cls
        return self._sub_agents.registry.all(class_name)

    @overload
    async def parent_agent(self, cls: type[AgentType]) -> AgentHandle[AgentType]: ...
    @overload
    async def parent_agent(self, cls: str) -> AgentHandle[Any]: ...
    async def parent_agent(self, cls: type[Any] | str) -> AgentHandle[Any]:
        """Return a handle on the agent around this one.

        While that agent is starting and waits for this one to answer, calls of the handle raise UsageError.

        Raises:
            UsageError: this agent is nobody's sub-agent, or its parent is of another class.
        """
        from agents_runtime.sub_agents.lookup import parent_of

        return parent_of(self._sub_agents, cls if isinstance(cls, str) else cls.__name__)

    @property
    def dynamic_agents(self) -> DynamicAgents:
        """The sub-agents under one name: `get`, `abort`, `delete`, `has` and `list`, as the JavaScript SDK has them."""
        from agents_runtime.sub_agents.dynamic import DynamicAgents

        return DynamicAgents(self)

    @property
    def self_path(self) -> list[Step]:
        """The path to this agent, the root first: `[{"className": ..., "name": ...}, ...]`."""
        return self._sub_agents.front.path

    @property
    def parent_path(self) -> list[Step]:
        """The path to the agent around this one, the root first; empty for an agent that stands alone."""
        return self._sub_agents.front.path[:-1]

    def on_before_sub_agent(self, request: Any, child: SubAgentRoute, /) -> Any:  # noqa: ANN401 - the platform's request and response
        """Decide about a request for a sub-agent: it names `child.class_name` and `child.name` in its URL.

        Return None to let it through, a Request to let that one through, a Response or `reject()` to answer it. Asked
        once for each request and each connection, at each agent on the way. By default everyone may reach, and so
        create, any sub-agent.
        """
        return None
