"""Errors of sub-agents."""

from __future__ import annotations

from agents_runtime.errors import PeerError, UsageError


class UnknownSubAgent(UsageError):
    """Raised when a sub-agent is called that was deleted, or never created.

    Attributes:
        class_name: the name of its class.
        name: its name.
    """

    code = "unknown_sub_agent"

    def __init__(self, class_name: str, name: str) -> None:
        self.class_name = class_name
        self.name = name
        super().__init__(
            f"there is no sub-agent {class_name} {name!r} here: it was deleted or never created. "
            "Get a new handle with await self.sub_agent(...)"
        )


class TooManySubAgents(UsageError):
    """Raised when an agent would have more sub-agents than its class allows.

    Attributes:
        limit: how many it may have.
    """

    code = "too_many_sub_agents"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(
            f"the agent has {limit:,} sub-agents already: delete some, or allow more with "
            'options = {"max_sub_agents": ...}'
        )


class NotASubAgent(PeerError):
    """Raised when an agent that stands alone is addressed as a sub-agent."""

    code = "not_a_sub_agent"

    def __init__(self) -> None:
        super().__init__("this agent is nobody's sub-agent")
