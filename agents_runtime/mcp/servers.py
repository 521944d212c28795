"""The MCP servers an agent uses: the part of the agent. What connects to them is loaded when there is one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from agents_runtime._core import wire
from agents_runtime._core.capability import Capability
from agents_runtime._core.jsonx import dumps

if TYPE_CHECKING:
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime.mcp.client.manager import McpClient
    from agents_runtime.mcp.oauth.options import McpOAuthClient

NONE = '{"prompts":[],"resources":[],"servers":{},"tools":[]}'


class McpServerList(dict[str, Any]):
    """`{"servers": by id, "tools", "prompts", "resources"}`: plain JSON. It is there at once; awaiting is optional."""

    def __await__(self) -> Generator[Any, Any, dict[str, Any]]:
        async def plainly() -> dict[str, Any]:
            return dict(self)

        return plainly().__await__()


class McpServers(Capability):
    """The MCP servers of one agent.

    Args:
        surroundings: the agent, once it is needed.
        publish: sends a frame to every client that takes the agent's own frames.
        agent: the agent's class and name.
        provider: the agent's `create_mcp_oauth_provider`.
        hides_name: whether clients must not learn the agent's name.
    """

    def __init__(
        self,
        surroundings: Callable[[], Surroundings],
        publish: Callable[[str], None],
        agent: Callable[[], tuple[str, str]],
        provider: Callable[[str], McpOAuthClient],
        *,
        hides_name: bool,
    ) -> None:
        self._surroundings = surroundings
        self._publish = publish
        self._agent = agent
        self._provider = provider
        self._hides_name = hides_name
        self._told = ""

    @cached_property
    def client(self) -> McpClient:
        """What connects to the servers and uses them."""
        from agents_runtime.mcp.authorizing import Authorizing
        from agents_runtime.mcp.client.manager import McpClient

        surroundings = self._surroundings()
        authorizing = Authorizing(
            surroundings.platform,
            self._provider,
            self._agent,
            lambda: cast("Any", surroundings.agent).self_path,
            hides_name=self._hides_name,
        )
        info = {"name": self._agent()[0], "version": "1.0.0"}
        return McpClient(surroundings, info, authorizing, self._tell)

    def list(self) -> McpServerList:
        """The servers, and the tools, prompts and resources they offer."""
        return McpServerList(self.client.overview())

    def _tell(self) -> None:
        """Send the list to every client, unless it is as they know it."""
        text = self._text()
        if text != self._told:
            self._told = text
            self._publish(wire.mcp_servers(text))

    def _text(self) -> str:
        return dumps(self.client.overview()) if "client" in vars(self) else NONE

    # The phases

    def greeting(self) -> tuple[str, ...]:
        """The server list for a new connection; sent also when it is empty, as the JS clients expect."""
        return (wire.mcp_servers(self._text()),)

    async def on_start(self) -> None:
        """Load the servers. Nothing is sent to them yet."""
        self._told = dumps(self.client.overview())

    async def on_started(self) -> None:
        """Connect to them in the background."""
        self.client.wake()

    async def on_request(self, request: object) -> object | None:
        """Take a person who comes back with a consent."""
        return await self.client.answer(request) if "client" in vars(self) else None

    async def on_destroy(self) -> None:
        """Let go of the connections."""
        if "client" in vars(self):
            await self.client.close()
