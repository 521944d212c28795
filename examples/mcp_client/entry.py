"""An agent that uses MCP servers, and two servers for it to use: one for everybody, one that asks a person first."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from agents_runtime import Agent, McpOAuthClient, McpServer, callable, create_mcp_handler, route_agent_request
from provider import Accounts, authorize, vault
from workers import Response, WorkerEntrypoint

__all__ = ["Accounts", "Default", "Hub"]


class Hub(Agent):
    """Joins MCP servers and calls their tools. The servers, their tools and what was granted are stored with it."""

    @callable
    async def join(self, name: str, url: str) -> str:
        """Connect to a server. Everybody who watches sees its state, and where to consent if it wants that."""
        return (await self.add_mcp_server(name.strip()[:40], url.strip()))["state"]

    @callable
    async def leave(self, server_id: str) -> None:
        await self.remove_mcp_server(server_id)

    @callable
    async def try_again(self, server_id: str) -> None:
        await self.mcp.connect_to_server(server_id)

    @callable
    async def run(self, server_id: str, tool: str, arguments: dict) -> dict:
        return await self.mcp.call_tool(server_id, tool, arguments)

    def create_mcp_oauth_provider(self, callback_url):
        home = "/?" + urlencode({"name": self.name})
        return McpOAuthClient(name=f"The hub of {self.name}", success_redirect=home, error_redirect=home)


words = McpServer("words", "1.0.0")


@words.tool
async def count(text: str) -> dict[str, int]:
    """Count the words and letters of a text."""
    return {"words": len(text.split()), "letters": sum(letter.isalpha() for letter in text)}


@words.tool
async def shout(text: str, times: int = 1) -> str:
    """Say something louder."""
    return " ".join([f"{text.upper()}!"] * times)


public = create_mcp_handler(words, route="/words/mcp")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = urlsplit(request.url).path
        if path.startswith("/agents/hub/"):  # the agent of the provider is nobody else's business
            response = await route_agent_request(request, self.env)
        elif path == "/words/mcp":
            response = await public(request, self.env, self.ctx)
        elif path == "/vault/mcp":
            response = await vault(request, self.env, self.ctx)
        else:
            response = await authorize(request)
        return response or Response("Not found", status=404)
