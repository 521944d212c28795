"""A plain client of the protocol's modern revision, which knows tasks, for tests."""

from __future__ import annotations

import json
from typing import Any

from agents_runtime.mcp.protocol.headers import routing_headers
from agents_runtime.mcp.protocol.sse import SseDecoder

VERSION = "2026-07-28"
TASKS = {"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}


class ModernClient:
    """One client of one endpoint. Each request stands by itself."""

    def __init__(self, runtime: Any, path: str = "/mcp", capabilities: dict[str, Any] | None = None) -> None:
        self.runtime = runtime
        self.path = path
        self.capabilities = TASKS if capabilities is None else capabilities
        self._ids = 0

    async def send(self, method: str, **params: Any) -> Any:
        """Send a request; its HTTP response."""
        self._ids += 1
        meta = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
        }
        body = {"jsonrpc": "2.0", "id": self._ids, "method": method, "params": {**params, "_meta": meta}}
        headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        headers |= routing_headers(VERSION, method, params)
        return await self.runtime.fetch(
            "http://localhost" + self.path, method="POST", headers=headers, body=json.dumps(body)
        )

    async def respond(self, method: str, **params: Any) -> Any:
        """Send a request; its JSON-RPC response."""
        answer = await self.send(method, **params)
        text = await answer.text()
        if answer.headers["content-type"] == "text/event-stream":
            return json.loads(SseDecoder().feed(text.encode())[-1].data)
        return json.loads(text)

    async def request(self, method: str, **params: Any) -> Any:
        """Send a request; its result, without what every result says about the server."""
        response = await self.respond(method, **params)
        result = dict(response["result"])
        result.pop("_meta", None)
        if result.get("resultType") == "complete":
            del result["resultType"]
        return result
