"""Scheduled and queued work as users write it: both type checkers must accept it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from agents_runtime import Agent
from agents_runtime.queue.models import QueueItem
from agents_runtime.scheduler.models import Schedule


class Planner(Agent[dict[str, int]]):
    async def plan(self) -> None:
        assert_type(await self.schedule(60, self.remind, {"a": 1}, retry={"max_attempts": 3}), Schedule)
        await self.schedule(timedelta(minutes=1), "remind", key="one")
        await self.schedule({"type": "digest"}, "2026-01-01T00:00:00Z")
        await self.schedule_every("5 minutes", self.remind, align=True)
        assert_type(await self.schedule_every({"type": "refresh"}, 300), Schedule)
        assert_type(await self.get_schedule_by_id("x"), Schedule | None)

    async def line_up(self) -> None:
        assert_type(await self.queue(self.work, {"a": 1}, priority=1), str)
        assert_type(await self.queue({"a": 1}), str)
        assert_type(await self.dequeue("x"), bool)
        assert_type(await self.get_queue("x"), QueueItem | None)
        assert_type(await self.get_queues(), list[QueueItem])

    async def hold(self) -> None:
        async with self.keep_alive():
            assert_type(await self.retry(self.look, max_attempts=5), int)

    async def look(self, attempt: int) -> int:
        return attempt

    def remind(self, payload: Any, schedule: Schedule) -> None:
        assert_type(schedule.time_ms, int)

    async def work(self, payload: Any, item: QueueItem) -> None:
        assert_type(item.id, str)
