"""`agents-runtime new`: a project that runs, tests and deploys as it was written."""

import asyncio
import json
import os
import subprocess
import sys
import tomllib

import pytest
from websockets.asyncio.client import connect

from agents_runtime.local.cli.new_project import create_project, project_name
from agents_runtime.local.config import read_config
from tests.server.serving import ROOT, TERM, command, server

FILES = {
    ".dev.vars.example",
    ".gitignore",
    "AGENTS.md",
    "README.md",
    "public/index.html",
    "pyproject.toml",
    "src/entry.py",
    "tests/test_counter.py",
    "wrangler.jsonc",
}


def new(folder, *arguments):
    with command("new", *arguments, cwd=folder) as running:
        return running.wait(), running.output


async def test_a_new_project_runs_and_keeps_its_state(tmp_path):
    code, said = new(tmp_path, "My Agent")
    assert code == 0
    assert 'cd "My Agent"' in said
    project = tmp_path / "My Agent"
    assert {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()} == FILES
    for count in (1, 2):
        with server(project, mode="dev") as running:
            assert "Note" not in running.output, "nothing to complain about"
            status, page = await asyncio.to_thread(running.request, "/")
            assert status == 200
            assert "<title>my-agent</title>" in page
            async with connect(running.ws("/agents/counter/default"), proxy=None) as ws:
                await ws.send('{"type":"rpc","id":"1","method":"increment","args":[1]}')
                async with asyncio.timeout(5):
                    while (frame := json.loads(await ws.recv()))["type"] != "rpc":
                        pass
                assert frame["result"] == count
            running.signal(TERM)
            assert await asyncio.to_thread(running.wait) == 0


def test_the_tests_of_a_new_project_pass(tmp_path):
    project = create_project(tmp_path / "hello")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "agents_runtime.testing.plugin"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout


def test_run_starts_it_at_once(tmp_path):
    # `--run` takes the default port, so a second project may find it in use: both answers name the address.
    with command("new", "hello", "--run", cwd=tmp_path) as running:
        running.wait_for(r"Ready on http://127\.0\.0\.1:8787|port 8787 is in use")
        running.signal(TERM)
        running.wait()


def test_its_configuration_is_complete(tmp_path):
    project = create_project(tmp_path / "hello_World 2")
    config = read_config(project)
    assert config.name == "hello-world-2"
    assert config.notes == ()
    metadata = tomllib.loads((project / "pyproject.toml").read_text())
    assert metadata["project"]["name"] == "hello-world-2"
    assert metadata["project"]["dependencies"] == ["agents_runtime"]
    assert "workers-py" in metadata["dependency-groups"]["deploy"][0]
    assert len((project / "src" / "entry.py").read_text().splitlines()) <= 30
    for path in project.rglob("*"):
        assert not path.is_file() or "{{" not in path.read_text()


def test_the_page_of_a_new_project_needs_nothing_from_elsewhere(tmp_path):
    page = (create_project(tmp_path / "hello") / "public" / "index.html").read_text()
    assert "http://" not in page
    assert "https://" not in page


def test_what_is_there_is_never_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("precious")
    code, said = new(tmp_path, "mine")
    assert code == 1
    assert "not an empty folder" in said
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]
    (tmp_path / "empty").mkdir()
    assert new(tmp_path, "empty")[0] == 0


def test_a_template_that_is_not_there_lists_those_that_are(tmp_path):
    code, said = new(tmp_path, "x", "--template", "nothing")
    assert code == 1
    assert "there is: counter" in said


@pytest.mark.parametrize(
    ("folder", "name"),
    [("hello", "hello"), ("Hello World!", "hello-world"), ("a__b--c", "a-b-c"), ("x" * 80, "x" * 63)],
)
def test_names(tmp_path, folder, name):
    assert project_name(tmp_path / folder) == name


def test_a_name_of_nothing_usable_is_refused(tmp_path):
    code, said = new(tmp_path, "???")
    assert code == 1
    assert "letters, digits and hyphens" in said
