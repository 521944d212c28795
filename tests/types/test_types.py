"""Both type checkers refuse what is wrong in a user's program, where it is wrong."""

from __future__ import annotations

import json
import re
import shutil
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
    config = {
        "include": ["."],
        "extraPaths": [str(ROOT)],
        "pythonVersion": "3.11",
        "typeCheckingMode": "standard",
    }
    shutil.copy(path, tmp_path)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(config))
    report = json.loads(run("pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(tmp_path)))
    found = {
        diagnostic["range"]["start"]["line"] + 1
        for diagnostic in report["generalDiagnostics"]
        if diagnostic["severity"] == "error"
    }
    assert found == marked(path), report["generalDiagnostics"]
