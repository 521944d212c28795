"""Waiting for a person: recorded, told to everyone connected, decided once, also after a restart."""

import asyncio

import pytest

from agents_runtime import Agent, callable
from agents_runtime.errors import ApprovalExpired, ApprovalRejected, NotJson, UsageError
from agents_runtime.tasks.declare import task


class Clerk(Agent):
    @callable
    async def ask(self, request_id: str):
        return await self.wait_for_approval({"request_id": request_id, "amount": 50})

    @callable
    async def ask_briefly(self, request_id: str):
        return await self.wait_for_approval(request_id, timeout="1 minute")

    @callable
    async def decide(self, request_id: str, yes: bool, why: str | None = None):
        return await (self.approve(request_id, {"by": why}) if yes else self.reject(request_id, why))

    @task
    async def refund(self, step, amount):
        await step.do("prepare", lambda: None)
        try:
            answer = await step.wait_for_approval("manager", {"amount": amount}, timeout="1 day")
        except (ApprovalRejected, ApprovalExpired) as error:
            return f"{type(error).__name__}: {error}"
        return ["paid", amount, answer]

    async def start(self, amount):
        return (await self.tasks.run("refund", amount, run_id="r")).run_id

    async def result(self):
        info = await self.tasks.get("r")
        return info.result if info.is_settled else info.state

    async def yes(self, request_id):
        return await self.approve(request_id, {"by": "ada"})

    async def no(self, request_id):
        return await self.reject(request_id, "too much")


def approvals(client):
    return [frame["approval"] for frame in client.frames if frame["type"] == "cf_agent_approval"]


async def test_a_call_waits_until_somebody_else_approves(runtime):
    asking, deciding = await runtime.connect(Clerk, "a"), await runtime.connect(Clerk, "a")
    answer = asyncio.ensure_future(asking.call("ask", "approval_1"))
    frame = (await deciding.expect("cf_agent_approval"))["approval"]
    assert frame["requestId"] == "approval_1"
    assert frame["status"] == "pending"
    assert frame["details"] == {"amount": 50}
    assert await deciding.call("decide", "approval_1", True, "ada") is True
    assert await answer == {"by": "ada"}
    assert [approval["status"] for approval in approvals(deciding)] == ["pending", "approved"]
    assert await deciding.call("decide", "approval_1", True, "bob") is False, "it is decided once"
    assert await asking.call("ask", "approval_1") == {"by": "ada"}, "asked again it gives what was recorded"


async def test_a_refusal_is_raised(runtime):
    client = await runtime.connect(Clerk, "a")
    asked = asyncio.ensure_future(client.call("ask", "x"))
    await runtime.settle()
    await client.call("decide", "x", False, "no money")
    with pytest.raises(Exception, match=r"'x' was rejected: no money"):
        await asked
    with pytest.raises(Exception, match="is rejected already"):
        await client.call("decide", "x", True)


async def test_a_request_outlives_memory_and_its_asker(runtime):
    client = await runtime.connect(Clerk, "a")
    asked = asyncio.ensure_future(client.call("ask", "x"))
    await runtime.settle()
    await runtime.restart(crash=True)
    asked.cancel()
    late = await runtime.connect(Clerk, "a")
    assert (await late.expect("cf_agent_approval"))["approval"]["requestId"] == "x", "it is part of the greeting"
    again = asyncio.ensure_future(late.call("ask", "x"))
    await runtime.settle()
    assert await late.call("decide", "x", True, "ada")
    assert await again == {"by": "ada"}


async def test_a_request_expires_in_time(runtime):
    client = await runtime.connect(Clerk, "a")
    asked = asyncio.ensure_future(client.call("ask_briefly", "x"))
    await runtime.advance(seconds=59)
    assert not asked.done()
    await runtime.advance(seconds=1)
    with pytest.raises(Exception, match="nobody decided"):
        await asked
    assert [approval["status"] for approval in approvals(client)] == ["pending", "expired"]
    with pytest.raises(Exception, match="is expired already"):
        await client.call("decide", "x", True)


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        (Clerk.yes, ["paid", 50, {"by": "ada"}]),
        (Clerk.no, "ApprovalRejected: the request 'r:manager' was rejected: too much"),
        (None, "ApprovalExpired: nobody decided on the request 'r:manager' in time"),
    ],
)
async def test_a_task_waits_without_memory(runtime, verb, expected):
    clerk = runtime.get(Clerk, "a")
    client = await runtime.connect(clerk)
    await clerk.start(50)
    await client.expect("cf_agent_approval")
    await runtime.settle()
    assert await clerk.result() == "waiting"
    await runtime.evict_all()
    await runtime.restart()
    if verb is not None:
        await runtime.advance(hours=23)
        assert await clerk.call(verb, "r:manager")
        await runtime.settle()
    else:
        await runtime.advance(hours=24)
    assert await clerk.result() == expected


async def test_a_decision_wakes_a_task_that_waits_without_limit(runtime):
    class Patient(Clerk):
        @task
        async def patience(self, step):
            return await step.wait_for_approval("boss", request_id="shared")

        async def begin(self):
            return [(await self.tasks.run("patience")).run_id for _ in range(2)]

        async def results(self):
            return [info.result for info in await self.tasks.list()]

    agent = runtime.get(Patient, "a")
    await agent.begin()
    await runtime.advance(days=3)
    assert await agent.results() == [None, None]
    await agent.yes("shared")
    await runtime.settle()
    assert await agent.results() == [{"by": "ada"}, {"by": "ada"}]


async def test_requests_are_listed_and_forgotten(runtime):
    async def work(agent):
        waiting = [asyncio.ensure_future(_quietly(agent.wait_for_approval({"requestId": name}))) for name in "ab"]
        await asyncio.sleep(0)
        await agent.approve("a")
        assert [info.request_id for info in await agent.list_approvals("pending")] == ["b"]
        assert (await agent.get_approval("a")).status == "approved"
        await agent.reject("b")
        await asyncio.gather(*waiting)
        assert await agent.delete_approvals() == 2
        return await agent.list_approvals()

    assert await runtime.run_in_agent(runtime.get(Clerk, "a"), work) == []


async def _quietly(waiting):
    try:
        return await waiting
    except ApprovalRejected:
        return None


@pytest.mark.parametrize(
    ("request_", "error", "said"),
    [
        ("", UsageError, "request id"),
        ("x" * 600, UsageError, "request id"),
        ({}, UsageError, "request id"),
        (None, UsageError, "request_id"),
        ({"request_id": "x", "details": {1, 2}}, NotJson, "use a list"),
        ({"request_id": "x", "timeout": "soon"}, UsageError, "timeout"),
    ],
)
async def test_bad_requests_are_refused(runtime, request_, error, said):
    async def work(agent):
        with pytest.raises(error, match=said):
            await agent.wait_for_approval(request_)
        with pytest.raises(UsageError, match="no request 'nobody'"):
            await agent.approve("nobody")
        with pytest.raises(UsageError, match="there is no status"):
            await agent.list_approvals("maybe")
        return await agent.list_approvals()

    assert await runtime.run_in_agent(runtime.get(Clerk, "a"), work) == []
