"""Instances of workflows on the local host: limits, ends, and what happens to them in odd moments."""

from __future__ import annotations

import asyncio

import pytest
from workers import WorkflowEntrypoint

from agents_runtime.local.values import JsException
from agents_runtime.local.workflows.binding import bind_workflow
from agents_runtime.local.workflows.instance import Served

SEEN = []


class Flow(WorkflowEntrypoint):
    async def run(self, event, step):
        return await getattr(self, event["payload"]["kind"])(step, event["payload"])

    async def many(self, step, params):
        for number in range(params["n"]):
            await step.do("same")(self.act(number))()
        return params["n"]

    def act(self, what):
        async def act():
            SEEN.append(what)
            return what

        return act

    async def large(self, step, params):
        async def text():
            SEEN.append("large")
            return "x" * params["n"]

        try:
            return len(await step.do("text")(text)())
        except JsException as error:
            return str(error)

    async def slow(self, step, params):
        async def slow():
            SEEN.append("begun")
            await asyncio.sleep(30)
            SEEN.append("ended")

        await step.do("slow")(slow)()

    async def two_waits(self, step, params):
        return [
            event["payload"]
            for event in await asyncio.gather(step.wait_for_event("one", "go"), step.wait_for_event("two", "go"))
        ]

    async def left_behind(self, step, params):
        asyncio.ensure_future(step.do("long")(self.wait_long)())  # noqa: RUF006 - nobody waits for it
        await step.sleep("nap", 10)
        return "done"

    async def wait_long(self):
        await asyncio.sleep(30)

    async def outside(self, step, params):
        """Awaits something of its own beside a step that sleeps."""

        async def own():
            for _ in range(100):
                await asyncio.sleep(0)
            SEEN.append("own")

        await asyncio.gather(step.sleep("nap", "1 minute"), own())
        return "done"

    async def swallow(self, step, params):
        async def fail():
            raise ValueError("no")

        try:
            await step.do("fail", config={"retries": {"limit": 0, "delay": 1}})(fail)()
        except ValueError:
            SEEN.append("caught")
        await step.sleep("nap", "1 minute")
        return "went on"

    async def changes(self, step, params):
        """Does other steps when it is run again, which the platform allows."""
        SEEN.append("run")
        await step.do(f"step {SEEN.count('run')}")(self.act("x"))()
        await step.sleep("nap", "1 minute")
        return SEEN.count("run")


@pytest.fixture
async def flow(runtime):
    SEEN.clear()
    runtime._engine.set_up(lambda host: bind_workflow(host, Served("flow", Flow, max_steps=20), "FLOW"))
    await runtime.settle()
    return runtime


async def start(world, kind, instance_id="i", **params):
    await world.env.FLOW.create({"id": instance_id, "params": {"kind": kind, **params}})
    await world.settle()


async def status(world, instance_id="i"):
    return await (await world.env.FLOW.get(instance_id)).status()


async def test_a_name_may_be_used_again(flow):
    await start(flow, "many", n=20)
    assert (await status(flow))["output"] == 20
    assert list(range(20)) == SEEN


async def test_there_is_a_limit_of_steps(flow):
    await start(flow, "many", n=21)
    found = await status(flow)
    assert found["error"] == {
        "name": "WorkflowFatalError",
        "message": "The limit of 20 steps has been reached. This limit can be changed in your worker configuration.",
    }


async def test_a_large_result_is_refused_and_not_tried_again(flow):
    await start(flow, "large", n=1_000_000)
    assert (await status(flow))["output"] == 1_000_000
    await start(flow, "large", "j", n=1_100_000)
    assert (await status(flow, "j"))["output"] == (
        "WorkflowInternalError: Step text-1 output is too large. Maximum allowed size is 1MiB."
    )
    assert SEEN == ["large", "large"]


async def test_a_step_under_way_is_cut_off(flow):
    await start(flow, "slow")
    assert (await status(flow))["status"] == "running"
    instance = await flow.env.FLOW.get("i")
    await instance.pause()
    assert (await status(flow))["status"] == "waitingForPause"
    await instance.terminate()
    await flow.settle()
    assert (await status(flow))["status"] == "terminated"
    assert SEEN == ["begun"]
    await instance.restart()
    await flow.settle()
    assert SEEN == ["begun", "begun"]
    await instance.delete()
    with pytest.raises(JsException, match="not_found"):
        await flow.env.FLOW.get("i")


async def test_a_deleted_id_is_free_again(flow):
    await start(flow, "many", n=1)
    await (await flow.env.FLOW.get("i")).delete()
    await start(flow, "many", n=2)
    assert (await status(flow))["output"] == 2


async def test_two_waits_for_one_type_get_one_event_each(flow):
    await start(flow, "two_waits")
    instance = await flow.env.FLOW.get("i")
    await instance.sendEvent({"type": "go", "payload": 1})
    await flow.settle()
    assert (await status(flow))["status"] == "waiting"
    await flow.restart(crash=True)
    await (await flow.env.FLOW.get("i")).send_event(type="go", payload=2)
    await flow.settle()
    assert sorted((await status(flow))["output"]) == [1, 2]


async def test_what_the_code_left_behind_is_ended(flow):
    await start(flow, "left_behind")
    await flow.advance(seconds=1)
    assert (await status(flow))["output"] == "done"


async def test_a_step_that_failed_fails_in_every_replay(flow):
    await start(flow, "swallow")
    await flow.restart(crash=True)
    await flow.advance(minutes=1)
    assert (await status(flow))["output"] == "went on"
    assert set(SEEN) == {"caught"}


async def test_other_steps_in_a_replay_are_allowed(flow):
    await start(flow, "changes")
    await flow.advance(minutes=1)
    found = await status(flow)
    assert (found["status"], found["error"]) == ("complete", None)


async def test_an_ended_instance_is_kept_for_its_retention(flow):
    await flow.env.FLOW.create(
        {"id": "i", "params": {"kind": "many", "n": 1}, "retention": {"successRetention": "1 day"}}
    )
    await flow.advance(hours=23)
    assert (await status(flow))["status"] == "complete"
    await flow.advance(hours=2)
    with pytest.raises(JsException, match="not_found"):
        await flow.env.FLOW.get("i")


async def test_an_instance_that_kills_its_host_is_given_up(flow):
    flow.expect_errors()
    await start(flow, "slow")
    for _ in range(7):
        await flow.restart(crash=True)
        await flow.advance(seconds=60)
    found = await status(flow)
    assert found["status"] == "errored"
    assert SEEN.count("begun") <= 6


async def test_ids_of_batches_are_checked_first(flow):
    with pytest.raises(JsException, match="invalid id"):
        await flow.env.FLOW.create_batch([{"id": "ok", "params": {"kind": "many", "n": 1}}, {"id": "-bad"}])
    with pytest.raises(JsException, match="not_found"):
        await flow.env.FLOW.get("ok")
    with pytest.raises(JsException, match="only supports 100"):
        await flow.env.FLOW.create_batch([{}] * 101)


async def test_an_instance_cannot_be_reached_as_an_agent(flow):
    await start(flow, "many", n=1)
    for path in ("/agents/flow/i", "/agents/workflow-flow/i", "/agents/instance-of-flow/i"):
        assert (await flow.fetch(path)).status in (400, 404)


async def test_params_are_a_copy(flow):
    params = {"kind": "many", "n": 1}
    await flow.env.FLOW.create(id="i", params=params)
    params["n"] = 5
    await flow.settle()
    assert (await status(flow))["output"] == 1
    with pytest.raises((TypeError, JsException)):
        await flow.env.FLOW.create({"params": {"x": (1,)}})


async def test_what_is_awaited_beside_a_wait_ends_at_last(flow):
    await start(flow, "outside")
    await flow.advance(minutes=1)
    assert (await status(flow))["output"] == "done"
    assert SEEN == ["own"]
