"""The agent of `desk.js`, in Python: each finds what the other has stored."""

from __future__ import annotations

import asyncio
from typing import Any

from workers import Response, WorkerEntrypoint

from agents_runtime import Agent, callable, route_agent_request


class Drawer(Agent):
    initial_state: dict[str, Any] = {"texts": []}

    def put(self, text: str) -> list[str]:
        self.set_state({"texts": [*self.state["texts"], text]})
        return self.state["texts"]

    async def put_soon(self, seconds: float, text: str) -> None:
        await self.schedule(seconds, self.late, {"text": text})

    def late(self, payload: Any) -> None:
        self.put(f"Python: {payload['text']}")


class Desk(Agent):
    initial_state: dict[str, Any] = {"count": 0}
    is_busy = False

    @callable
    def increment(self, by: int) -> Any:
        self.set_state({**self.state, "count": self.state["count"] + by})
        return self.state

    @callable
    async def plan(self) -> Any:
        await self.schedule(3600, "remind", {"text": "in an hour é"})
        await self.schedule("0 9 * * 1", "remind", {"text": "on Mondays"})
        await self.schedule_every(600, "remind", {"text": "every ten minutes"})
        return await self.planned()

    @callable(name="planSoon")
    async def plan_soon(self, seconds: int) -> str:
        await self.schedule(seconds, "remind", {"text": "soon, from Python"})
        return "planned"

    @callable
    async def planned(self) -> Any:
        found: list[list[Any]] = []
        for one in await self.get_schedules():
            payload: Any = one.payload
            found.append([one.type, one.callback, payload["text"], one.cron, one.interval_seconds])
        return sorted(found)

    def remind(self, payload: Any, schedule: Any = None) -> None:
        self.set_state({**self.state, "reminded": f"Python: {payload['text']}"})

    @callable
    async def fill(self, texts: list[str]) -> Any:
        """Leave items in the queue: the first one does not end in this life of the object."""
        self.is_busy = True
        for text in texts:
            await self.queue("note", {"kind": "note", "text": text})
        return await self.waiting()

    async def note(self, payload: Any, item: Any = None) -> None:
        if self.is_busy:
            await asyncio.get_running_loop().create_future()
        self.set_state({**self.state, "noted": [*self.state.get("noted", []), payload["text"]]})

    @callable
    async def waiting(self) -> Any:
        found: list[list[Any]] = []
        for item in await self.get_queues("kind", "note"):
            payload: Any = item.payload
            found.append([item.id, item.callback, payload["text"]])
        return found

    @callable
    async def join(self, url: str, host: str) -> Any:
        """Use one MCP server, at which a person has to let it in."""
        added = await self.add_mcp_server("work", url, callback_host=host, id="work")
        return {"id": added["id"], "state": added["state"], "authUrl": added["auth_url"]}

    @callable
    def server(self) -> Any:
        listed: Any = self.get_mcp_servers()
        work = listed["servers"]["work"]
        return [work["state"], work["auth_url"], sorted(tool["name"] for tool in listed["tools"])]

    @callable
    async def use(self, tool: str) -> Any:
        result: Any = await self.mcp.call_tool("work", tool)
        return result["content"][0]["text"]

    @callable
    def look(self) -> Any:
        return self.state

    @callable
    async def put(self, name: str, text: str) -> list[str]:
        return await (await self.sub_agent(Drawer, name)).put(text)

    @callable(name="putSoon")
    async def put_soon(self, name: str, seconds: float, text: str) -> str:
        await (await self.sub_agent(Drawer, name)).put_soon(seconds, text)
        return "planned"

    @callable
    def drawers(self) -> list[str]:
        return [info.name for info in self.list_sub_agents(Drawer)]

    @callable(name="removeDrawer")
    async def remove_drawer(self, name: str) -> list[str]:
        await self.delete_sub_agent(Drawer, name)
        return self.drawers()


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("no agent", status=404)
