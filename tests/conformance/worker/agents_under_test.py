"""Agents of the conformance suite: what a user writes, and what every host must make of it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, TypedDict

from workers import Response

from agents_runtime import Agent, StreamingResponse, callable, get_agent_by_name, get_current_agent, stream_response
from agents_runtime.errors import AgentError

logger = logging.getLogger("suite")


class Count(TypedDict):
    count: int


class Desk(Agent[Count]):
    """An agent with a bit of everything."""

    initial_state: Count = {"count": 0}
    starts = 0

    async def on_start(self, props: Any = None) -> None:
        self.starts += 1
        self.sql("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, what TEXT, at INTEGER)")
        self.note(f"start {props}")

    def note(self, what: str) -> None:
        self.sql("INSERT INTO notes (what, at) VALUES (?, ?)", what, 1_800_000_000_000)

    def validate_state_change(self, next_state: Count, source: Any) -> None:
        if next_state["count"] < 0:
            raise ValueError("count must not be negative")

    def on_state_changed(self, state: Count, source: Any) -> None:
        self.note(f"state {state['count']} by {'server' if source == 'server' else 'client'}")

    @callable
    def notes(self) -> list[str]:
        return [row["what"] for row in self.sql("SELECT what FROM notes ORDER BY id")]

    @callable
    async def increment(self, by: int = 1) -> int:
        self.set_state({"count": self.state["count"] + by})
        return self.state["count"]

    @callable
    def integers(self) -> list[Any]:
        """A large integer in a column of integers, and one in a column without a type."""
        row = self.sql("SELECT typeof(at) AS kind, at FROM notes LIMIT 1")[0]
        return [row["kind"], row["at"], self.sql("SELECT ? AS yes, ? AS data", True, b"ab")[0]["yes"]]

    @callable
    def echo(self, value: Any) -> Any:
        return value

    @callable
    def fail(self, how: str) -> None:
        if how == "sql":
            self.sql("SELECT secret FROM nowhere")
        raise ValueError("what went wrong")

    @callable(streaming=True)
    async def count_to(self, stream: StreamingResponse, n: int) -> None:
        for number in range(n):
            stream.send(number)
            await asyncio.sleep(0.01)
        stream.end("done")

    @callable
    def me(self) -> Any:
        current = get_current_agent()
        return [current.agent is self, current.connection.id if current.connection else None, self.name]

    @callable
    async def ask(self, peer: str, method: str, *args: Any) -> Any:
        """Call another agent through a handle."""
        handle = await get_agent_by_name(self.env.DESK, peer)
        try:
            return await handle.call(method, *args)
        except AgentError as error:
            return [type(error).__name__, str(error)]

    @callable
    async def ask_with_names(self, peer: str) -> Any:
        handle = await get_agent_by_name(self.env.DESK, peer, props={"from": self.name})
        return [await handle.increment(by=5), (await handle.state)["count"], await handle.call("notes")]

    @callable
    async def finish(self) -> str:
        await self.destroy()
        return "destroyed"

    @callable
    def log(self) -> None:
        for level in (logging.INFO, logging.WARNING, logging.ERROR):
            logger.log(level, "a record of level %s", level)

    def on_message(self, connection, message):
        connection.send(f"text {message}" if isinstance(message, str) else message[::-1])

    def on_close(self, connection, code, reason, was_clean):
        self.note(f"close {code} {reason}")

    async def on_request(self, request):
        path = request.url.split("?")[0].rsplit("/", 1)[-1]
        if path == "stream":
            return stream_response(self.ticks())
        if path == "boom":
            raise ValueError("secret words")
        return Response.json({"name": self.name, "method": str(request.method.value), "body": await request.text()})

    async def ticks(self):
        for number in range(3):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.02)


class Slow(Agent):
    """An agent whose start fails the first time, and takes its time the next."""

    failed: set[str] = set()

    async def on_start(self) -> None:
        await asyncio.sleep(0.05)
        if self.name not in self.failed:
            self.failed.add(self.name)
            raise ValueError("not yet")

    @callable
    def ping(self) -> str:
        return "pong"

    def on_error(self, *args: Any) -> None:
        """Expected here."""
