"""Runs the shell blocks of the documents: a short list of commands, each in a way that suits a test.

A command that is not on the list fails the test, so that a page cannot promise what nobody tried. Port 8787 becomes a
free one, servers run in the background until the page ends, and the repository's own scripts are only looked at: they
are what runs this test.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
RUN = {"python", "python3", "pytest", "ls", "mkdir", "cat", "sqlite3"}
OWN_SCRIPTS = {"scripts/run", "scripts/test", "bench/run"}
READY_S = 20
RELOADED_S = 5


class ShellError(Exception):
    """Raised when a command is not allowed in a document, or did not do what the document says."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Shell:
    """The terminal of one page: a working directory, a port, and servers in the background."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._servers: list[subprocess.Popen[bytes]] = []

    def run(self, text: str) -> None:
        """Run the lines of a block in order.

        Raises:
            ShellError: a line is not allowed, fails, or takes too long.
        """
        for line in text.replace("\\\n", " ").splitlines():
            command = shlex.split(line, comments=True)
            if command:
                self._one(command)

    def close(self) -> None:
        """Stop the servers this page started."""
        for server in self._servers:
            if server.poll() is None:
                server.send_signal(signal.SIGTERM)
                try:
                    server.wait(15)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait(5)

    def _one(self, command: list[str]) -> None:
        name = command[0]
        if name in OWN_SCRIPTS:
            _require(os.access(ROOT / name, os.X_OK), f"{name} is not an executable file of the repository")
        elif name == "pip":
            _check_pip(command)
        elif name == "git":
            _require(command[1] == "clone" and len(command) >= 3, f"git {command[1]} is not allowed in a document")
        elif name == ".":
            _require(command[1:] == [".venv/bin/activate"], f"{shlex.join(command)} is not allowed in a document")
        elif name == "cd":
            self._change_folder(command[1])
        elif name == "curl":
            self._curl(command[1:])
        elif name == "agents-runtime" and command[1:2] in (["dev"], ["serve"]):
            self._serve(command)
        elif name == "agents-runtime" or name in RUN:
            self._wait_for(command)
        else:
            raise ShellError(f"`{name}` is not on the list of commands that documents may use (tests/docs/shell.py)")

    def _change_folder(self, name: str) -> None:
        # "agents_runtime" right after `git clone` is the repository itself, where a page's folder already is.
        target = self.folder / name
        _require(target.is_dir() or name == "agents_runtime", f"cd {name}: there is no such folder")
        self.folder = target if target.is_dir() else self.folder

    def environment(self) -> dict[str, str]:
        """The variables of this terminal: the tools of this environment first, and the package importable."""
        paths = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
        return {**os.environ, "PATH": paths, "PYTHONPATH": str(ROOT), "COLUMNS": "120", "NO_COLOR": "1"}

    def _wait_for(self, command: list[str]) -> None:
        if command[0] == "pytest":
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *command[1:]]
        elif command[0] == "python3":
            command = ["python", *command[1:]]
        try:
            result = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment(),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except (subprocess.TimeoutExpired, FileNotFoundError) as error:
            raise ShellError(f"{shlex.join(command)}: {error}") from error
        _require(result.returncode == 0, f"{shlex.join(command)} failed:\n{result.stdout}\n{result.stderr}")

    def _serve(self, command: list[str]) -> None:
        command = [part.replace("8787", str(self.port)) for part in command]
        if "--port" in command:
            port = int(command[command.index("--port") + 1])
        else:
            port = self.port
            command += ["--port", str(port)]
        server = subprocess.Popen(command, cwd=self.folder, env=self.environment(), stdout=subprocess.DEVNULL)
        self._servers.append(server)
        end = time.monotonic() + READY_S
        while time.monotonic() < end and server.poll() is None:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise ShellError(f"{shlex.join(command)} did not open its port (exit code {server.poll()})")

    def _curl(self, options: list[str]) -> None:
        urls = [part for part in options if re.match(r"https?://", part)]
        files = [part for part in options if part.startswith("@")]
        known = {"-s", "-i", *(("--data-binary", *files) if len(files) == 1 else ())}
        _require(
            len(urls) == 1 and set(options) - set(urls) <= known,
            f"curl {options}: only curl [-s] [-i] [--data-binary @FILE] URL",
        )
        body = (self.folder / files[0][1:]).read_bytes() if files else None
        url = urls[0].replace(":8787", f":{self.port}")
        _require(url.startswith(f"http://127.0.0.1:{self.port}"), f"{url} is not this machine")
        # A file that was written just before may not have been taken in yet; a reader looks again, too.
        end = time.monotonic() + RELOADED_S
        while True:
            try:
                with urllib.request.urlopen(url, body, timeout=10) as response:
                    return _require(response.status == 200, f"{url} answered {response.status}")
            except urllib.error.HTTPError as error:
                _require(time.monotonic() < end, f"{url} answered {error.code}: {error.read().decode()[:2000]}")
                time.sleep(0.1)


def _check_pip(command: list[str]) -> None:
    """A document installs this package with extras that exist."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for wanted in (part for part in command[2:] if not part.startswith("-")):
        match = re.fullmatch(r"(agents[_-]runtime|\.)(?:\[([\w,]+)\])?(?: @ .*)?", wanted)
        _require(match is not None or wanted in ("pytest",), f"pip install {wanted}: not this package")
        for extra in filter(None, (match[2] or "").split(",") if match else ()):
            _require(extra in project["optional-dependencies"], f"there is no extra {extra!r}")


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ShellError(problem)
