"""A test run that is killed leaves no workerd behind, and one that goes on keeps it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.workerd import javascript
from tests.workerd.tools import ROOT

WORKER = 'export default { fetch() { return new Response("here"); } };'
RUN = """
import sys, time
from pathlib import Path
from tests.workerd import javascript
from tests.workerd.tools import find_tools

folder = Path(sys.argv[1])
print(javascript.start(find_tools(), folder, folder, folder / "storage", {}).ports["http"], flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bundle.js").write_text(WORKER)
    return tmp_path


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a program that its parent was killed")
def test_it_ends_when_the_run_is_killed(workerd_tools, folder):
    with subprocess.Popen([sys.executable, "-c", RUN, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        port = int(run.stdout.readline())
        assert answers(port)
        run.kill()
    deadline = time.monotonic() + 5
    while answers(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not answers(port)


def test_it_outlives_the_thread_that_asked_for_it(workerd_tools, folder):
    started = []
    storage = folder / "storage"
    thread = threading.Thread(
        target=lambda: started.append(javascript.start(workerd_tools, folder, folder, storage, {}))
    )
    thread.start()
    thread.join()
    (process,) = started
    try:
        time.sleep(0.2)
        assert process.request(process.ports["http"], "/") == (200, b"here")
    finally:
        process.stop()
