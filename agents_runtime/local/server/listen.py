"""The port a server listens on and the folder it owns, both taken before anything starts."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path
from typing import IO

from agents_runtime.errors import AgentError


class StartError(AgentError):
    """Raised when the server cannot start as asked. The text says which option to change."""

    code = "start_error"


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not yet accepting.

    Raises:
        StartError: the port is taken or may not be used, or the host is no address of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
    except OSError as exc:
        raise StartError(f"{host!r} is no address of this machine ({exc.strerror}). Choose one with --host.") from exc
    try:
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as exc:
        bound.close()
        if exc.errno == errno.EADDRINUSE:
            raise StartError(f"port {port} is in use. Stop what is using it, or choose another with --port.") from exc
        if exc.errno in (errno.EACCES, errno.EPERM):
            raise StartError(f"port {port} may not be used by this user. Choose one above 1023 with --port.") from exc
        raise StartError(f"cannot listen on {host}:{port}: {exc.strerror}. Choose another with --host.") from exc
    bound.setblocking(False)
    bound.set_inheritable(True)
    return bound


def shown_url(bound: socket.socket) -> str:
    """The address for a browser on this machine."""
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class DataLock:
    """Holds a data folder for this process; the operating system lets go of it when the process ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Claim the folder, creating it if need be.

        Raises:
            StartError: another server has it, or it cannot be written to.
        """
        path = self._folder / ".lock"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="ascii")
        except OSError as exc:
            raise StartError(
                f"{self._folder} cannot be the data folder: {exc.strerror}. Choose another with --data."
            ) from exc
        if not _lock(file):
            file.seek(0)
            owner = file.read().strip()
            file.close()
            raise StartError(
                f"another server{f' (process {owner})' if owner else ''} uses the data folder {self._folder}."
                " Stop it, or choose another folder with --data."
            )
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file

    def release(self) -> None:
        """Let others have the folder."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _lock(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
