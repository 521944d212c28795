"""Workflows of the conformance suite: the platform's own, and one of an agent."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any

from workers import WorkflowEntrypoint
from workers.workflows import NonRetryableError

from agents_runtime import Agent, AgentWorkflow, WorkflowRejected
from agents_runtime.errors import ApprovalExpired

ONCE = {"retries": {"limit": 0, "delay": 1}}
TWICE = {"retries": {"limit": 1, "delay": 10, "backoff": "constant"}}


def about(error: Exception) -> list[Any]:
    """What an exception says of itself; of a traceback only the last line."""
    return [type(error).__name__, getattr(error, "name", None), str(error).strip().rpartition("\n")[2]]


class Raw(WorkflowEntrypoint):
    """Uses the platform's steps directly; `params["kind"]` says which."""

    async def run(self, event, step):
        return await getattr(self, event["payload"]["kind"])(event, step)

    async def values(self, event, step: Any):
        @step.do("first")
        async def first():
            return {"n": event["payload"]["n"] + 1, "none": None, "whole": 1.0, "list": [1, "two"]}

        @step.do("second")
        async def second(first, ctx):
            return [first["n"] * 2, first.list[1], json.loads(json.dumps(ctx))]

        found = await second()
        await first()  # another step of this name
        return {"found": found, "event": [event.instanceId, event.workflowName, type(event.timestamp).__name__]}

    async def rich(self, event, step):
        @step.do("make")
        async def make():
            when = dt.datetime(2020, 1, 2, tzinfo=dt.UTC)
            return {"bytes": b"ab", "when": when, "set": {1, 2}, "big": 2**60}

        made = await make()
        return [bytes(made["bytes"]).decode(), made["when"].isoformat(), sorted(made["set"]), str(made["big"])]

    async def failures(self, event, step):
        return [
            await self.failure(step, kind)
            for kind in (ValueError, TypeError, KeyError, RuntimeError, NonRetryableError)
        ]

    async def failure(self, step: Any, kind):
        attempts = []

        @step.do("fail", config=TWICE)
        async def fail(ctx):
            attempts.append(ctx["attempt"])
            raise kind("boom")

        try:
            await fail()
        except Exception as error:
            return [*about(error), attempts]

    async def mistakes(self, event, step: Any):
        found: list[Any] = []

        async def record(work):
            try:
                await work()
            except Exception as error:
                found.append(about(error))
            else:
                found.append("nothing")

        def configured(config, name="bad"):
            async def nothing():
                return None

            return step.do(name, config=config)(nothing)

        for config in ({"retries": {"limit": "x"}}, {"foo": 1}, {"retries": {"delay": 5}}, {"timeout": 0}):
            await record(configured(config))
        await record(configured(ONCE, "n" * 257))
        await record(configured(ONCE, "line\nbreak"))
        await record(lambda: step.sleep("nap", "5 parsecs"))
        await record(lambda: step.sleep_until("past", dt.datetime(2020, 1, 1)))
        await record(lambda: step.wait_for_event("never", "go", timeout="50 milliseconds"))

        @step.do("unknown")
        async def unknown(nobody):
            return nobody

        await record(unknown)

        @step.do("tuple", config=ONCE)
        async def makes_tuple():
            return (1, 2)

        await record(makes_tuple)

        @step.do("slow", config={**ONCE, "timeout": 50})
        async def slow():
            await asyncio.sleep(1)

        await record(slow)
        return found

    async def together(self, event, step):
        order = []

        def nap(number, seconds):
            @step.do(f"nap {number}")
            async def nap():
                await asyncio.sleep(seconds)
                order.append(number)
                return number

            return nap()

        naps = await asyncio.gather(nap(1, 0.15), nap(2, 0.05), nap(3, 0.1), step.sleep("rest", 20))
        return [naps, order]

    async def shared(self, event, step: Any):
        made = []

        @step.do("base")
        async def base():
            made.append("base")
            return 2

        @step.do("left", concurrent=True)
        async def left(base):
            return base * 3

        @step.do("right")
        async def right(base):
            return base * 5

        @step.do("sum", concurrent=True)
        async def total(left, right):
            return left + right

        return [await total(), made]

    async def sleepy(self, event, step):
        @step.do("before")
        async def before():
            return await self.env.FOREMAN.getByName(event["payload"]["for"]).note("before")

        await before()
        await step.sleep("nap", event["payload"].get("nap", "1 second"))

        @step.do("after")
        async def after():
            return await self.env.FOREMAN.getByName(event["payload"]["for"]).note("after")

        return await after()

    async def long_step(self, event, step: Any):
        foreman = self.env.FOREMAN.getByName(event["payload"]["for"])

        @step.do("long", config={"retries": {"limit": 3, "delay": 10}})
        async def long(ctx):
            await foreman.note(f"attempt {ctx['attempt']}")
            if ctx["attempt"] == 1:
                await asyncio.sleep(30)
            return ctx["attempt"]

        return await long()

    async def waits(self, event, step):
        first = await step.wait_for_event("first", "go", timeout="1 hour")
        second = await step.wait_for_event("second", "go")
        return [first["payload"], first["type"], type(first["timestamp"]).__name__, second["payload"]]

    async def breaks(self, event, step):
        raise ValueError("it broke")

    async def nothing(self, event, step):
        pass


class Errand(AgentWorkflow):
    """What an agent lets others do."""

    async def run(self, event, step):
        return await getattr(self, event["payload"]["kind"])(event, step)

    async def work(self, event, step):
        @step.do("fetch")
        async def fetch():
            await self.agent.note("fetched")
            return [1, 2]

        found = await fetch()
        await self.report_progress({"step": "fetch", "percent": 0.5})
        await step.sleep("rest", event["payload"].get("nap", 50))
        return {"found": found, "id": self.workflow_id, "name": self.workflow_name}

    async def fails(self, event, step):
        raise ValueError("no such address")

    async def asks(self, event, step):
        try:
            return await self.wait_for_approval(step, timeout=event["payload"].get("timeout", "1 hour"))
        except ApprovalExpired:
            return "too late"

    async def insists(self, event, step):
        try:
            await self.wait_for_approval(step)
        except WorkflowRejected as error:
            await self.agent.note(f"rejected: {error.reason}")
            raise

    async def tells(self, event, step):
        await step.update_agent_state({"n": 1})
        await step.merge_agent_state({"m": 2})
        await step.send_event({"kind": "told"})
        return "told"

    async def nothing(self, event, step):
        return None

    def colour(self, what):
        return f"{what} is green"


class Foreman(Agent):
    """Starts workflows, and notes what it hears of them."""

    initial_state = {"n": 0}

    def note(self, what: str) -> str:
        self.sql("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, what TEXT)")
        self.sql("INSERT INTO notes (what) VALUES (?)", what)
        return what

    def notes(self) -> list[str]:
        self.sql("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, what TEXT)")
        return [row["what"] for row in self.sql("SELECT what FROM notes ORDER BY id")]

    def on_workflow_progress(self, name, workflow_id, progress):
        self.note(f"progress {json.dumps(progress)}")

    def on_workflow_complete(self, name, workflow_id, result):
        self.note(f"complete {json.dumps(result)}")

    def on_workflow_error(self, name, workflow_id, error):
        self.note(f"error {error}")

    def on_workflow_event(self, name, workflow_id, event):
        self.note(f"event {json.dumps(event)}")

    # The platform's own

    async def raw(self, workflow_id, kind, params=None):
        try:
            made = await self.env.RAW.create({"id": workflow_id, "params": {"kind": kind, **(params or {})}})
        except Exception as error:
            return about(error)
        return made.id

    async def batch(self, entries):
        try:
            return [made.id for made in await self.env.RAW.create_batch(entries)]
        except Exception as error:
            return about(error)

    async def instance(self, workflow_id, verb, *args):
        try:
            found = await getattr(await self.env.RAW.get(workflow_id), verb)(*args)
        except Exception as error:
            return about(error)
        return (
            None
            if found is None
            else json.loads(json.dumps({key: found[key] for key in ("status", "output", "error")}))
        )

    # The agent's

    async def start(self, kind, options=None, params=None):
        try:
            return await self.run_workflow("ERRAND", {"kind": kind, **(params or {})}, **(options or {}))
        except Exception as error:
            return about(error)[::2]

    async def start_by_name(self, workflow_id):
        """The form of the earlier Python API."""
        return await self.run_workflow({"name": "errand", "input": {"kind": "tells"}, "id": workflow_id})

    async def by_hand(self):
        workflow = Errand.create({"name": "onboarding"})
        return [workflow.workflow_name, await workflow.call("colour", "tea")]

    async def look(self, workflow_id):
        info = await self.get_workflow(workflow_id)
        return None if info is None else [info.status, info.error and info.error["message"]]

    async def verb(self, name, *args):
        try:
            return await getattr(self, name)(*args)
        except Exception as error:
            return about(error)[::2]

    async def page(self, options):
        page = await self.get_workflows(**options)
        return [[info.workflow_id for info in page.workflows], page.total, page.next_cursor]

    def current(self):
        return self.state
