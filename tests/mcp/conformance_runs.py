"""Runs the conformance suites of the protocol against a server, and compares what came of it with what is expected."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.children import spawn

SUITE = Path(__file__).parent / "suite"
NODE = SUITE / "node_modules" / ".bin" / "node"
PACKAGES = {
    "0.2": SUITE / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js",
    "0.1": SUITE / "node_modules" / "conformance-0.1" / "dist" / "index.js",
}
"""The two releases that are run; package-lock.json pins them."""

MANIFEST = SUITE / "manifest.json"
LANE_S = 120.0
GOOD = ("SUCCESS", "INFO", "SKIPPED")
_stamp = re.compile(r"-\d{4}-\d{2}-\d{2}T[\d-]+Z$")


@dataclass
class Report:
    """What one run has said: the status of every check, by scenario."""

    checks: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    output: str = ""

    def passed(self, scenario: str) -> int:
        return sum(status == "SUCCESS" for _, status, _ in self.checks.get(scenario, ()))

    def totals(self) -> dict[str, int]:
        return {scenario: self.passed(scenario) for scenario in sorted(self.checks)}


def run_suite(package: str, mode: str, arguments: Sequence[str], out: Path, *, limit_s: float = LANE_S) -> Report:
    """Run a suite to its end, within a time. `mode` is "server" or "client"."""
    command = [str(NODE), str(PACKAGES[package]), mode, *arguments, "-o", str(out)]
    process = spawn(command, cwd=SUITE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        said, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
        raise AssertionError(
            f"the suite was not done in {limit_s:g} s:\n{said.decode(errors='replace')[-4000:]}"
        ) from None
    return Report(read_checks(out, mode), said.decode(errors="replace"))


def read_checks(out: Path, mode: str) -> dict[str, list[tuple[str, str, str]]]:
    """The checks that a run has left behind, by scenario."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for path in sorted(out.rglob("checks.json")):
        scenario = _stamp.sub("", str(path.parent.relative_to(out))).removeprefix(f"{mode}-")
        found.setdefault(scenario, []).extend(
            (check["id"], check["status"], str(check.get("errorMessage") or ""))
            for check in json.loads(path.read_text())
        )
    return found


def problems(report: Report, expected: dict[str, int], known: dict[str, str] | None = None) -> list[str]:
    """What is wrong with a run: nothing passes that is not looked at, and a warning is no better than a failure.

    Args:
        expected: how many checks of each scenario succeed.
        known: scenarios that fail or warn, with the reason. One that passes is wrong, too: its expectation is stale.
    """
    known = known or {}
    found: list[str] = []
    for scenario in sorted(expected.keys() | known.keys() | report.checks.keys()):
        checks = report.checks.get(scenario)
        if checks is None:
            found.append(f"{scenario}: did not run")
            continue
        bad = [f"{status} {name}: {message}"[:500] for name, status, message in checks if status not in GOOD]
        if scenario in known:
            if not bad:
                found.append(f"{scenario}: passes, so strike it from what is known to fail ({known[scenario]})")
            continue
        found.extend(f"{scenario}: {one}" for one in bad)
        if scenario not in expected:
            found.append(f"{scenario}: is not in the manifest ({report.passed(scenario)} checks succeeded)")
        elif report.passed(scenario) != expected[scenario]:
            found.append(f"{scenario}: {report.passed(scenario)} checks succeeded, {expected[scenario]} were expected")
    return found


def manifest(lane: str) -> tuple[dict[str, int], dict[str, str]]:
    """What is expected of a lane: checks that succeed by scenario, and what fails or warns, with the reasons."""
    kept = json.loads(MANIFEST.read_text())[lane]
    return kept["scenarios"], {**kept.get("known_failures", {}), **kept.get("known_warnings", {})}


def statuses(report: Report) -> Counter[str]:
    return Counter(status for checks in report.checks.values() for _, status, _ in checks)
