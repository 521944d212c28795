"""The house rules, applied to every file of the repository. What each rule refuses is shown in test_rules_bite.py."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.tidy import rules

ROOT = Path(__file__).resolve().parents[2]
LARGEST_FILE_BYTES = 400_000
AGENT_LINES = 600  # the composition root names every part


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows or would add, so that a new file is checked before its first commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
    return sorted(ROOT / name for name in names.splitlines() if (ROOT / name).is_file())


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


PACKAGE = [path for path in tracked("agents_runtime/*.py") if "local/templates" not in shown(path)]
TESTS = tracked("tests/*.py")
PYTHON = [*PACKAGE, *TESTS, *tracked("examples/*.py", "bench/*.py", "scripts/*.py")]


def complaints(path: Path, found: list[str]) -> str:
    return "\n".join(f"{shown(path)}:{line}" for line in found)


@pytest.mark.parametrize("path", PACKAGE, ids=shown)
def test_a_module_of_the_package_keeps_the_budgets(path):
    text = path.read_text()
    found = rules.too_long_module(text, AGENT_LINES if path.name == "agent.py" else rules.MODULE_LINES)
    found += rules.too_long_functions(text)
    found += rules.missing_module_docstring(text)
    found += rules.unexplained_workarounds(text)
    found += rules.unfinished(text)
    assert not found, complaints(path, found)


@pytest.mark.parametrize("path", [path for path in PYTHON if path not in PACKAGE], ids=shown)
def test_other_python_is_finished_and_explained(path):
    text = path.read_text()
    found = rules.missing_module_docstring(text) + rules.unexplained_workarounds(text)
    if path.parent != Path(__file__).parent:
        found += rules.notes_to_oneself(text)
    assert not found, complaints(path, found)


@pytest.mark.parametrize("path", TESTS, ids=shown)
def test_a_test_goes_through_the_front_door(path):
    text = path.read_text()
    found = rules.unexplained_skips(text)
    if path.parent != Path(__file__).parent:
        found += rules.patched_code(text)
    assert not found, complaints(path, found)


@pytest.mark.parametrize("path", PACKAGE, ids=shown)
def test_javascript_stays_in_the_workers_adapter(path):
    if "_platform/workers" not in shown(path):
        assert not rules.banned_imports(path.read_text(), {"js", "pyodide", "pyodide_js"})


def test_names_of_test_files_are_unique():
    repeated = [
        name for name, times in Counter(path.name for path in TESTS).items() if times > 1 and name != "conftest.py"
    ]
    assert not repeated


def test_unit_tests_mirror_the_package():
    """`tests/unit/local/storage/test_sql_limits.py` is about something in `agents_runtime/local/storage`."""
    folders = {shown(path.parent).replace("agents_runtime", "", 1).strip("/").replace("_", "") for path in PACKAGE}
    for path in TESTS:
        if shown(path).startswith("tests/unit/") and path.name.startswith("test_"):
            mirrored = shown(path.parent).removeprefix("tests/unit").strip("/").replace("_", "")
            assert mirrored in folders, f"{shown(path)}: the package has no folder for {mirrored!r}"


def test_no_file_is_large():
    large = {shown(path): path.stat().st_size for path in tracked() if path.stat().st_size > LARGEST_FILE_BYTES}
    assert not large, f"kept out of the repository: {large}"


PRIVATE = re.compile(r"/(?:work|root|home/\w+)/\w")
UNWRITTEN = (".png", ".ico", ".jpg", ".woff2", ".lock", "package-lock.json", ".jsonl")


@pytest.mark.parametrize("path", [path for path in tracked() if not path.name.endswith(UNWRITTEN)], ids=shown)
def test_no_path_of_one_machine_is_written_down(path):
    if path == Path(__file__):
        return
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        assert not PRIVATE.search(line), f"{shown(path)}:{number}: {line.strip()[:100]}"


@pytest.mark.parametrize("path", tracked("*package-lock.json"), ids=shown)
def test_a_lock_file_is_complete(path):
    found = rules.incomplete_lock(json.loads(path.read_text()))
    assert not found, complaints(path, found)


def test_the_changelog_keeps_its_shape():
    found = rules.changelog_shape((ROOT / "CHANGELOG.md").read_text())
    assert not found, complaints(ROOT / "CHANGELOG.md", found)


def test_the_scripts_are_plain_sh_and_can_run():
    for path in (ROOT / "scripts/run", ROOT / "scripts/test", ROOT / ".ci/run", ROOT / "bench/run"):
        assert path.read_text().startswith("#!/bin/sh\n"), shown(path)
        assert path.stat().st_mode & 0o111, f"{shown(path)} is not executable"
        subprocess.run(["sh", "-n", str(path)], check=True, timeout=10)


def test_continuous_integration_runs_what_contributors_run():
    commands = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line and not line.startswith("#")]
    assert len(commands) == 1
    assert "scripts/test" in commands[0]
