"""Workflows that an agent starts: progress, approval, ends, control, and what is left after crashes."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from workers.workflows import NonRetryableError

from agents_runtime import Agent, AgentWorkflow, UsageError, WorkflowRejected
from agents_runtime.errors import ApprovalExpired, DefinitionError, RemoteError
from agents_runtime.workflows.errors import UnknownWorkflow


class Shop(Agent):
    initial_state = {"sold": 0}

    def note(self, *what: Any) -> None:
        self.sql("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, what TEXT)")
        self.sql("INSERT INTO notes (what) VALUES (?)", " ".join(map(str, what)))

    def notes(self) -> list[str]:
        self.sql("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, what TEXT)")
        return [row["what"] for row in self.sql("SELECT what FROM notes ORDER BY id")]

    async def order(self, item, **options):
        return await self.run_workflow("OrderFlow", {"item": item}, **options)

    def on_workflow_progress(self, name, workflow_id, progress):
        self.note("progress", progress)

    def on_workflow_complete(self, name, workflow_id, result):
        self.note("complete", result)

    def on_workflow_error(self, name, workflow_id, error):
        self.note("error", error)

    def on_workflow_event(self, name, workflow_id, event):
        self.note("event", event)


class OrderFlow(AgentWorkflow[Shop]):
    async def run(self, event, step):
        item = event["payload"]["item"]
        return await getattr(self, item)(event, step)

    async def tea(self, event, step):
        @step.do("weigh")
        async def weigh():
            await self.agent.note("weighed")
            return {"grams": 100}

        found = await weigh()
        await self.report_progress({"step": "weigh", "percent": 0.5})
        await step.sleep("steep", "3 minutes")

        @step.do("pack")
        async def pack():
            await self.agent.note("packed", found["grams"])
            return "packed"

        return {"box": await pack(), "of": event["payload"]["item"]}

    async def wine(self, event, step):
        decided = await self.wait_for_approval(step, timeout="2 days")
        return {"approved": decided}

    async def broken(self, event, step):
        @step.do("fail", config={"retries": {"limit": 2, "delay": "10 seconds", "backoff": "constant"}})
        async def fail():
            await self.agent.note("tried")
            raise RuntimeError("no stock")

        await fail()

    async def refused(self, event, step):
        @step.do("fail")
        async def fail():
            await self.agent.note("tried")
            raise NonRetryableError("sold out")

        await fail()

    async def state(self, event, step):
        await step.update_agent_state({"sold": 1, "kept": True})
        await step.merge_agent_state({"sold": 2})
        await step.send_event({"kind": "sold"})
        if event["payload"].get("reset"):
            await step.reset_agent_state()

    async def shout(self, event, step):
        await self.broadcast_to_clients({"type": "shout"})

    async def bytes(self, event, step):
        @step.do("make")
        async def make():
            return b"\x00\x01"

        return await make()

    async def handled(self, event, step):
        try:
            await self.wait_for_approval(step, timeout=60)
        except ApprovalExpired:
            return "too late"
        except WorkflowRejected as error:
            return f"refused: {error.reason}"
        return "approved"


@pytest.fixture
def shop(runtime):
    runtime.bind(OrderFlow)
    return runtime.get(Shop, "corner")


async def status_of(shop, workflow_id):
    return (await shop.get_workflow(workflow_id)).status


async def test_an_order_goes_through_its_steps_and_its_end_is_told(runtime, shop):
    workflow_id = await shop.order("tea", metadata={"for": "ada"})
    await runtime.settle()
    info = await shop.get_workflow(workflow_id)
    assert workflow_id.startswith("wf_")
    assert (info.workflow_name, info.status, info.metadata) == ("OrderFlow", "running", {"for": "ada"})
    assert await shop.notes() == ["weighed", "progress {'step': 'weigh', 'percent': 0.5}"]
    assert (await shop.get_workflow_status("OrderFlow", workflow_id))["status"] == "waiting"
    await runtime.advance(minutes=2, seconds=59)
    assert "packed 100" not in await shop.notes()
    await runtime.advance(seconds=1)
    assert await status_of(shop, workflow_id) == "complete"
    assert [note for note in await shop.notes() if "progress" not in note] == [
        "weighed",
        "packed 100",
        "complete {'box': 'packed', 'of': 'tea'}",
    ]
    assert (await shop.get_workflow_status("order-flow", workflow_id))["output"] == {"box": "packed", "of": "tea"}


async def test_each_step_runs_once_however_often_everything_dies(runtime, shop):
    workflow_id = await shop.order("tea")
    await runtime.settle()
    for _ in range(3):
        await runtime.restart(crash=True)
        await runtime.advance(seconds=30)
    await runtime.advance(minutes=5)
    assert await status_of(shop, workflow_id) == "complete"
    assert [note for note in await shop.notes() if "progress" not in note] == [
        "weighed",
        "packed 100",
        "complete {'box': 'packed', 'of': 'tea'}",
    ]


async def test_a_person_approves_after_a_restart(runtime, shop):
    workflow_id = await shop.order("wine")
    await runtime.settle()
    assert await status_of(shop, workflow_id) == "waiting"
    await runtime.restart(crash=True)
    await runtime.advance(hours=20)
    assert await status_of(shop, workflow_id) == "waiting"
    await shop.approve_workflow(workflow_id, metadata={"by": "ada"})
    await runtime.settle()
    assert await status_of(shop, workflow_id) == "complete"
    assert await shop.notes() == ["complete {'approved': {'by': 'ada'}}"]


async def test_a_person_refuses(runtime, shop):
    workflow_id = await shop.order("wine")
    await runtime.settle()
    await shop.reject_workflow(workflow_id, reason="too dear")
    await runtime.settle()
    info = await shop.get_workflow(workflow_id)
    assert (info.status, info.error) == ("errored", {"name": "WorkflowError", "message": "too dear"})
    assert await shop.notes() == ["error too dear"]


async def test_a_refusal_that_is_handled_is_no_failure(runtime, shop):
    workflow_id = await shop.order("handled")
    await runtime.settle()
    await shop.reject_workflow(workflow_id, reason="no money")
    await runtime.settle()
    assert await shop.notes() == ["complete refused: no money"]
    assert await status_of(shop, workflow_id) == "complete"


async def test_nobody_decides_in_time(runtime, shop):
    workflow_id = await shop.order("handled")
    await runtime.settle()
    await runtime.advance(seconds=60)
    assert await shop.notes() == ["complete too late"]
    assert await status_of(shop, workflow_id) == "complete"


async def test_a_decision_that_comes_before_the_question_is_kept(runtime, shop):
    workflow_id = await shop.order("handled")
    await shop.approve_workflow(workflow_id)
    await runtime.settle()
    assert await shop.notes() == ["complete approved"]


async def test_a_step_is_tried_again_and_the_failure_is_told(runtime, shop):
    workflow_id = await shop.order("broken")
    await runtime.advance(seconds=25)
    info = await shop.get_workflow(workflow_id)
    assert info.status == "errored"
    assert info.error == {"name": "WorkflowError", "message": "RuntimeError: no stock"}
    assert await shop.notes() == ["tried", "tried", "tried", "error RuntimeError: no stock"]


async def test_what_must_not_be_tried_again_is_not(runtime, shop):
    await shop.order("refused")
    await runtime.settle()
    assert await shop.notes() == ["tried", "error sold out"]


async def test_a_workflow_changes_the_state_of_its_agent(runtime, shop):
    client = await runtime.connect(shop)
    await shop.order("state")
    await runtime.settle()
    assert await runtime.run_in_agent(shop, lambda agent: agent.state) == {"sold": 2, "kept": True}
    assert await shop.notes() == ["event {'kind': 'sold'}", "complete None"]
    await client.close()
    await runtime.get(Shop, "other").run_workflow("OrderFlow", {"item": "state", "reset": True})
    await runtime.settle()
    assert await runtime.run_in_agent(runtime.get(Shop, "other"), lambda agent: agent.state) == {"sold": 0}


async def test_a_workflow_speaks_to_the_clients_of_its_agent(runtime, shop):
    client = await runtime.connect(shop)
    await shop.order("shout")
    assert (await client.expect("shout")) == {"type": "shout"}


async def test_a_result_that_is_no_json_stays_with_the_platform(runtime, shop):
    workflow_id = await shop.order("bytes")
    await runtime.settle()
    assert await shop.notes() == ["complete None"]
    found = await shop.get_workflow_status("OrderFlow", workflow_id)
    assert bytes(found["output"]) == b"\x00\x01"


async def test_pause_resume_and_terminate(runtime, shop):
    workflow_id = await shop.order("tea")
    await runtime.settle()
    await runtime.advance(minutes=1)
    await shop.pause_workflow(workflow_id)
    assert await status_of(shop, workflow_id) == "paused"
    await runtime.advance(hours=1)
    assert "packed 100" not in await shop.notes()
    await shop.resume_workflow(workflow_id)
    await runtime.advance(minutes=1, seconds=59)
    assert "packed 100" not in await shop.notes()
    await runtime.advance(seconds=1)
    assert await status_of(shop, workflow_id) == "complete"
    other = await shop.order("tea")
    await runtime.settle()
    await shop.terminate_workflow(other)
    assert await status_of(shop, other) == "terminated"
    await runtime.advance(hours=1)
    assert (await shop.notes()).count("packed 100") == 1


@pytest.mark.parametrize("verb", ["pause", "resume", "terminate", "restart"])
@pytest.mark.parametrize(("item", "status"), [("shout", "complete"), ("refused", "errored")])
async def test_what_has_ended_stays_so_when_the_platform_has_forgotten_it(runtime, shop, verb, item, status):
    retention = {"successRetention": "1 minute", "errorRetention": "1 minute"}
    workflow_id = await shop.order(item, retention=retention)
    await runtime.advance(seconds=90)
    before = await shop.get_workflow(workflow_id)
    assert before["status"] == status
    with pytest.raises(RemoteError, match="not_found"):
        await shop.call(f"{verb}_workflow", workflow_id)
    await runtime.advance(hours=2)
    assert await shop.get_workflow(workflow_id) == before
    assert len([note for note in await shop.notes() if note.startswith(("complete", "error"))]) == 1


async def test_a_restarted_workflow_begins_anew(runtime, shop):
    workflow_id = await shop.order("tea")
    await runtime.advance(minutes=4)
    assert await status_of(shop, workflow_id) == "complete"
    await shop.restart_workflow(workflow_id)
    await runtime.settle()
    info = await shop.get_workflow(workflow_id)
    assert (info.status, info.completed_at_ms) == ("running", None)
    await runtime.advance(minutes=4)
    assert (await shop.notes()).count("packed 100") == 2
    assert (await shop.notes()).count("complete {'box': 'packed', 'of': 'tea'}") == 2


async def test_both_forms_of_starting(runtime, shop):
    await shop.run_workflow({"name": "order-flow", "input": {"item": "shout"}, "id": "order-7", "metadata": {"n": 7}})
    await runtime.settle()
    assert (await shop.get_workflow("order-7")).metadata == {"n": 7}
    await runtime.run_in_agent(shop, lambda agent: agent.run_workflow(OrderFlow, {"item": "shout"}, id="order-8"))
    await runtime.settle()
    assert await status_of(shop, "order-8") == "complete"


async def test_mistakes_are_named(runtime, shop):
    async def expect(call, kind, text):
        with pytest.raises(kind, match=text):
            await runtime.run_in_agent(shop, call)

    await expect(lambda agent: agent.run_workflow("Orders"), UsageError, "no workflow binding 'Orders'.*has OrderFlow")
    await expect(lambda agent: agent.run_workflow({"input": {}}), UsageError, "needs a name")
    await expect(lambda agent: agent.run_workflow({"name": "OrderFlow", "inputs": {}}), UsageError, "'inputs'.*'input'")
    await expect(lambda agent: agent.run_workflow("OrderFlow", {"x": object()}), UsageError, r"params.*x")
    await expect(lambda agent: agent.run_workflow("OrderFlow", {"__agentName": 1}), UsageError, "__agentName")
    await expect(lambda agent: agent.approve_workflow("none"), UnknownWorkflow, "no workflow 'none'")
    await expect(lambda agent: agent.terminate_workflow("none"), UnknownWorkflow, "no workflow 'none'")
    await shop.order("shout", id="twice")
    await expect(lambda agent: agent.order("shout", id="twice"), UsageError, "already being tracked")
    await expect(lambda agent: agent.get_workflows(status="done"), UsageError, "no status 'done'")
    await expect(lambda agent: agent.get_workflows(cursor="?"), UsageError, "no cursor")
    await expect(lambda agent: agent.order("shout", id="-bad"), Exception, "invalid id")
    assert await runtime.run_in_agent(shop, lambda agent: agent.get_workflow("-bad")) is None
    with pytest.raises(DefinitionError, match="async def run"):
        type("Sync", (AgentWorkflow,), {"run": lambda self, event, step: None})


async def test_an_id_of_another_agent_is_refused_and_not_tracked(runtime, shop):
    await shop.order("shout", id="mine")
    other = runtime.get(Shop, "other")
    with pytest.raises(UsageError, match="give another id"):
        await runtime.run_in_agent(other, lambda agent: agent.order("shout", id="mine"))
    assert await other.get_workflow("mine") is None


async def test_workflows_are_found_page_by_page(runtime, shop):
    for number in range(5):
        await shop.order("shout", id=f"w{number}", metadata={"even": number % 2 == 0, "n": number})
        await runtime.advance(seconds=1)
    page = await shop.get_workflows(limit=2)
    assert [info.workflow_id for info in page.workflows] == ["w4", "w3"]
    assert page.total == 5
    rest = await shop.get_workflows(limit=3, cursor=page.next_cursor)
    assert [info.workflow_id for info in rest.workflows] == ["w2", "w1", "w0"]
    assert rest.next_cursor is None
    even = await shop.get_workflows(metadata={"even": True}, order_by="asc")
    assert [info.workflow_id for info in even.workflows] == ["w0", "w2", "w4"]
    assert (await shop.get_workflows(status=["errored"])).total == 0
    assert await shop.delete_workflow("w0") is True
    assert await shop.delete_workflow("w0") is False
    assert await shop.delete_workflows(status="complete") == 4


async def test_a_start_that_a_crash_left_open_is_kept(runtime, shop):
    async def promise_only(agent):
        agent._workflows._promise("OrderFlow", "open", with_origin_of(agent), None, order_of())

    from agents_runtime.workflows.params import Origin, with_origin
    from agents_runtime.workflows.workflows import Order

    def with_origin_of(agent):
        return with_origin({"item": "tea"}, "OrderFlow", Origin("Shop", agent.name))

    def order_of():
        return Order("OrderFlow")

    await runtime.run_in_agent(shop, promise_only)
    await runtime.restart(crash=True)
    assert (await shop.get_workflow("open")).status == "queued"
    await runtime.advance(minutes=4)
    assert await status_of(shop, "open") == "complete"


async def test_an_end_of_which_nobody_told_is_found_out(runtime, shop):
    workflow_id = await shop.order("wine")
    await runtime.settle()
    instance = await runtime.env.OrderFlow.get(workflow_id)
    await instance.terminate()
    assert await status_of(shop, workflow_id) == "waiting"
    await runtime.advance(minutes=3)
    assert await status_of(shop, workflow_id) == "terminated"


async def test_a_hook_that_fails_is_reported_and_not_repeated(runtime):
    class Clumsy(Shop):
        def on_workflow_complete(self, name, workflow_id, result):
            self.note("told")
            raise ValueError("the hook is broken")

        def on_error(self, error):
            self.note("error", error)

    runtime.bind(OrderFlow)
    clumsy = runtime.get(Clumsy, "c")
    await clumsy.run_workflow("OrderFlow", {"item": "shout"})
    await runtime.settle()
    await runtime.restart(crash=True)
    await runtime.advance(hours=1)
    assert await clumsy.notes() == ["told", "error the hook is broken"]


async def test_a_hook_that_was_interrupted_is_called_again(runtime):
    class Slow(Shop):
        async def on_workflow_complete(self, name, workflow_id, result):  # pyright: ignore[reportIncompatibleMethodOverride] # may be either
            self.note("begun")
            await asyncio.sleep(0.01)
            if len(self.notes()) < 2:
                await self._platform.committed()
                self.ctx.abort("gone")
            self.note("told")

    runtime.expect_errors()
    runtime.bind(OrderFlow)
    slow = runtime.get(Slow, "s")
    workflow_id = await slow.run_workflow("OrderFlow", {"item": "shout"})
    await asyncio.sleep(0.05)
    await runtime.advance(minutes=2)
    await asyncio.sleep(0.05)
    assert await slow.notes() == ["begun", "begun", "told"]
    assert await status_of(slow, workflow_id) == "complete"


async def test_what_is_not_tracked_any_more_still_reports(runtime, shop):
    workflow_id = await shop.order("tea")
    await runtime.settle()
    await shop.delete_workflow(workflow_id)
    await runtime.advance(minutes=3)
    assert (await shop.notes())[-1] == "complete {'box': 'packed', 'of': 'tea'}"
    assert await shop.get_workflow(workflow_id) is None
    other = await shop.order("tea")
    await runtime.settle()
    await shop.destroy()
    await runtime.advance(minutes=3)
    assert (await shop.notes())[-2:] == ["packed 100", "complete {'box': 'packed', 'of': 'tea'}"]
    assert (await (await runtime.env.OrderFlow.get(other)).status())["status"] == "complete"


async def test_a_workflow_that_no_agent_started(runtime):
    class Alone(AgentWorkflow):
        async def run(self, event, step):
            answer = await self.wait_for_approval(step, timeout="1 hour")
            found = [self.workflow_id, self.workflow_name, event["payload"], answer]
            for work in (lambda: self.report_progress(1), lambda: step.send_event(1), lambda: step.report_complete(1)):
                try:
                    await work()
                except UsageError as error:
                    found.append(str(error).partition(":")[0])
            return found

    runtime.bind(Alone)
    await runtime.settle()
    instance = await runtime.env.Alone.create({"id": "i", "params": {"a": 1}})
    await instance.sendEvent({"type": "approval", "payload": {"approved": True, "metadata": {"by": "ada"}}})
    await runtime.settle()
    assert (await instance.status())["output"] == [
        "i", "alone", {"a": 1}, {"by": "ada"}, *["no agent started this workflow"] * 3,
    ]  # fmt: skip


async def test_a_vanished_binding_is_noticed(runtime, shop, caplog):
    await shop.order("tea", id="old")
    await runtime.settle()
    await runtime.run_in_agent(shop, lambda agent: agent.sql("UPDATE cf_agents_workflows SET workflow_name = 'GONE'"))
    with caplog.at_level(logging.WARNING, logger="agents_runtime"):
        await shop.notes()
    assert "'GONE' is gone, and 1 active and 0 ended workflows" in caplog.text
    with pytest.raises(UsageError, match="no workflow binding 'NEW'"):
        await runtime.run_in_agent(shop, lambda agent: agent.migrate_workflow_binding("GONE", "NEW"))
    assert await shop.migrate_workflow_binding("GONE", "OrderFlow") == 1
    assert (await shop.get_workflow("old")).workflow_name == "OrderFlow"


async def test_events_tell_what_happens_to_workflows(runtime, shop):
    from agents_runtime import subscribe

    heard = []
    stop = subscribe("workflow", lambda event: heard.append((event.type, event.payload)))
    await shop.order("wine", id="w")
    await runtime.settle()
    await shop.pause_workflow("w")
    await shop.resume_workflow("w")
    await shop.approve_workflow("w", reason="fine")
    await runtime.settle()
    stop()
    assert heard == [
        ("workflow:start", {"workflowId": "w", "workflowName": "OrderFlow"}),
        ("workflow:paused", {"workflowId": "w", "workflowName": "OrderFlow"}),
        ("workflow:resumed", {"workflowId": "w", "workflowName": "OrderFlow"}),
        ("workflow:event", {"workflowId": "w", "eventType": "approval"}),
        ("workflow:approved", {"workflowId": "w", "reason": "fine"}),
    ]


async def test_the_table_is_the_javascript_one(runtime, shop):
    await shop.order("shout")
    columns = await runtime.run_in_agent(
        shop,
        lambda agent: [row["name"] for row in agent.sql("SELECT name FROM pragma_table_info('cf_agents_workflows')")],
    )
    assert columns == [
        "id", "workflow_id", "workflow_name", "status", "metadata", "error_name", "error_message", "created_at",
        "updated_at", "completed_at",
    ]  # fmt: skip


async def test_a_workflow_made_by_hand():
    workflow = AgentWorkflow.create({"name": "onboarding"})
    assert workflow.workflow_name == "onboarding"

    class Onboarding(AgentWorkflow):
        async def greet(self, name):
            return f"hello {name}"

        def sign_off(self):
            return "bye"

    mine = Onboarding.create({"name": "onboarding", "id": "o1"})
    assert await mine.call("greet", "ada") == "hello ada"
    assert await mine.call("signOff") == "bye"
    assert mine.workflow_id == "o1"
    with pytest.raises(UsageError, match=r"no method 'gret'.*greet"):
        await mine.call("gret")
    with pytest.raises(UsageError, match="no agent started this workflow"):
        _ = mine.agent
    with pytest.raises(UsageError, match="needs a name"):
        AgentWorkflow.create({})


async def test_a_sub_agent_starts_workflows_of_its_own(runtime):
    class Chain(Agent):
        async def open(self):
            shop = await self.sub_agent(Shop, "inner")
            return await shop.call("order", "tea")

        async def notes(self):
            return await (await self.sub_agent(Shop, "inner")).notes()

    runtime.bind(OrderFlow)
    chain = runtime.get(Chain, "c")
    await chain.open()
    await runtime.settle()
    await runtime.restart(crash=True)
    await runtime.advance(minutes=4)
    assert [note for note in await chain.notes() if "progress" not in note] == [
        "weighed",
        "packed 100",
        "complete {'box': 'packed', 'of': 'tea'}",
    ]
