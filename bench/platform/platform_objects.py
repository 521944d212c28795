"""An agent, and a Durable Object that does the same by hand with the SDK alone."""

from __future__ import annotations

import json
from typing import Any

from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

from agents_runtime import Agent, callable, route_agent_request


class Count(Agent):
    initial_state: dict[str, int] = {"count": 0}

    @callable
    def echo(self, value: Any) -> Any:
        return value

    @callable
    def increment(self, by: int) -> int:
        self.set_state({"count": self.state["count"] + by})
        return self.state["count"]


class Bare(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS state (id TEXT PRIMARY KEY, state TEXT)")
        rows = ctx.storage.sql.exec("SELECT state FROM state").toArray()
        self.state = json.loads(rows[0]["state"]) if rows else {"count": 0}

    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        for frame in ({"type": "identity"}, {"type": "state", "state": self.state}, {"type": "mcp"}):
            server.send(json.dumps(frame))
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        call = json.loads(message)
        result = getattr(self, call["method"])(*call["args"])
        ws.send(json.dumps({"type": "rpc", "id": call["id"], "success": True, "result": result, "done": True}))

    async def webSocketClose(self, ws, code, reason, was_clean):
        ws.close(code, reason)

    def echo(self, value):
        return value

    def increment(self, by):
        self.state = {"count": self.state["count"] + by}
        raw: Any = self.ctx
        raw._ctx.storage.sql.exec("INSERT OR REPLACE INTO state VALUES (?, ?)", "it", json.dumps(self.state))
        frame = json.dumps({"type": "cf_agent_state", "state": self.state})
        for socket in raw.getWebSockets():
            socket.send(frame)
        return self.state["count"]


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if "/bare/" in request.url:
            return await self.env.Bare.getByName("it").fetch(request)
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
