"""Durable work of the conformance suite: tasks, fibers and approvals must go on on every host."""

from __future__ import annotations

import asyncio
from typing import Any

from agents_runtime import Agent, task
from agents_runtime.tasks.errors import TaskFailed
from agents_runtime.tasks.step import get_current_step


class Durable(Agent):
    """Notes what it does in a table."""

    options = {"keep_alive_interval_ms": 500}

    def note(self, what: str) -> str:
        self.sql("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, what TEXT)")
        self.sql("INSERT INTO notes (what) VALUES (?)", what)
        return what

    def notes(self) -> list[str]:
        self.sql("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, what TEXT)")
        return [row["what"] for row in self.sql("SELECT what FROM notes ORDER BY id")]

    @task
    async def work(self, step, topic, pages):
        plan = await step.do("plan", self.plan, topic, pages)
        await step.sleep("rest", 0.3)
        read = await asyncio.gather(*(step.do(f"read {page}", self.read, page) for page in plan))
        return {"topic": topic, "pages": read}

    async def plan(self, topic: str, pages: int) -> list[str]:
        self.note(f"plan {topic}")
        return [f"{topic} {page}" for page in range(pages)]

    async def read(self, page: str) -> str:
        await asyncio.sleep(0.01)
        return self.note(f"read {page}")

    @task
    async def flaky(self, step):
        return await step.do("try", self.attempt, delay=0.1, backoff="constant")

    def attempt(self) -> int:
        attempt = get_current_step().attempt
        self.note(f"attempt {attempt}")
        if attempt < 3:
            raise ValueError("not yet")
        return attempt

    @task
    async def slow(self, step):
        await step.do("quick", self.note, "quick")
        await step.do("slow", self.wait_and_note, 1.0, timeout=5)
        return "done"

    async def wait_and_note(self, seconds: float) -> None:
        self.note("begun")
        await asyncio.sleep(seconds)
        self.note("ended")

    @task
    async def hopeless(self, step):
        await step.do("fail", self.fail, max_attempts=1)

    def fail(self) -> None:
        raise ValueError("it cannot work")

    @task
    async def ask(self, step):
        return await step.wait_for_approval("boss", {"amount": 5})

    async def start(self, name: str, args: list[Any], key: str | None = None) -> list[Any]:
        run = await self.tasks.run(name, *args, idempotency_key=key)
        return [run.run_id, run.accepted]

    async def run(self, name: str, args: list[Any]) -> Any:
        try:
            return await (await self.tasks.run(name, *args))
        except TaskFailed as error:
            return f"{error.error_name}: {error.error_message}"

    async def look(self, run_id: str) -> list[Any]:
        info = await self.tasks.get(run_id)
        return [info.state, info.result]

    async def stop(self, run_id: str) -> bool:
        return await self.tasks.cancel(run_id, "enough")

    async def decide(self, yes: bool) -> Any:
        [info] = await self.list_approvals("pending")
        return await (self.approve(info.request_id, {"by": "ada"}) if yes else self.reject(info.request_id, "no"))

    async def index(self, fiber: Any) -> None:
        for number in range(1_000):
            self.stash({"number": number})
            await asyncio.sleep(0.05)

    async def begin_fiber(self) -> str:
        return (await self.start_fiber("index", self.index, fiber_id="f", metadata={"by": "ada"})).status

    async def fiber(self) -> list[Any]:
        info = await self.inspect_fiber("f")
        return [info.status, info.snapshot]

    async def on_fiber_recovered(self, fiber: Any) -> Any:
        self.note(f"recovered {fiber.name} {fiber.snapshot['number'] > 0} {fiber.metadata['by']}")
        return {"status": "completed", "snapshot": "again"}

    def die(self) -> None:
        self.ctx.abort("on purpose")

    def on_error(self, *details: Any) -> None:
        self.note(f"error {type(details[-1]).__name__}")
