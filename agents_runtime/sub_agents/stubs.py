"""What a handle on a sub-agent holds in place of the platform's stub."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

from agents_runtime._platform.child.identity import ChildId, identity_of
from agents_runtime.errors import RemoteError, UsageError
from agents_runtime.sub_agents.errors import UnknownSubAgent

if TYPE_CHECKING:
    from agents_runtime._platform.child.identity import Step
    from agents_runtime.sub_agents.children import SubAgents
    from agents_runtime.sub_agents.front import Carried


class ChildStub:
    """A child of the agent that holds it."""

    def __init__(self, children: SubAgents, step: Step, identity: str) -> None:
        self._children = children
        self._step = step
        self.id = ChildId(identity)

    async def cf_agents_internal(self, op: str, payload: Carried) -> Carried:
        """Call the child."""
        return await self._children.ask(self._step, op, payload)

    async def fetch(self, request: Carried, **init: Carried) -> Carried:
        """Send it an HTTP request."""
        from agents_runtime._platform.base import is_request, make_request

        request = request if is_request(request) and not init else make_request(request, **init)
        return await self._children.fetch(self._step, request)


class DistantStub:
    """An agent inside another one, to be called through an agent above it."""

    def __init__(self, through: Carried, way: str, path: list[Step]) -> None:
        self._through = through
        self._way = way
        self._path = path
        self.id = ChildId(identity_of(path))

    async def cf_agents_internal(self, op: str, payload: Carried) -> Carried:
        """Call it, one hop for each agent on the way."""
        given = {"path": self._path, "op": op, "payload": payload}
        return unpacked(await self._through.cf_agents_internal(self._way, given))

    async def fetch(self, request: Carried, **init: Carried) -> NoReturn:
        """Refused: requests go by URL."""
        raise UsageError(
            "this handle only calls methods: for HTTP send the request to the root, with /sub/<class>/<name> in its URL"
        )


def packed(work: Awaitable[Any]) -> Coroutine[Any, Any, dict[str, Any]]:
    """The result of `work`, or its failure as an answer: passed from agent to agent it keeps its text."""

    async def answer() -> dict[str, Any]:
        try:
            return {"result": await work}
        except UnknownSubAgent as error:
            return {"unknown": {"class_name": error.class_name, "name": error.name}}
        except (RemoteError, UsageError) as error:
            return {"failed": str(error)}

    return answer()


def unpacked(answer: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever was answered
    """What `packed` has packed. Raises the failure."""
    if "unknown" in answer:
        raise UnknownSubAgent(**answer["unknown"])
    if "failed" in answer:
        raise RemoteError(answer["failed"])
    return answer["result"]
