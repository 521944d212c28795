"""The wheel: pure Python, small, and with everything the command line needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST_ON_WORKERS_BYTES = 500 * 1024
"""What a Worker uploads: everything but the local host and the test kit, which wrangler files exclude.

A sixth of the 3 MB that the smallest plan takes. Two fifths of it are MCP, which loads only when an agent uses it."""
KEPT_AT_HOME = ("agents_runtime/local/", "agents_runtime/testing/")
LARGEST_BYTES = 900 * 1024


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    source = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".agents")
    shutil.copytree(ROOT / "agents_runtime", source / "agents_runtime", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        "out",
        ".",
    ]
    result = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    (built,) = (source / "out").glob("*.whl")
    return built


def test_it_is_pure_and_small(wheel):
    assert wheel.name.endswith("-py3-none-any.whl")
    assert wheel.stat().st_size < LARGEST_BYTES
    uploaded = [file for file in zipfile.ZipFile(wheel).infolist() if not file.filename.startswith(KEPT_AT_HOME)]
    assert sum(file.compress_size for file in uploaded) < LARGEST_ON_WORKERS_BYTES


@pytest.mark.parametrize("file", ["wrangler.toml", "agents_runtime/local/templates/counter/wrangler.jsonc"])
def test_wrangler_files_keep_the_local_host_at_home(file):
    text = (ROOT / file).read_text()
    assert [folder for folder in KEPT_AT_HOME if f'"{folder}**"' not in text] == []


def test_it_holds_types_templates_and_licence(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "agents_runtime/py.typed" in names
    shipped = [path for path in (ROOT / "agents_runtime/local/templates").rglob("*") if path.is_file()]
    expected = {str(path.relative_to(ROOT)) for path in shipped if "__pycache__" not in path.parts}
    assert expected
    assert expected <= names, f"templates not in the wheel: {sorted(expected - names)}"
    assert any(name.endswith("LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "bench/", "docs/", "examples/"))]


def test_it_declares_its_command_and_its_pytest_plugin(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (entry_points,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        text = archive.read(entry_points).decode()
    assert "agents-runtime = agents_runtime.local.cli:main" in text
    assert "[pytest11]" in text


def test_every_module_of_the_package_is_in_it(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / "agents_runtime").rglob("*.py")}
    assert ours - names == set(), "folders without __init__.py are left out of the wheel"
