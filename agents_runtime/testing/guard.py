"""Keeps tests off the network: only loopback addresses, and hosts a project allows by name, may be reached.

It watches the standard `socket` module, which asyncio, http.client and httpx use; it does not see a subprocess.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
from collections.abc import Callable, Collection
from typing import Any, cast

from agents_runtime.errors import UsageError


class NetworkRefused(UsageError):
    """Raised when a test that uses `runtime` tries to reach another machine.

    Attributes:
        target: the host or address, with its port when that is known.
    """

    code = "network_refused"

    def __init__(self, target: str) -> None:
        self.target = target
        super().__init__(
            f"a test tried to reach {target}, and tests that use `runtime` may only reach this machine. "
            "Answer for it with `runtime.serve_http(host, handler)`, or name the host under `agents_allow_hosts` in "
            "the pytest settings."
        )


class NetworkGuard:
    """Refuses name look-ups and connections that leave this machine, from `start` to `stop`.

    Guards nest: the newest one decides, and stopping it puts back what it found.
    """

    def __init__(self, allow_hosts: Collection[str] = ()) -> None:
        self._allowed = {_canonical(host) for host in allow_hosts}
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Refuse from now on."""
        connect: Callable[..., None] = socket.socket.connect
        connect_ex: Callable[..., int] = socket.socket.connect_ex
        send_to: Callable[..., int] = socket.socket.sendto
        look_up: Callable[..., list[Any]] = socket.getaddrinfo

        def guarded_connect(sock: socket.socket, address: object) -> None:
            self._check_address(sock.family, address)
            return connect(sock, address)

        def guarded_connect_ex(sock: socket.socket, address: object) -> int:
            self._check_address(sock.family, address)
            return connect_ex(sock, address)

        def guarded_send_to(sock: socket.socket, data: object, *args: object) -> int:
            self._check_address(sock.family, args[-1])
            return send_to(sock, data, *args)

        def guarded_look_up(host: object, port: object, *args: object, **kwargs: object) -> list[Any]:
            self._check_host(host, port)
            found = look_up(host, port, *args, **kwargs)
            self._allowed.update(_canonical(entry[4][0]) for entry in found)
            return found

        self._replace(socket.socket, "connect", guarded_connect)
        self._replace(socket.socket, "connect_ex", guarded_connect_ex)
        self._replace(socket.socket, "sendto", guarded_send_to)
        self._replace(socket, "getaddrinfo", guarded_look_up)

    def stop(self) -> None:
        """Put everything back."""
        while self._undo:
            self._undo.pop()()

    def _replace(self, owner: object, name: str, guarded: Callable[..., Any]) -> None:
        if name in vars(owner):
            self._undo.append(functools.partial(setattr, owner, name, getattr(owner, name)))
        else:
            self._undo.append(functools.partial(delattr, owner, name))  # it was inherited
        setattr(owner, name, guarded)

    def _check_address(self, family: int, address: object) -> None:
        parts = cast("tuple[object, ...]", address) if isinstance(address, tuple) else ()
        if family in (socket.AF_INET, socket.AF_INET6) and len(parts) >= 2:
            self._check_host(parts[0], parts[1])

    def _check_host(self, host: object, port: object) -> None:
        name = _canonical(host)
        if not (name in self._allowed or is_this_machine(name)):
            raise NetworkRefused(f"{name}:{port}" if port else name)


def is_this_machine(host: str) -> bool:
    """Whether a host name or address stands for this machine: loopback, unspecified, or a `localhost` name."""
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _canonical(host: object) -> str:
    if host is None:
        return ""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    return text.rstrip(".").lower()
