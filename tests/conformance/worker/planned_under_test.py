"""Scheduled work of the conformance suite: schedules and queue items run on every host."""

from __future__ import annotations

from typing import Any

from agents_runtime import Agent
from agents_runtime.errors import InvalidCron


class Planned(Agent):
    """Notes what it was called for in a table, with the time."""

    def note(self, payload: Any, item: Any) -> None:
        self.sql("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, what TEXT, at INTEGER)")
        self.sql("INSERT INTO notes (what, at) VALUES (?, ?)", str(payload), self._platform.clock.now_ms())

    def fail(self, payload: Any) -> None:
        self.note("tried", None)
        raise ValueError("it cannot work")

    def on_error(self, *details: Any) -> None:
        """What fails here is meant to."""

    def on_task(self, payload: Any, schedule: Any) -> None:
        self.note(payload["type"], schedule)

    def notes(self) -> list[str]:
        return [row["what"] for row in self._rows()]

    def _rows(self) -> list[Any]:
        self.sql("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, what TEXT, at INTEGER)")
        return self.sql("SELECT what, at FROM notes ORDER BY id")

    async def plan(self, seconds: float, payload: str) -> list[Any]:
        schedule = await self.schedule(seconds, self.note, payload)
        return [schedule.id, schedule.type, schedule.payload]

    async def plan_several(self, seconds: float, count: int) -> None:
        for number in range(count):
            await self.schedule(seconds, "note", number)

    async def plan_every(self, seconds: float) -> str:
        return (await self.schedule_every(seconds, self.note, "every", align=True)).id

    async def plan_task(self) -> None:
        await self.schedule({"type": "digest"}, "100 ms")

    async def plan_cron(self) -> list[Any]:
        made = [await self.schedule("0 9 * * mon-fri", self.note, "cron", tz="Europe/Paris") for _ in range(2)]
        try:
            await self.schedule("0 9 * * fri-mon", self.note)
        except InvalidCron as error:
            return [len({schedule.id for schedule in made}), made[0].tz, error.meant]
        return []

    async def early(self) -> bool:
        """Whether anything ran before its time. Payloads of `plan_exactly` are the times they were due."""
        return any(row["at"] < int(row["what"]) for row in self._rows())

    async def plan_exactly(self) -> None:
        for delay_ms in (150, 151, 152, 153):
            due_ms = self._platform.clock.now_ms() + delay_ms
            await self.schedule(delay_ms / 1000, self.note, str(due_ms))

    async def forget(self, schedule_id: str) -> bool:
        return await self.cancel_schedule(schedule_id)

    async def enqueue(self, *payloads: Any) -> None:
        for payload in payloads:
            await self.queue(self.note, payload)

    async def enqueue_failing(self) -> None:
        await self.queue(self.fail, retry={"max_attempts": 2, "base_delay_ms": 10, "max_delay_ms": 20})

    async def dead(self) -> list[str]:
        return [letter.error for letter in await self.list_dead_letters()]

    async def pull_in_order(self) -> list[Any]:
        for number in range(3):
            await self.queue({"n": number})
        return [await self.dequeue(), await self.get_queue(), await self.dequeue_all(), await self.dequeue()]

    async def waiting(self) -> int:
        return len(await self.list_schedules()) + len(await self.get_queues())
