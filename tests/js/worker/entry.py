"""An agent with one method for everything a client can do, and a route of its own for `basePath`."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

from workers import Response, WorkerEntrypoint

from agents_runtime import (
    Agent,
    Connection,
    StreamingResponse,
    callable,
    get_agent_by_name,
    get_current_agent,
    route_agent_request,
)

REACT_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>useAgent</title>
<link rel="icon" href="data:,">
<div id="root"></div>
<script type="module" src="/react/page.js"></script>
</html>
"""
"""Where a test lets `useAgent` run. Its script comes from the test."""


class Probe(Agent):
    initial_state = {"count": 0}

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.calls_in_this_life = 0

    def should_connection_be_readonly(self, connection, ctx):
        return "readonly" in parse_qs(urlsplit(ctx.request.url).query)

    def validate_state_change(self, next_state, source):
        if next_state["count"] < 0:
            raise ValueError("count must not be negative")

    def on_connect(self, connection, ctx):
        connection.set_state({"query": urlsplit(ctx.request.url).query})

    def on_message(self, connection, message):
        connection.send(message)

    async def on_request(self, request):
        return Response.json({"method": request.method, "body": await request.text(), "count": self.state["count"]})

    def caller(self) -> Connection:
        connection = get_current_agent().connection
        assert isinstance(connection, Connection)
        return connection

    @callable
    def increment(self, by=1):
        self.set_state({"count": self.state["count"] + by})
        return self.state["count"]

    @callable
    def echo(self, value=None):
        return value

    @callable
    def fail(self, text):
        raise RuntimeError(text)

    @callable
    async def slow(self, seconds, value=None):
        await asyncio.sleep(seconds)
        return value

    def hidden(self):
        return "nobody may call this"

    @callable(streaming=True)
    async def words(self, text):
        for word in text.split():
            yield word
            await asyncio.sleep(0.01)

    @callable(streaming=True)
    def count_to(self, stream: StreamingResponse, last):
        for number in range(1, last + 1):
            stream.send(number)
        stream.end({"total": last})

    @callable(streaming=True)
    async def words_then_fail(self, text):
        for word in text.split():
            yield word
        raise RuntimeError("ran out of words")

    @callable
    def me(self):
        connection = self.caller()
        return {"id": connection.id, "state": connection.state, "others": len(list(self.get_connections())) - 1}

    @callable
    def remember(self, value):
        self.caller().set_state({"remembered": value})

    @callable
    def life(self):
        """How often this has been called since the object was built."""
        self.calls_in_this_life += 1
        return self.calls_in_this_life

    @callable
    def shout(self, text):
        self.broadcast(text)

    @callable
    async def use_tools(self):
        await self.add_mcp_server("Crate", self.env.Crate, id="crate")

    @callable
    async def drop_tools(self):
        await self.remove_mcp_server("crate")

    @callable
    def dismiss(self, code, reason):
        self.caller().close(code, reason)


class Plain(Agent):
    """No state, no methods."""


class Crate(Agent):
    """An MCP server for other agents, with as little as that takes."""

    async def handleMcpMessage(self, message):
        results = {
            "initialize": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}},
            "tools/list": {"tools": [{"name": "open", "inputSchema": {"type": "object"}}]},
        }
        result = results.get(message["method"])
        return None if result is None else {"jsonrpc": "2.0", "id": message["id"], "result": result}


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = urlsplit(request.url).path
        if path == "/react/":
            return Response(REACT_PAGE, headers={"Content-Type": "text/html; charset=utf-8"})
        if path.startswith("/mine/"):
            mine = await get_agent_by_name(self.env.Probe, request.url.split("/mine/")[1].split("?")[0])
            return await mine.fetch(request)
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
