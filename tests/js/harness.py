"""A server process that can be killed, and Node programs that run scenarios against it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.children import spawn

HERE = Path(__file__).parent
COMMAND = Path(sys.executable).with_name("agents-runtime")
START_S = 20.0
STOP_S = 15.0
SCENARIO_S = 50.0
NO_NETWORK = ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "ECONNRESET", "network")


class Server:
    """`agents-runtime serve` (or `dev`) on a free port; data and port stay the same when it is started again."""

    def __init__(self, project: Path, data: Path, *options: str, command: str = "serve") -> None:
        self.project = project
        self.data = data
        self.port = free_port()
        self._command = command
        self._options = options
        self._wishes = {"kill": self.kill, "stop": self.stop, "start": self.start}
        self._log = data.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            str(COMMAND),
            self._command,
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--data",
            str(self.data),
        ]
        with self._log.open("ab") as log:
            self._process = spawn(
                [*command, *self._options],
                last=signal.SIGTERM,  # so that `dev` ends its own child
                cwd=self.project,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the server did not start:\n{self.output()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a loss of power would end it: with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator would: with SIGTERM."""
        self._end(signal.SIGTERM)

    def obey(self, wish: str) -> None:
        """Do what a scenario asks for: "kill", "stop", "start", or what `grant` has added."""
        self._wishes[wish]()

    def grant(self, wish: str, act: Callable[[], None]) -> None:
        self._wishes[wish] = act

    def log_size(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def output(self, since: int = 0) -> str:
        """The last lines it has written, of those after the first `since` bytes."""
        text = self._log.read_bytes()[since:].decode(errors="replace") if self._log.exists() else ""
        return "\n".join(f"  server| {line}" for line in text.splitlines()[-60:])

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_S)
            raise AssertionError(
                f"the server was still there {STOP_S:g} s after {how.name}:\n{self.output()}"
            ) from None

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


class Driver:
    """A Node process that runs the scenarios of one module, one after the other."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def run(self, scenario: str, server: Server, *, timeout_s: float = SCENARIO_S, **given: Any) -> None:
        """Run one scenario to its end. An AssertionError tells what it said, and what the server said."""
        if self._process is None:
            self._start()
        said: list[str] = []
        log_size = server.log_size()
        self._tell({"run": scenario, "host": server.host, **given})
        try:
            self._follow(said, server.obey, timeout_s)
        except AssertionError as error:
            self.close()  # it may still be in the middle of the scenario
            said_text = "\n".join(f"  {scenario}| {line}" for line in said)
            raise AssertionError(f"{scenario}: {error}\n{said_text}\n{server.output(log_size)}") from None

    def close(self) -> None:
        """End the process; it closes what it has opened."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def _start(self) -> None:
        self._lines = queue.Queue()
        self._process = subprocess.Popen(
            ["node", str(HERE / "driver" / "run.mjs"), str(HERE / "driver" / self._module)],
            cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", bufsize=1,
        )  # fmt: skip
        threading.Thread(target=self._read, args=(self._process, self._lines), daemon=True).start()
        self._follow([], lambda _: None, START_S)

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: queue.Queue[dict[str, Any] | None]) -> None:
        assert process.stdout
        for text in process.stdout:
            lines.put(json.loads(text) if text.startswith("{") else {"log": text.rstrip()})
        process.stdout.close()
        lines.put(None)

    def _tell(self, line: dict[str, Any]) -> None:
        assert self._process
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise AssertionError("the Node process ended") from None

    def _follow(self, said: list[str], obey: Callable[[str], None], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.get(timeout=max(deadline - time.monotonic(), 0.001))
            except queue.Empty:
                raise AssertionError(f"not done after {timeout_s:g} s") from None
            if line is None:
                raise AssertionError("the Node process ended")
            if "done" in line:
                return
            if "failed" in line:
                raise AssertionError(line["failed"])
            if "ask" in line:
                obey(line["ask"])
                self._tell({"answer": True})
            else:
                said.append(line["log"])


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def install_packages() -> str | None:
    """Install the locked Node packages of this folder. Returns why that is impossible here, or None."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "Node.js 20 or newer with npm is not installed"
    if (HERE / "node_modules" / ".package-lock.json").exists():
        return None
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode == 0:
        return None
    if any(sign in done.stderr for sign in NO_NETWORK):
        return "the npm registry cannot be reached, and tests/js/node_modules is not there"
    raise AssertionError(f"{' '.join(command)} failed:\n{done.stderr}")


def find_chromium() -> str | None:
    """The browser to drive: $CHROMIUM, or the first one on the path."""
    candidates = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    return next((found for name in candidates if name and (found := shutil.which(name))), None)
