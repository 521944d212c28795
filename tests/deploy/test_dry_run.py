"""`wrangler deploy --dry-run` takes the repository's worker and a new project, laid out as pywrangler lays them out."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import missing
from tests.workerd.tools import ROOT, Missing, run

HERE = Path(__file__).parent
NODE_MODULES = HERE / "node_modules"
COMMAND = Path(sys.executable).with_name("agents-runtime")
UPLOAD_LIMIT_BYTES = 500 * 1024
TEST_TOOLS = ("_pytest", "pytest", "pluggy", "iniconfig", "pygments", "packaging", "tests", "__pycache__")


@pytest.fixture(scope="module")
def wrangler() -> list[str]:
    """The command line of wrangler, on a Node.js that it accepts."""
    try:
        if not (NODE_MODULES / ".package-lock.json").exists():
            run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], "npm", HERE)
    except Missing as reason:
        missing(str(reason))
    nodes = [*NODE_MODULES.glob("node-linux-*/bin/node"), Path(shutil.which("node") or "")]
    return [str(nodes[0]), str(NODE_MODULES / "wrangler/bin/wrangler.js"), "deploy", "--dry-run", "--outdir", "out"]


def vendor(site: Path, project: Path) -> None:
    """Lay out `python_modules` as pywrangler does: a copy of the site-packages of the interpreter on Workers."""
    modules = project / "python_modules"
    shutil.copytree(site, modules, ignore=shutil.ignore_patterns(*TEST_TOOLS, "pytest-*", "py.py"))
    shutil.copytree(ROOT / "agents_runtime", modules / "agents_runtime", ignore=shutil.ignore_patterns("__pycache__"))
    (modules / "pyvenv.cfg").touch()


def deploy(wrangler: list[str], project: Path) -> str:
    environment = {**os.environ, "WRANGLER_SEND_METRICS": "false", "CI": "1", "HOME": str(project)}
    done = subprocess.run(
        wrangler, cwd=project, env=environment, capture_output=True, text=True, timeout=55, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_example_with_a_workflow_can_be_deployed(wrangler, workerd_tools, tmp_path):
    project = tmp_path / "approval"
    shutil.copytree(ROOT / "examples" / "approval_workflow", project, ignore=shutil.ignore_patterns(*TEST_TOOLS))
    vendor(workerd_tools.site, project)
    said = deploy(wrangler, project)
    assert "env.Orders (Orders)" in said
    assert "env.FULFIL (Fulfil)" in said


def test_a_new_project_can_be_deployed(wrangler, workerd_tools, tmp_path):
    subprocess.run([str(COMMAND), "new", "demo"], cwd=tmp_path, check=True, capture_output=True, timeout=30)
    project = tmp_path / "demo"
    vendor(workerd_tools.site, project)
    said = deploy(wrangler, project)
    assert "env.Counter (Counter)" in said
    assert "python_workers" in (project / "wrangler.jsonc").read_text()


def test_the_worker_of_the_repository_can_be_deployed_without_what_only_a_laptop_needs(
    wrangler, workerd_tools, tmp_path
):
    shutil.copy(ROOT / "wrangler.toml", tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    vendor(workerd_tools.site, tmp_path)
    said = deploy(wrangler, tmp_path)
    assert "env.Counter (Counter)" in said
    assert "env.ChatRoom (ChatRoom)" in said
    uploaded = tmp_path / "out" / "python_modules" / "agents_runtime"
    assert (uploaded / "agent.py").is_file()
    assert not (uploaded / "local").exists()
    assert not (uploaded / "testing").exists()
    size = sum(len(gzip.compress(path.read_bytes())) for path in uploaded.rglob("*") if path.is_file())
    assert size < UPLOAD_LIMIT_BYTES, f"{size} bytes"
