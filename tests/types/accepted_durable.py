"""Durable work as users write it: both type checkers must accept it, with these types. Checked by scripts/test."""

from __future__ import annotations

from typing import Any, assert_type

from agents_runtime import Agent, task
from agents_runtime.fibers.models import Fiber, FiberInfo, FiberRecovery, FiberResolution
from agents_runtime.tasks.models import TaskInfo
from agents_runtime.tasks.runs import TaskRun
from agents_runtime.tasks.step import Step


class Researcher(Agent[dict[str, Any]]):
    @task
    async def research(self, step: Step, topic: str) -> list[str]:
        plan = await step.do("plan", self.plan, topic, max_attempts=3, delay="10 seconds")
        assert_type(plan, list[str])
        assert_type(await step.do("count", self.count, plan), int)
        await step.sleep("rest", 5)
        await step.status("half way")
        assert_type(await step.wait_for_approval("boss", {"topic": topic}, timeout="1 day"), Any)
        return plan

    async def plan(self, topic: str) -> list[str]:
        return [topic]

    def count(self, plan: list[str]) -> int:
        return len(plan)

    async def start(self) -> None:
        run = await self.tasks.run(self.research, "bees", idempotency_key="k")
        assert_type(run, TaskRun)
        assert_type(await run, Any)
        assert_type(await self.tasks.get(run.run_id), TaskInfo | None)
        assert_type(await self.run_fiber("index", self.index), int)
        assert_type(await self.start_fiber("index", lambda: self.plan("x")), FiberInfo)
        assert_type(await self.wait_for_approval({"request_id": "x"}), Any)

    async def index(self, fiber: Fiber) -> int:
        fiber.stash({"at": 1})
        await self.stash({"at": 2})
        return 3

    async def on_fiber_recovered(self, fiber: FiberRecovery) -> FiberResolution | None:
        return {"status": "completed"} if fiber.snapshot else None
