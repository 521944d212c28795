"""The conformance suites of the protocol, both releases, against the local host. Warnings count as failures."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.js.harness import Server
from tests.mcp.conformance_runs import MANIFEST, NODE, Report, manifest, problems, run_suite
from tests.needs import missing

HERE = Path(__file__).parent
LANES = {
    "stateless 2026-07-28": ("0.2", "/mcp", "2026-07-28"),
    "stateless 2025-11-25": ("0.2", "/mcp", "2025-11-25"),
    "session 2025-11-25": ("0.2", "/session", "2025-11-25"),
    "shared session 2025-11-25": ("0.2", "/shared", "2025-11-25"),
    "session 2026-07-28": ("0.2", "/session", "2026-07-28"),
    "session 0.1": ("0.1", "/session", None),
}
"""Release of the suite, endpoint, and revision of the protocol."""

TASKS = "session tasks"
AT_ONCE = 5
TOTALS = {
    "stateless 2026-07-28": (40, 152),
    "session 2026-07-28": (40, 152),
    "session 2025-11-25": (33, 84),
    "shared session 2025-11-25": (33, 84),
    "session 0.1": (32, 47),
}
"""Scenarios and checks: what the official Python SDK passes, and of 0.1 three more, since we let streams be polled."""

pytestmark = [pytest.mark.node, pytest.mark.timeout(150)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if not NODE.exists():
        missing("the conformance suites are not installed: run scripts/test once, or npm ci in tests/mcp/suite")
    options = ("--config", "sessions.wrangler.jsonc", "--durability", "process", "--no-access-log")
    server = Server(HERE, tmp_path_factory.mktemp("mcp") / "data", *options)
    server.start()
    yield server
    server.stop()


def against(server: Server, path: str) -> str:
    return f"http://localhost:{server.port}{path}"


@pytest.mark.parametrize("lane", LANES)
def test_every_scenario_of_the_lane_is_as_the_manifest_says(lane, server, tmp_path):
    package, path, version = LANES[lane]
    arguments = ["--url", against(server, path), "--suite", "all"]
    if version is not None:
        arguments += ["--spec-version", version]
    report = run_suite(package, "server", arguments, tmp_path)
    assert problems(report, *manifest(lane)) == [], report.output[-2000:]


def test_every_scenario_of_the_tasks_extension_passes(server, tmp_path):
    expected, known = manifest(TASKS)
    assert not known
    report = Report()

    def run(scenario: str) -> Report:
        arguments = ["--url", against(server, "/session"), "--scenario", scenario]
        return run_suite("0.2", "server", arguments, tmp_path / scenario)

    with ThreadPoolExecutor(AT_ONCE) as pool:  # most of their time they wait for tasks to end
        for part in pool.map(run, expected):
            report.checks |= part.checks
    assert problems(report, expected) == []


def test_the_manifest_asks_for_no_less_than_others_reach():
    kept = json.loads(MANIFEST.read_text())
    assert kept.keys() == {*LANES, TASKS}
    for lane, (scenarios, checks) in TOTALS.items():
        assert not kept[lane].get("known_failures"), lane
        assert (len(kept[lane]["scenarios"]), sum(kept[lane]["scenarios"].values())) == (scenarios, checks), lane
    legacy = kept["stateless 2025-11-25"]
    assert len(legacy["scenarios"]) + len(legacy["known_warnings"]) >= 29
    assert len(legacy["scenarios"]) + len(legacy["known_warnings"]) + len(legacy["known_failures"]) == 33
    assert len(kept[TASKS]["scenarios"]) == 10


def test_a_run_that_is_not_as_expected_is_told():
    report = Report({"a": [("x", "SUCCESS", ""), ("y", "WARNING", "so so")], "b": [("x", "SUCCESS", "")]})
    assert problems(report, {"a": 1, "b": 1, "c": 1}) == ["a: WARNING y: so so", "c: did not run"]
    assert problems(report, {"b": 2}, {"a": "known"}) == ["b: 1 checks succeeded, 2 were expected"]
    stale = problems(report, {"a": 1}, {"b": "a reason"})[1:]
    assert stale == ["b: passes, so strike it from what is known to fail (a reason)"]
    assert problems(report, {}, {"a": "known"}) == ["b: is not in the manifest (1 checks succeeded)"]
