"""One workerd process: started, asked for its ports, and ended by the one who started it."""

from __future__ import annotations

import http.client
import json
import os
import select
import subprocess
import time
from collections.abc import Collection
from pathlib import Path

from tests.children import spawn

START_S = 60.0
STOP_S = 2.0
REQUEST_S = 60.0


class Process:
    """A running workerd. The constructor returns when it listens; Python code may still be starting."""

    def __init__(self, workerd: Path, config: Path, log: Path, sockets: Collection[str] = ("http",)) -> None:
        self._log = log
        self._sockets = frozenset(sockets)
        read, write = os.pipe()
        try:
            with log.open("ab") as output:
                self._process = spawn(
                    [str(workerd), "serve", "--experimental", f"--control-fd={write}", str(config)],
                    pass_fds=[write], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                )  # fmt: skip
            os.close(write)
            write = -1
            self.ports = self._read_ports(read)
        finally:
            os.close(read)
            if write >= 0:
                os.close(write)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def rss_mib(self) -> int:
        """Resident memory, in MiB (Linux)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) // 1024

    def request(self, port: int, path: str, body: object = None) -> tuple[int, bytes]:
        """Send one request: a POST of JSON when there is a body."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_S)
        try:
            connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError as error:
            raise AssertionError(f"workerd did not answer {path}: {error}\n{self.output()}") from error
        finally:
            connection.close()

    def output(self, since: int = 0) -> str:
        """The end of what it has written, of what came after the first `since` bytes."""
        return self._log.read_bytes()[since:][-2000:].decode(errors="replace")

    def stop(self) -> None:
        """Let it end by itself for a moment, then end it. Open connections make it wait."""
        if self.is_running:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it as a loss of power would."""
        if self.is_running:
            self._process.kill()
        self._process.wait(STOP_S * 5)

    def _read_ports(self, pipe: int) -> dict[str, int]:
        """Follow the control messages until all sockets are open, or the process ends."""
        ports: dict[str, int] = {}
        text = b""
        deadline = time.monotonic() + START_S
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([pipe], [], [], left)[0]:
                break
            data = os.read(pipe, 4096)
            if not data:
                break
            text += data
            *lines, text = text.split(b"\n")
            for line in lines:
                message = json.loads(line)
                if message.get("event") == "listen":
                    ports[message["socket"]] = message["port"]
            if self._sockets <= ports.keys():
                return ports
        self.kill()
        raise AssertionError(f"workerd did not start:\n{self.output()}")
