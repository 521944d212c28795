"""MCP between two agents, without HTTP: messages are calls of the other object's method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from agents_runtime._core.jsonx import Json, plain
from agents_runtime.mcp.client.errors import ProtocolFailure, error_text
from agents_runtime.mcp.protocol.messages import McpError, Response, parse_message

if TYPE_CHECKING:
    from agents_runtime._platform.ports import Namespace, Stub
    from agents_runtime.mcp.client.transport import Deliver
    from agents_runtime.mcp.protocol.messages import Message, Params

NAME_PREFIX = "rpc:"


class RpcTransport:
    """One McpAgent of a Durable Object binding.

    Args:
        name: the session's name; the object is called `rpc:<name>`.
        props: what the object is started with.
    """

    kind: Literal["rpc"] = "rpc"

    def __init__(self, namespace: Namespace, name: str, props: Json = None) -> None:
        self._namespace = namespace
        self._name = name
        self._props = props
        self._stub: Stub | None = None
        self.session_id: str | None = None
        self.version: str | None = None

    async def exchange(self, message: Params, headers: Mapping[str, str], timeout_s: float, deliver: Deliver) -> bool:
        """Call the other object and deliver what it returns. When that is a question, the answer comes to our reply."""
        returned = await self._call(message, deliver)
        return not any(isinstance(each, Response) and each.id == message["id"] for each in returned)

    async def send(self, message: Params, headers: Mapping[str, str], timeout_s: float, deliver: Deliver) -> None:
        """Call the other object. The answer of a request that had to wait for this may come back."""
        await self._call(message, deliver)

    def listen(
        self, deliver: Deliver, opened: Callable[[], None], ended: Callable[[str], None]
    ) -> Awaitable[None] | None:
        """There is no way."""
        opened()
        return None

    async def close(self, *, ends_session: bool) -> None:
        """Nothing is open."""
        self._stub = None

    async def _call(self, message: Params, deliver: Deliver) -> list[Message]:
        """What came back."""
        stub = await self._opened()
        try:
            found = plain(await cast("Any", stub).handleMcpMessage(message))
        except Exception as error:  # whatever the other object raises, in the form of the platform
            raise ProtocolFailure(f"the agent could not be asked: {error_text(error)}") from error
        try:
            messages = [
                parse_message(each) for each in (found if isinstance(found, list) else [] if found is None else [found])
            ]
        except McpError as error:
            raise ProtocolFailure(f"the agent answered with what is no message: {error}") from error
        for each in messages:
            deliver(each)
        return messages

    async def _opened(self) -> Stub:
        if self._stub is None:
            stub: Any = self._namespace.get(self._namespace.idFromName(NAME_PREFIX + self._name))
            try:
                await stub.cf_agents_internal("start", {"props": self._props} if self._props is not None else None)
            except Exception as error:  # as above
                raise ProtocolFailure(f"the agent could not be started: {error_text(error)}") from error
            self._stub = stub
        return cast("Stub", self._stub)
