"""The command line in a process of its own: started on a free port, waited for, always ended."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_S = 20.0

ENTRY = """
from agents_runtime import Agent, callable, route_agent_request
from workers import Response, WorkerEntrypoint


class Counter(Agent):
    initial_state = {"count": 0}

    @callable
    def increment(self, by: int = 1):
        self.set_state({"count": self.state["count"] + by})
        return self.state["count"]

    def on_request(self, request):
        return Response.from_json(self.state)


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/version"):
            return Response("one")
        if request.url.endswith("/boom"):
            raise ValueError("secret detail")
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
"""


def make_project(folder, entry=ENTRY, **config):
    """A project with one Counter; `config` adds to or replaces keys of its wrangler.jsonc."""
    base = {
        "name": "hello",
        "main": "src/entry.py",
        "compatibility_date": "2026-11-01",
        "compatibility_flags": ["python_workers"],
        "durable_objects": {"bindings": [{"name": "Counter", "class_name": "Counter"}]},
        "migrations": [{"tag": "v1", "new_sqlite_classes": ["Counter"]}],
    }
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "src" / "entry.py").write_text(entry)
    (folder / "wrangler.jsonc").write_text(json.dumps(base | config))
    return folder


class Command:
    """One run of `agents-runtime`."""

    def __init__(self, *arguments, cwd, env=None):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agents_runtime.local.cli", *arguments],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self._lines = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = 0

    def _read(self):
        for line in self._process.stdout or ():
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def output(self):
        return "\n".join(self._lines)

    def wait_for(self, pattern, wait_s=START_S, since=0):
        """The match of a pattern in the output, waited for."""
        deadline = time.monotonic() + wait_s
        with self._news:
            while True:
                if found := re.search(pattern, "\n".join(self._lines[since:])):
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or (self._process.poll() is not None and not self._reader.is_alive()):
                    raise AssertionError(f"no {pattern!r} in the output:\n{self.output}")
                self._news.wait(min(left, 0.2))

    def lines_so_far(self):
        return len(self._lines)

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, wait_s=15.0):
        """The exit code."""
        try:
            code = self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {wait_s} s:\n{self.output}") from None
        self._reader.join(5)
        return code

    def end(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        self._reader.join(5)
        self._process.stdout.close()

    def request(self, path="/", method="GET", body=None, headers=None, wait_s=10.0):
        """(status, body as text)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=wait_s)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def ws(self, path):
        return f"ws://127.0.0.1:{self.port}{path}"


@contextlib.contextmanager
def command(*arguments, cwd, env=None):
    """Run a command that may end by itself."""
    running = Command(*arguments, cwd=cwd, env=env)
    try:
        yield running
    finally:
        running.end()


@contextlib.contextmanager
def server(folder, *options, mode="serve", env=None):
    """A server of the project in `folder`, on a free port."""
    with command(mode, "--port", "0", *options, cwd=folder, env=env) as running:
        running.port = int(running.wait_for(r"Ready on http://127\.0\.0\.1:(\d+)")[1])
        yield running


TERM, KILL, INT = signal.SIGTERM, signal.SIGKILL, signal.SIGINT
