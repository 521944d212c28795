"""The inner side of a sub-agent: what its parent hands it, given to the agent as the platform would give it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from agents_runtime._core.jsonx import plain
from agents_runtime._platform.base import upgrade_request
from agents_runtime._platform.child.platform import ChildPlatform
from agents_runtime._platform.child.sockets import UPGRADE, Upgrade
from agents_runtime.errors import NotJson, PeerError
from agents_runtime.sub_agents.errors import NotASubAgent
from agents_runtime.sub_agents.hops import closing_of
from agents_runtime.sub_agents.starting import asked_by_a_start

if TYPE_CHECKING:
    from agents_runtime._platform.child.uplink import Batch
    from agents_runtime._platform.ports import Platform
    from agents_runtime.sub_agents.children import SubAgents
    from agents_runtime.sub_agents.front import Carried

PASSED = ("start", "call", "state", "workflow")


class Inner(Protocol):
    """The agent."""

    async def cf_agents_internal(self, op: str, payload: Carried) -> Carried:
        """Answer another part of the library."""
        ...

    async def call(self, method: str, /, *args: Carried, **kwargs: Carried) -> Carried:
        """Call a method by name."""
        ...

    async def fetch(self, request: Carried) -> Carried:
        """Serve a request."""
        ...

    async def list_schedules(self) -> object:
        """List its schedules."""
        ...

    async def get_queues(self) -> object:
        """List what is in its queue."""
        ...

    async def alarm(self, info: Carried = None) -> None:
        """Do what is due."""
        ...

    async def webSocketMessage(self, ws: Carried, message: Carried) -> None:  # noqa: N802 - the platform's
        """Handle a frame."""
        ...

    async def webSocketClose(self, ws: Carried, code: int, reason: str, was_clean: bool) -> None:  # noqa: N802 - as above
        """Handle the end of a connection."""
        ...


class Hosted:
    """Answers what the agents around an agent ask of it."""

    def __init__(self, agent: Inner, platform: Platform, children: Callable[[], SubAgents]) -> None:
        self._agent = agent
        self._platform = platform
        self._children = children

    async def answer(self, op: str, given: dict[str, Any]) -> Carried:
        """Answer an operation of `cf_agents_internal` that concerns sub-agents. Raises PeerError for any other."""
        if op == "sub":
            return await self._answer_parent(given)
        if op == "up":
            batches: list[Batch] = given["batches"]
            return await self._children().take_up(batches)
        if op == "down":
            return await self._children().answer_down(given)
        if op == "child":
            return await self._children().answer_child(given)
        raise PeerError(f"there is no internal operation {op[:80]!r}")

    async def _answer_parent(self, given: dict[str, Any]) -> dict[str, Any]:
        platform = self._platform
        if not isinstance(platform, ChildPlatform):
            raise NotASubAgent
        home = given.get("home")
        if home is None and not platform.uplink.home:
            return {"homeless": True}  # its storage was emptied since it was told
        if not platform.uplink.admit(home, given["epoch"]):
            platform.sockets.lose_all()
        if given.get("starting"):
            return await asked_by_a_start(lambda: self._answer(platform, given))
        return await self._answer(platform, given)

    async def _answer(self, platform: ChildPlatform, given: dict[str, Any]) -> dict[str, Any]:
        op: str = given["op"]
        payload: dict[str, Any] = given["payload"] or {}
        if op == "call":
            result = await self._agent.call(payload["method"], *payload.get("args", ()), **payload.get("kwargs", {}))
            try:
                result = plain(result)
            except NotJson:
                if not isinstance(result, bytes):
                    # The platform may refuse to carry it, and what would go along must not be lost with it.
                    return {"result": result, "up": []}
        else:
            result = await self._do(platform, op, payload)
        return {"result": result, "up": platform.uplink.take()}

    async def _do(self, platform: ChildPlatform, op: str, payload: dict[str, Any]) -> Carried:
        if op in PASSED:
            return await self._agent.cf_agents_internal(op, payload)
        if op == "hello":
            return None
        if op == "down":
            return await self._children().answer_down(payload)
        if op == "forget":
            return await self._children().do_here(op, payload)
        if op == "adopt":
            await self._agent.list_schedules()  # whoever runs such jobs is there from now on
            await self._agent.get_queues()
            return await self._children().adopt(payload)
        if op == "alarm":
            return await self._agent.alarm()
        if op == "connect":
            return await self._connect(platform, payload)
        if op == "message":
            return await self._message(platform, payload)
        if op == "closed":
            return await self._closed(platform, payload)
        raise PeerError(f"there is no operation {op[:80]!r}")

    async def _connect(self, platform: ChildPlatform, payload: dict[str, Any]) -> dict[str, Any]:
        upgrade = Upgrade(payload["id"])
        around = UPGRADE.get()
        UPGRADE.set(upgrade)
        try:
            response = await self._agent.fetch(upgrade_request(payload["url"], payload["headers"]))
        finally:
            UPGRADE.set(around)
        if upgrade.is_accepted:
            return {"accepted": True, "path": upgrade.path or platform.uplink.path}
        if upgrade.is_accepted is None:
            upgrade.code, upgrade.reason = closing_of(int(response.status))
        return {"accepted": False, "code": upgrade.code, "reason": upgrade.reason}

    async def _message(self, platform: ChildPlatform, payload: dict[str, Any]) -> None:
        socket = platform.sockets.find(payload["id"])
        data: Any = payload["data"]
        if socket is None:
            platform.uplink.post("close", payload["id"], 1011, "The sub-agent does not know this connection")
        elif not platform.sockets.answers(socket, data):
            await self._agent.webSocketMessage(socket, data if isinstance(data, str) else bytes(data))

    async def _closed(self, platform: ChildPlatform, payload: dict[str, Any]) -> None:
        socket = platform.sockets.find(payload["id"])
        if socket is not None:
            platform.sockets.remove(socket)
            await self._agent.webSocketClose(socket, payload["code"], payload["reason"], payload["was_clean"])
