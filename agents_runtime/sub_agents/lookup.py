"""Reaching sub-agents from elsewhere: from another agent, or from the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from agents_runtime._platform.base import make_response, with_url
from agents_runtime._platform.child.identity import make_step
from agents_runtime.errors import UsageError
from agents_runtime.routing.handle import AgentHandle, call_entry, stub_of
from agents_runtime.sub_agents.relayed import SUB_MARK
from agents_runtime.sub_agents.starting import AboveStub
from agents_runtime.sub_agents.stubs import DistantStub

if TYPE_CHECKING:
    from agents_runtime.routing.messages import HttpRequest, Response
    from agents_runtime.sub_agents.children import SubAgents

AgentType = TypeVar("AgentType")


def parent_of(children: SubAgents, class_name: str) -> AgentHandle[Any]:
    """A handle on the agent around one, which must be of the class."""
    path = children.front.path[:-1]
    if not path:
        raise UsageError("this agent is nobody's sub-agent, so it has no parent")
    parent = path[-1]
    if parent["className"] != class_name:
        raise UsageError(f"the parent of this agent is a {parent['className']}, not a {class_name}")
    root = children.front.root_stub()
    stub = AboveStub(root if len(path) == 1 else DistantStub(root, "down", path), class_name)
    return AgentHandle(stub, lambda: stub, class_name=class_name, name=parent["name"])


@overload
async def get_sub_agent_by_name(
    parent: AgentHandle[Any], cls: type[AgentType], name: str
) -> AgentHandle[AgentType]: ...
@overload
async def get_sub_agent_by_name(parent: AgentHandle[Any], cls: str, name: str) -> AgentHandle[Any]: ...
async def get_sub_agent_by_name(parent: AgentHandle[Any], cls: type[Any] | str, name: str) -> AgentHandle[Any]:
    """Return a handle on a sub-agent of another agent, created if it is not there: for calls of methods only.

    Each call goes through the parent. Its `on_before_sub_agent` is not asked: whoever holds a handle on the parent may
    call its sub-agents.

    Args:
        parent: what `get_agent_by_name` returned.
        cls: the sub-agent's class, or its name.
        name: its name.

    Raises:
        RemoteError: the parent refused it, or it could not start.
    """
    class_name = cls if isinstance(cls, str) else cls.__name__
    stub = DistantStub(stub_of(parent), "child", [make_step(class_name, name)])
    await call_entry(stub, "start", None, class_name)
    return AgentHandle(stub, lambda: stub, class_name=class_name, name=name)


async def route_sub_agent_request(
    request: HttpRequest, parent: AgentHandle[Any], *, from_path: str | None = None
) -> Response:
    """Send a request to a sub-agent of an agent that the worker chose itself, through that agent's gate.

    Args:
        request: its URL has `/sub/<class>/<name>` in it, at any place; 400 otherwise.
        parent: what `get_agent_by_name` returned.
        from_path: a path to take in place of the URL's own, with a query of its own if it has one.
    """
    url = request.url
    if from_path is not None:
        address, mark, query = url.partition("?")
        scheme, _, rest = address.partition("://")
        host = rest.partition("/")[0]
        url = f"{scheme}://{host}/{from_path.lstrip('/')}" + (f"{mark}{query}" if "?" not in from_path else "")
        request = with_url(request, url)
    if SUB_MARK not in url:
        return make_response("Bad Request", 400)
    return await parent.fetch(request)
