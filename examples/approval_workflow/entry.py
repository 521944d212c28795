"""A shop whose orders are workflows: dear ones wait for a person, and none is lost when the server is killed."""

from __future__ import annotations

import asyncio

from agents_runtime import Agent, AgentWorkflow, WorkflowRejected, callable, route_agent_request
from agents_runtime.errors import ApprovalExpired
from workers import Response, WorkerEntrypoint

GOODS = {"tea": 12, "kettle": 65, "espresso machine": 480}
FREE_HAND = 100
"""Above this price a person has to agree."""
MOST = 20


class Orders(Agent):
    """The orders of one shop. What became of each is in the state, newest last."""

    initial_state = {"orders": {}}

    @callable
    async def place(self, item: str) -> str:
        order = {"item": item, "price": GOODS[item]}
        workflow_id = await self.run_workflow("FULFIL", order, metadata=order)
        self.change(workflow_id, **order)
        return workflow_id

    @callable
    async def decide(self, workflow_id: str, is_fine: bool, who: str = "somebody") -> None:
        """A shop of your own would look here whether the one who asks may decide."""
        if is_fine:
            await self.approve_workflow(workflow_id, metadata={"by": who})
        else:
            await self.reject_workflow(workflow_id, reason=f"{who} said no")

    def on_workflow_progress(self, name, workflow_id, progress):
        order, step = progress["order"], progress["step"]
        done = [*self.order(workflow_id).get("done", []), step]
        self.change(workflow_id, **order, done=list(dict.fromkeys(done)), waits=step == "ask")

    def on_workflow_complete(self, name, workflow_id, result):
        self.change(workflow_id, end=result["end"], waits=False)

    def on_workflow_error(self, name, workflow_id, error):
        self.change(workflow_id, end=f"Failed: {error}", waits=False)

    def order(self, workflow_id):
        return self.state["orders"].get(workflow_id, {})

    def change(self, workflow_id, **fields):
        orders = {**self.state["orders"], workflow_id: {**self.order(workflow_id), **fields}}
        self.set_state({"orders": dict(list(orders.items())[-MOST:])})

    def validate_state_change(self, next_state, source):
        if source != "server":
            raise ValueError("call place() or decide() instead")


class Fulfil(AgentWorkflow[Orders]):
    """One order. Each part is done once, however often the server dies."""

    async def run(self, event, step):
        self.order = event["payload"]
        await self.part(step, "reserve")
        if self.order["price"] > FREE_HAND:
            await self.part(step, "ask")
            try:
                decision = await self.wait_for_approval(step, timeout="7 days")
            except (WorkflowRejected, ApprovalExpired) as error:
                await self.part(step, "release")
                return {"end": f"Cancelled: {error}"}
            await self.part(step, "approved", by=decision["by"])
        await self.part(step, "charge")
        await step.sleep("until the courier comes", "2 seconds")
        await self.part(step, "ship")
        return {"end": "Delivered"}

    async def part(self, step, name, **details):
        @step.do(name, config={"retries": {"limit": 5, "delay": "2 seconds"}})
        async def work():
            await asyncio.sleep(0.5)  # in place of a warehouse, a bank, a courier
            await self.report_progress({"step": name, "order": self.order, **details})

        await work()


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
