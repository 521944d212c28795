"""Agents inside agents of the conformance suite."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from workers import Response

from agents_runtime import Agent, callable, task


class Member(Agent):
    """A child, and a parent of more of its kind."""

    initial_state = {"n": 0}
    options = {"keep_alive_interval_ms": 500}

    def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS notes (what TEXT)")
        self.lives = 0

    def note(self, what: Any, item: Any = None) -> None:
        self.sql("INSERT INTO notes VALUES (?)", str(what))

    def notes(self) -> list[str]:
        return [row["what"] for row in self.sql("SELECT what FROM notes ORDER BY rowid")]

    def count(self) -> int:
        """How many times this life of it was asked."""
        self.lives += 1
        return self.lives

    @callable
    async def add(self, by: int = 1) -> int:
        self.set_state({"n": self.state["n"] + by})
        return self.state["n"]

    def fail(self) -> None:
        raise ValueError("it cannot")

    def who(self) -> list[Any]:
        return [self.name, [step["name"] for step in self.self_path], [step["name"] for step in self.parent_path]]

    async def below(self, path: list[str], method: str, *args: Any) -> Any:
        """Call a method of the member at the end of a path; an empty path is this one."""
        if not path:
            return await self.call(method, *args)
        member = await self.sub_agent(Member, path[0])
        return await member.below(list(path[1:]), method, *args)

    def members(self) -> list[str]:
        return [info.name for info in self.list_sub_agents(Member)]

    async def drop(self, name: str) -> None:
        await self.delete_sub_agent(Member, name)

    async def interrupt(self, name: str) -> None:
        await self.abort_sub_agent(Member, name, "enough of it")

    async def refused(self, cls: str, name: str) -> str:
        try:
            await self.sub_agent(cls, name)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return "created"

    async def plan(self, seconds: float, what: str) -> None:
        await self.schedule(seconds, self.note, what)

    async def chain(self, links: int) -> None:
        """Note a number, and plan the next, again and again."""
        self.note(links)
        if links:
            await self.schedule(0.01, self.chain, links - 1)

    async def undo_and_plan(self) -> None:
        """Plan something in a transaction that is undone, and something else after it."""

        async def work(*transaction: Any) -> None:
            await self.schedule(0.3, self.note, "undone")
            raise ValueError("undone")

        with suppress(Exception):
            await self.ctx.storage.transaction(work)
        await self.plan(0.5, "kept")

    async def enqueue(self, *payloads: str) -> None:
        for payload in payloads:
            await self.queue(self.note, payload)

    @task
    async def work(self, step):
        await step.do("first", self.note, "first")
        await step.sleep("rest", 0.3)
        await step.do("second", self.note, "second")

    async def begin(self) -> None:
        await self.tasks.run("work")

    async def in_background(self, seconds: float) -> None:
        """Go on after the answer."""
        self.going = asyncio.ensure_future(self.keep_alive_while(self.say_later(seconds)))

    async def say_later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.broadcast("from the background")
        self.note("background")

    async def finish(self) -> str:
        await self.destroy()
        return "gone"

    def say(self, text: str) -> int:
        self.broadcast(text)
        return len(self.get_connections())

    async def ask_parent(self, cls: str, method: str) -> Any:
        return await (await self.parent_agent(cls)).call(method)

    def on_message(self, connection, message):
        if isinstance(message, bytes):
            connection.send(message[::-1])
        elif message == "bye":
            connection.close(4001, "as asked")
        else:
            self.broadcast(f"{connection.id}: {message}")

    def on_close(self, connection, code, reason, was_clean):
        self.note(f"close {connection.id} {code}")

    async def on_request(self, request):
        return Response(f"{self.name} {request.method.value} {request.url} {await request.text()}")


class Team(Member):
    """The root, with a gate. A member starts another one while the root starts."""

    async def on_start(self):  # pyright: ignore[reportIncompatibleMethodOverride] - a hook may be either
        super().on_start()
        if self.name.endswith("-starter"):
            first = await self.sub_agent(Member, "first")
            await first.plan(0.5, "planned at the start")
        if self.name.endswith("-eager"):
            first = await self.sub_agent(Member, "first")
            try:
                await first.ask_parent("Team", "members")
            except Exception as error:
                self.note(error)

    async def on_before_sub_agent(self, request, child):
        return Response("no", status=403) if child.name == "secret" else None
