"""What the children of an agent need to know of it: who it is, what guards them, and of which classes they may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from agents_runtime._platform.child.identity import make_step
from agents_runtime.sub_agents.children import SubAgents

if TYPE_CHECKING:
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime._platform.child.identity import Step


class Parent(Protocol):
    """An agent, as far as its children need it."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def on_before_sub_agent(self) -> Callable[..., Any]:
        """The hook that guards its children."""
        ...


def make_sub_agents(around: Surroundings, parent: Parent, base: type, *, limit: int) -> SubAgents:
    """The children of an agent; their classes are those derived from `base`."""

    def own() -> Step:
        return make_step(type(parent).__name__, parent.name)

    return SubAgents(around, own, lambda: agent_classes(base), parent.on_before_sub_agent, limit=limit)


def agent_classes(base: type) -> frozenset[str]:
    """The names of all classes derived from `base`."""
    found: set[str] = set()
    waiting: list[type] = base.__subclasses__()
    while waiting:
        cls = waiting.pop()
        if cls.__name__ not in found:
            found.add(cls.__name__)
        waiting.extend(cls.__subclasses__())
    return frozenset(found)
