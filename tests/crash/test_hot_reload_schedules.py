"""`agents-runtime dev` takes in a saved file while schedules wait and a task runs: all go on, with the new code."""

import asyncio
import json
import time

import pytest

from tests.server.serving import make_project, server

WAIT_S = 15.0

ENTRY = """
import asyncio
import time
from pathlib import Path

from agents_runtime import Agent, route_agent_request, task
from workers import Response, WorkerEntrypoint

VERSION = "old"
EFFECTS = Path(__file__).with_name("effects.log")


def note(what, due_ms=0):
    with EFFECTS.open("a") as log:
        log.write(f"{what} {VERSION} {due_ms} {time.time_ns() // 1_000_000}\\n")


class Diary(Agent):
    options = {"keep_alive_interval_ms": 500}

    async def on_request(self, request):
        if request.method == "POST":
            await self.schedule_every(1, self.tick)
            await self.schedule(0.05, self.ring, "soon")
            for number in range(3):
                await self.schedule(2 + number / 10, self.ring, f"later-{number}")
            await self.tasks.run("chain", run_id="r")
        info = await self.tasks.get("r")
        return Response.from_json({"state": info and info.state, "result": info and info.result})

    def ring(self, payload, schedule):
        note(payload, schedule.time_ms)

    def tick(self, payload, schedule):
        note("tick", schedule.time_ms)

    @task
    async def chain(self, step):
        first = await step.do("first", self.act, "first", 0)
        second = await step.do("second", self.act, "second", 1.5)
        await step.sleep("rest", 0.1)
        return [first, second, await step.do("third", self.act, "third", 0)]

    async def act(self, what, seconds):
        note(what)
        await asyncio.sleep(seconds)
        return VERSION


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
"""


def effects_in(project):
    log = project / "src" / "effects.log"
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    words = [line.split() for line in lines if line.endswith("\n")]
    return [(what, version, int(due_ms), int(at_ms)) for what, version, due_ms, at_ms in words]


async def until_seen(project, *wanted):
    deadline = time.monotonic() + WAIT_S
    while missing := set(wanted) - {(what, version) for what, version, _, _ in effects_in(project)}:
        assert time.monotonic() < deadline, f"{missing} missing in {effects_in(project)}"
        await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_schedules_and_a_running_task_go_on_after_a_saved_file(tmp_path):
    diary = [{"name": "Diary", "class_name": "Diary"}]
    migrations = [{"tag": "v1", "new_sqlite_classes": ["Diary"]}]
    project = make_project(tmp_path, ENTRY, durable_objects={"bindings": diary}, migrations=migrations)
    with server(project, mode="dev") as running:
        await asyncio.to_thread(running.request, "/agents/diary/a", "POST")
        await until_seen(project, ("soon", "old"), ("second", "old"))
        (project / "src" / "entry.py").write_text(ENTRY.replace('VERSION = "old"', 'VERSION = "new"'))
        await asyncio.to_thread(running.wait_for, "Reloaded in")
        later = [(f"later-{number}", "new") for number in range(3)]
        await until_seen(project, *later, ("third", "new"), ("tick", "new"))
        deadline = time.monotonic() + WAIT_S
        while (run := json.loads((await asyncio.to_thread(running.request, "/agents/diary/a"))[1]))[
            "state"
        ] != "completed":
            assert time.monotonic() < deadline, run
            await asyncio.sleep(0.05)
        assert running.output.count("Reloaded in") == 1
    effects = effects_in(project)
    assert run["result"][0] == "old", "the step that was done is not done again"
    assert run["result"][2] == "new"
    times = {what: sum(each[0] == what for each in effects) for what, _, _, _ in effects}
    assert [times[what] for what in ("soon", "first", "third", *(what for what, _ in later))] == [1] * 6
    assert times["second"] <= 2, "a reload repeats the step it interrupts at most"
    assert [each[0] for each in effects if each[0].startswith("later")] == [what for what, _ in later], "in order"
    assert not [each for each in effects if each[3] < each[2]], "none early"
