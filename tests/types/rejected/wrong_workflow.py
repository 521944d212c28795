"""A workflow's handle on its agent is typed, and so are the verbs that start and look for workflows."""

from __future__ import annotations

from typing import Any

from agents_runtime import Agent, AgentWorkflow
from agents_runtime.workflows.step import AgentWorkflowStep


class Shop(Agent[dict[str, Any]]):
    async def take(self, item: str) -> int:
        return len(item)

    async def order(self, workflow_id: str) -> None:
        await self.get_workflows(limit="ten")  # refused
        await self.pause_workflow(5)  # refused
        await self.approve_workflow(workflow_id, because="fine")  # refused


class Order(AgentWorkflow[Shop]):
    async def run(self, event: Any, step: AgentWorkflowStep) -> None:
        await self.agent.call(Shop.take, 5)  # refused
        await step.sleep("nap")  # refused
