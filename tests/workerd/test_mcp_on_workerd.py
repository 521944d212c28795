"""MCP servers with and without sessions on the real runtime: the conformance suites, resumption, hibernation."""

from __future__ import annotations

import time

import pytest

from tests.mcp.conformance_runs import NODE, SUITE, manifest, problems, run_suite
from tests.mcp.raw_client import RawClient
from tests.needs import missing
from tests.workerd.rig import Rig

PROJECT = SUITE.parent / "sessions.wrangler.jsonc"
LANES = {
    "session 2025-11-25": ("0.2", "/session", "2025-11-25"),
    "stateless 2026-07-28": ("0.2", "/mcp", "2026-07-28"),
    "session 2026-07-28": ("0.2", "/session", "2026-07-28"),
}
TASKS = ("tasks-mrtr-input", "tasks-mrtr-composition", "tasks-capability-negotiation")
pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def rig(workerd_tools, tmp_path_factory):
    if not NODE.exists():
        missing("the conformance suites are not installed: run scripts/test once, or npm ci in tests/mcp/suite")
    rig = Rig(workerd_tools, PROJECT, tmp_path_factory.mktemp("mcp"))
    rig.start()
    yield rig
    rig.stop()


@pytest.fixture
def client(rig):
    if not rig.is_running:
        rig.start()
    client = RawClient(rig.port)
    client.initialize()
    yield client
    client.close()


@pytest.mark.parametrize("lane", LANES)
def test_the_lane_is_as_on_the_local_host(lane, rig, tmp_path):
    package, path, version = LANES[lane]
    url = f"http://localhost:{rig.port}{path}"
    report = run_suite(package, "server", ["--url", url, "--suite", "all", "--spec-version", version], tmp_path)
    said = "\n".join(text for _, text in rig.console()[-20:])
    assert problems(report, *manifest(lane)) == [], said


@pytest.mark.parametrize("scenario", TASKS)
def test_calls_become_tasks(scenario, rig, tmp_path):
    url = f"http://localhost:{rig.port}/session"
    report = run_suite("0.2", "server", ["--url", url, "--scenario", scenario], tmp_path)
    expected, _ = manifest("session tasks")
    assert problems(report, {scenario: expected[scenario]}) == []


def test_a_client_listens_while_the_object_leaves_memory(client, rig):
    listening = client.listen()
    assert listening.status == 200
    rig.evict("Everything", f"streamable-http:{client.session_id}")
    assert client.call("test_trigger_tool_change").messages()[-1]["result"]["content"]
    event = listening.next()
    assert "notifications/tools/list_changed" in event.data
    listening.close()


def test_a_lost_answer_is_fetched_later(client):
    stream = client.call("slow_compute", seconds=1, label="x")
    priming = stream.next()
    assert priming.id
    stream.close()
    time.sleep(1.5)
    messages = client.listen(priming.id).messages()
    assert messages[-1]["result"]["content"][0]["text"] == "computed x for 1 s"


def test_a_session_and_a_task_survive_the_death_of_the_runtime(client, rig):
    stream = client.call("slow_compute", seconds=30)
    priming = stream.next()
    task = client.modern("tools/call", name="slow_compute", arguments={"seconds": 2, "label": "task"})["result"]
    assert task["resultType"] == "task"
    rig.kill()
    rig.start()
    client.port = rig.port
    answer = client.listen(priming.id).messages()[-1]
    assert "restarted" in answer["error"]["message"]
    assert client.call("test_simple_text").messages()[-1]["result"]["content"]
    deadline = time.monotonic() + 60
    while (found := client.modern("tasks/get", taskId=task["taskId"])["result"])["status"] == "working":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert found["result"]["content"][0]["text"] == "computed task for 2 s"
