"""The JavaScript in the documents does what the page says, against the worker on the same page."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.docs.blocks import blocks_of
from tests.js.conftest import REPOSITORY, serve
from tests.js.harness import HERE

pytestmark = pytest.mark.node

PAGE = REPOSITORY / "docs" / "how-to" / "connect-javascript-clients.md"


@pytest.fixture
def page(packages, tmp_path):
    """The files of the page, served; `run` executes one of its scripts and returns what it prints."""
    project = tmp_path / "project"
    (project / "public").mkdir(parents=True)
    for block in blocks_of(PAGE, PAGE.read_text(encoding="utf-8")):
        if block.file:
            (project / block.file).write_text(block.text, encoding="utf-8")
    shutil.copy(REPOSITORY / "examples" / "public" / "agent-client.js", project / "public")
    (project / "node_modules").symlink_to(HERE / "node_modules")
    server = serve(project, tmp_path)

    def run(script):
        source = (project / script).read_text(encoding="utf-8").replace("127.0.0.1:8787", server.host)
        (project / script).write_text(source, encoding="utf-8")
        command = ["node", script]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{server.output()}"
        return done.stdout.splitlines()

    yield run
    server.kill()


def test_script_with_agent_client(page):
    assert page("client.mjs") == [
        "server { count: 0 }",
        "server { count: 2 }",
        "2",
        "server { count: 3 }",
        "3",
        "3",
        "2",
        "1",
        "client { count: 100 }",
        "Method explode does not exist",
    ]
    assert page("fetch.mjs") == ["{ count: 100 }"]
