"""`agents-runtime dev` takes in a saved file while workflows run: all go on, with the new code, nothing is repeated."""

import asyncio
import json
import time

import pytest

from tests.server.serving import make_project, server

WAIT_S = 15.0

ENTRY = """
import asyncio
from pathlib import Path

from agents_runtime import Agent, AgentWorkflow, route_agent_request
from workers import Response, WorkerEntrypoint

VERSION = "old"
EFFECTS = Path(__file__).with_name("effects.log")


def note(what):
    with EFFECTS.open("a") as log:
        log.write(f"{what} {VERSION}\\n")


class Works(Agent):
    async def on_request(self, request):
        if request.method == "POST":
            for way in ("busy", "asleep", "asking", "paused"):
                await self.run_workflow("CHAIN", {"way": way}, id=way)
        if request.url.endswith("/pause"):
            await self.pause_workflow("paused")
        if request.url.endswith("/decide"):
            await self.approve_workflow("asking")
            await self.resume_workflow("paused")
        page = await self.get_workflows()
        return Response.from_json({info.workflow_id: info.status for info in page.workflows})

    def on_workflow_complete(self, name, workflow_id, result):
        note(f"{workflow_id}:told:{','.join(result)}")


class Chain(AgentWorkflow):
    async def run(self, event, step):
        way = event["payload"]["way"]

        @step.do("first")
        async def first():
            note(f"{way}:first")
            return VERSION

        @step.do("second")
        async def second():
            note(f"{way}:second")
            await asyncio.sleep(1.5 if way == "busy" else 0)
            return VERSION

        @step.do("third")
        async def third():
            note(f"{way}:third")
            return VERSION

        results = [await first()]
        if way == "asking":
            await self.wait_for_approval(step)
        else:
            await step.sleep("nap", 2_500 if way in ("asleep", "paused") else 1)
        return [*results, await second(), await third()]


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
"""


def effects_in(project):
    log = project / "src" / "effects.log"
    return [line.split() for line in (log.read_text().splitlines() if log.exists() else [])]


async def until(check, describe):
    deadline = time.monotonic() + WAIT_S
    while not check():
        assert time.monotonic() < deadline, describe()
        await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_workflows_in_every_state_go_on_after_a_saved_file(tmp_path):
    works = [{"name": "Works", "class_name": "Works"}]
    chain = [{"name": "chain", "binding": "CHAIN", "class_name": "Chain"}]
    migrations = [{"tag": "v1", "new_sqlite_classes": ["Works"]}]
    project = make_project(tmp_path, ENTRY, durable_objects={"bindings": works}, workflows=chain, migrations=migrations)
    with server(project, mode="dev") as running:

        async def ask(path, method="GET"):
            return json.loads((await asyncio.to_thread(running.request, f"/agents/works/a{path}", method))[1])

        def seen(*wanted):
            return lambda: all(one.split() in effects_in(project) for one in wanted)

        await ask("", "POST")
        ways = ("busy", "asleep", "asking", "paused")
        await until(seen(*(f"{way}:first old" for way in ways), "busy:second old"), lambda: effects_in(project))
        await ask("/pause")
        (project / "src" / "entry.py").write_text(ENTRY.replace('VERSION = "old"', 'VERSION = "new"'))
        await asyncio.to_thread(running.wait_for, "Reloaded in")
        statuses = await ask("")
        assert (statuses["asking"], statuses["paused"]) == ("waiting", "paused")
        await until(
            lambda: (
                {way for (what, _) in effects_in(project) for way in ways if what.startswith(f"{way}:told")}
                >= {"busy", "asleep"}
            ),
            lambda: effects_in(project),
        )
        assert not [what for what, _ in effects_in(project) if what in ("asking:second", "paused:second")]
        await ask("/decide")
        told = [f"{way}:told:old,new,new new" for way in ("asleep", "asking", "paused")]
        await until(seen(*told), lambda: effects_in(project))
        assert set((await ask("")).values()) == {"complete"}
        assert running.output.count("Reloaded in") == 1
    what = [what for what, _ in effects_in(project)]
    for way in ways:
        assert [what.count(f"{way}:first"), what.count(f"{way}:third")] == [1, 1], "a step that was done stays done"
        assert what.count(f"{way}:second") <= (2 if way == "busy" else 1), "only the step it interrupts is repeated"
        assert len([one for one in what if one.startswith(f"{way}:told")]) == 1
