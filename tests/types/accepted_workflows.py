"""Workflows as users write them: both type checkers must accept it, with these types. Checked by scripts/test."""

from __future__ import annotations

from typing import Any, assert_type

from agents_runtime import Agent, AgentHandle, AgentWorkflow
from agents_runtime._core.jsonx import Json
from agents_runtime.workflows.models import WorkflowInfo, WorkflowPage
from agents_runtime.workflows.step import AgentWorkflowStep


class Shop(Agent[dict[str, Any]]):
    async def take(self, item: str) -> int:
        return len(item)

    async def order(self, item: str) -> str:
        workflow_id = await self.run_workflow("ORDER", {"item": item}, metadata={"item": item})
        assert_type(workflow_id, str)
        assert_type(await self.run_workflow(Order, {"item": item}), str)
        assert_type(await self.run_workflow({"name": "order", "input": {"item": item}}), str)
        assert_type(await self.get_workflow(workflow_id), WorkflowInfo | None)
        assert_type(await self.get_workflows(status=["running", "waiting"], limit=10), WorkflowPage)
        assert_type(await self.delete_workflow(workflow_id), bool)
        assert_type(await self.delete_workflows(status="complete"), int)
        await self.approve_workflow(workflow_id, metadata={"by": "ada"})
        await self.send_workflow_event("ORDER", workflow_id, {"type": "paid", "payload": 1})
        return workflow_id

    async def on_workflow_complete(self, workflow_name: str, workflow_id: str, result: Json, /) -> None:
        await self.take(workflow_id)


class Order(AgentWorkflow[Shop]):
    async def run(self, event: Any, step: AgentWorkflowStep) -> dict[str, Any]:
        assert_type(self.agent, AgentHandle[Shop])
        assert_type(await self.agent.call(Shop.take, "tea"), int)

        @step.do("reserve", config={"retries": {"limit": 3, "delay": "5 seconds"}})
        async def reserve() -> int:
            return 1

        reserved: int = await reserve()
        await step.sleep("nap", "1 day")
        await step.merge_agent_state({"reserved": reserved})
        assert_type(await self.wait_for_approval(step, timeout="7 days"), Any)
        assert_type(self.workflow_id, str)
        return {"reserved": reserved}
