"""One server under measurement: start and stop it, and read what its process tree uses.

The machine may be shared, so throughput is given per second of *server CPU time*: the same work costs the same CPU
whatever else runs, while wall-clock rates fall. Linux only: it reads /proc.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
NOFILE = 20_000
STOP_S = 3  # stores are thrown away, so a server that takes longer is killed


def _limit_descriptors() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = NOFILE if hard == resource.RLIM_INFINITY else min(NOFILE, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Server:
    """A server process in a group of its own, under 20,000 file descriptors."""

    def __init__(self, command: Sequence[str], port: int, cwd: Path, log: Path) -> None:
        self.port = port
        self._log = log.open("ab")
        self.started_at = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_limit_descriptors,
        )
        self.pid = self._process.pid

    def wait_until_open(self, limit_s: float = 30) -> None:
        """Return when the port accepts connections.

        Raises:
            RuntimeError: the process ended, or the port stayed closed.
        """
        end = time.perf_counter() + limit_s
        while time.perf_counter() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.5).close()
                return
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(0.01)
        raise RuntimeError(f"port {self.port} never opened; see {self._log.name}")

    def stop(self) -> None:
        """End the process group this object started."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGTERM)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self._process.wait(5)
        self._log.close()

    def get(self, path: str, timeout_s: float = 30) -> str:
        """The body of a GET."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout_s) as response:
            return str(response.read(), "utf-8")

    def cpu_s(self) -> float:
        """CPU time used so far, user and system, by the process and its children."""
        return sum(_cpu_ticks(pid) for pid in self._tree()) / TICKS_PER_S

    def rss_kb(self) -> int:
        """Resident memory of the process and its children."""
        return sum(_rollup_kb(pid, "Rss:") for pid in self._tree())

    def descriptors(self) -> int:
        """Open file descriptors of the process and its children."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self._tree())

    def _tree(self) -> list[int]:
        pids = [self.pid]
        for pid in pids:
            pids += _children(pid)
        return pids


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    except OSError:
        return found
    return found


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _rollup_kb(pid: int, key: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(key))
