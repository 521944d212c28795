"""Both type checkers refuse what is wrong in a user's program, where it is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REJECTED = sorted((ROOT / "tests/types/rejected").glob("*.py"))


def marked(path: Path) -> set[int]:
    return {number for number, line in enumerate(path.read_text().splitlines(), 1) if line.endswith("# refused")}


def run(*command: str) -> str:
    program = [sys.executable, "-m", *command]
    return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False).stdout


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", REJECTED, ids=lambda path: path.stem)
def test_mypy_refuses_exactly_the_marked_lines(path):
    report = run("mypy", str(path.relative_to(ROOT)))
    found = {int(line) for line in re.findall(rf"{path.name}:(\d+): error", report)}
    assert found == marked(path), report


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", REJECTED, ids=lambda path: path.stem)
def test_pyright_refuses_exactly_the_marked_lines(path, tmp_path):
    # In a project of its own: pyright checks no file that the configuration of the repository excludes.
    (tmp_path / path.name).write_text(path.read_text())
    venv = Path(sys.prefix)
    project = {"extraPaths": [str(ROOT)], "venvPath": str(venv.parent), "venv": venv.name, "pythonVersion": "3.11"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(project))
    report = json.loads(run("pyright", "--outputjson", "-p", str(tmp_path)))
    assert report["summary"]["filesAnalyzed"] == 1, report
    found = {
        diagnostic["range"]["start"]["line"] + 1
        for diagnostic in report["generalDiagnostics"]
        if diagnostic["severity"] == "error"
    }
    assert found == marked(path), report["generalDiagnostics"]
