"""The two sides of every comparison, each started on an empty store: npm `agents` on workerd, and our local host."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.process import Server

HERE = Path(__file__).resolve().parent


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def workerd(lab: Path) -> Path:
    """The program in the lab."""
    machine = {"aarch64": "arm64"}.get(os.uname().machine, "64")
    return lab / f"js/node_modules/@cloudflare/workerd-linux-{machine}/bin/workerd"


class Side(ABC):
    """How to start one of the two. `live=True` keeps idle agents in memory."""

    name: str

    def __init__(self, lab: Path) -> None:
        self.lab = lab
        self.log = lab / f"{self.name}.log"

    @abstractmethod
    def launch(self, *, live: bool = False) -> Server:
        """Start on an empty store, without waiting for the port."""

    @contextmanager
    def running(self, *, live: bool = False) -> Iterator[Server]:
        """A started server whose first agent has answered."""
        with self._answering(self.launch(live=live)) as server:
            yield server

    @contextmanager
    def _answering(self, server: Server) -> Iterator[Server]:
        try:
            server.wait_until_open()
            server.get("/agents/counter/first")
            yield server
        finally:
            server.stop()

    def _empty(self, name: str) -> Path:
        folder = self.lab / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


class JavaScript(Side):
    """npm `agents` bundled with esbuild, served by workerd itself: no proxy in front."""

    name = "js"

    def launch(self, *, live: bool = False) -> Server:
        """Start workerd; `live` sets its own `preventEviction`."""
        port = free_port()
        self._empty("js/do-storage")
        config = (HERE / "js/config.capnp").read_text().replace("127.0.0.1:18787", f"127.0.0.1:{port}")
        if live:
            config = config.replace("enableSql = true", "enableSql = true, preventEviction = true")
        (self.lab / "js/run.capnp").write_text(config)
        return Server([str(workerd(self.lab)), "serve", "run.capnp"], port, self.lab / "js", self.log)


class Python(Side):
    """`agents-runtime serve` with its production settings: one sync of the disk before each reply."""

    name = "python"

    @contextmanager
    def running_unsynced(self) -> Iterator[Server]:
        """The same, with commits that survive the death of the process only."""
        with self._answering(self._launch("python-unsynced", "--durability", "process")) as server:
            yield server

    def launch(self, *, live: bool = False) -> Server:
        """Start the local host; `live` keeps idle agents for an hour."""
        return self._launch("python-data", *(("--idle-timeout", "3600") if live else ()))

    def _launch(self, folder: str, *options: str) -> Server:
        port = free_port()
        data = self._empty(folder)
        program = Path(sys.executable).parent / "agents-runtime"
        command = [str(program), "serve", "--port", str(port), "--data", str(data), "--no-access-log"]
        return Server([*command, *options], port, HERE / "worker", self.log)
