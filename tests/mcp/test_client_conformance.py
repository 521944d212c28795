"""The conformance suite of the protocol for clients, against an agent. Warnings count as failures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.mcp.conformance_runs import NODE, run_suite
from tests.needs import missing

DRIVER = Path(__file__).parent / "client_driver.py"
LANES = {"2026-07-28": (33, 405), "2025-11-25": (19, 247)}
"""Of each revision: how many scenarios there are, and how many checks the official Python SDK passes."""

GOOD = ("SUCCESS", "INFO", "SKIPPED")

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(150)]


@pytest.mark.parametrize("version", LANES)
def test_every_scenario_of_a_revision_passes(version, tmp_path):
    if not NODE.exists():
        missing("the conformance suites are not installed: run scripts/test once, or npm ci in tests/mcp/suite")
    scenarios, checks = LANES[version]
    command = f"{sys.executable} {DRIVER}"
    arguments = ["--command", command, "--suite", "all", "--timeout", "90000", "--spec-version", version]
    report = run_suite("0.2", "client", arguments, tmp_path)
    bad = [
        f"{scenario}: {status} {name}: {message}"[:500]
        for scenario, found in report.checks.items()
        for name, status, message in found
        if status not in GOOD
    ]
    assert bad == [], report.output[-2000:]
    assert len(report.checks) == scenarios, sorted(report.checks)
    assert sum(report.passed(scenario) for scenario in report.checks) >= checks
    silent = [scenario for scenario in report.checks if not report.passed(scenario)]
    assert silent == [], "scenarios without a single check that succeeded"
