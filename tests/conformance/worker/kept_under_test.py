"""An MCP server of the conformance suite whose sessions last."""

from __future__ import annotations

import asyncio
from typing import Any

from agents_runtime import Agent, McpAgent, McpContext, get_mcp_auth_context, tool
from agents_runtime.mcp import AuthInfo


class Kept(McpAgent):
    initial_state = {"count": 0}

    @tool
    async def count(self) -> dict[str, Any]:
        """Count the calls of this session."""
        self.set_state({"count": self.state["count"] + 1})
        auth = get_mcp_auth_context()
        return {"count": self.state["count"], "user": auth.subject if auth else None, "props": self.props}

    @tool
    async def steps(self, context: McpContext) -> str:
        """Report two steps."""
        for step in (1, 2):
            context.progress(step, 2)
            await asyncio.sleep(0.01)
        return "done"

    @tool
    async def confirm(self, context: McpContext) -> str:
        """Ask first."""
        answer = await context.elicit("Sure?", {"ok": "boolean"}, key="sure")
        return f"{answer.action} {answer.content.get('ok')}"

    @tool
    async def announce(self, context: McpContext) -> str:
        """Say that something has changed."""
        context.changes.tools()
        context.changes.resource("notes://1")
        return "told"

    @tool(task="required")
    async def job(self, context: McpContext) -> str:
        """Do it later."""
        answer = await context.elicit("Sure?", {"ok": "boolean"}, key="sure")
        return f"did it: {answer.content['ok']}"


class Neighbour(Agent):
    """An agent that uses the server without HTTP."""

    async def use(self, tool: str, arguments: dict[str, Any]) -> Any:
        self.mcp.configure_elicitation_handlers(form=self.agree)
        await self.add_mcp_server("kept", self.env.KEPT, props={"name": "neighbour"})
        told: list[float] = []
        result = await self.mcp.call_tool("kept", tool, arguments, on_progress=lambda done, *_: told.append(done))
        return [result["content"][0]["text"], told]

    async def agree(self, request: Any, server_id: str) -> Any:
        return {"action": "accept", "content": {"ok": True}}


def user_of(request: Any) -> AuthInfo | None:
    user = request.headers.get("x-user")
    return AuthInfo(client_id="app", subject=user, props={"name": user}) if user else None


kept = Kept.serve("/KEPT", transport="auto", allowed_hosts="*", auth=user_of)
