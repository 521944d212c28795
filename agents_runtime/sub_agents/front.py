"""Towards the root: what a parent needs of it, whether it is the root itself or a child on the way to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from agents_runtime._platform.child.platform import ChildPlatform
from agents_runtime._platform.child.sockets import UPGRADE

if TYPE_CHECKING:
    from agents_runtime._platform.child.identity import Path, Step
    from agents_runtime._platform.child.uplink import Batch
    from agents_runtime._platform.ports import Platform, Socket

Carried: TypeAlias = Any
"""Whatever the platform carries between objects, or its own objects: requests, responses, stubs."""

Forward = Callable[[str], Awaitable[dict[str, Any]]]
"""Hands an upgrade request to a child, with the id of the socket that waits for it; returns what the child decided."""


class Front(Protocol):
    """The way to the root."""

    @property
    def epoch(self) -> str:
        """Which set of sockets the root has."""
        ...

    @property
    def root(self) -> dict[str, str]:
        """How children reach the root: its binding and its id."""
        ...

    @property
    def path(self) -> list[Step]:
        """The path from the root to this agent."""
        ...

    def root_stub(self) -> Carried:
        """The platform's stub of the root."""
        ...

    def take_up(self, batches: Iterable[Batch]) -> None:
        """Do what children have to say, or pass it on."""
        ...

    def purge(self, path: Path) -> None:
        """Forget the wakes and sockets of a deleted child and of those in it."""
        ...

    async def connect(self, step: Step, forward: Forward) -> Carried:
        """Answer an upgrade request that a child is to take."""
        ...

    async def pass_on(self, socket: Socket, what: str, given: dict[str, Any]) -> None:
        """Hand what came on the WebSocket of an agent below to it."""
        ...


class ChildFront:
    """The way from a child: up."""

    def __init__(self, platform: ChildPlatform) -> None:
        self._sockets = platform.sockets
        self._uplink = platform.uplink
        self.take_up = self._uplink.relay
        self.purge = self._uplink.purge
        self.root_stub = self._uplink.root

    @property
    def epoch(self) -> str:
        """Which set of sockets the root has."""
        return self._uplink.epoch

    @property
    def root(self) -> dict[str, str]:
        """How the root is reached."""
        home = self._uplink.home
        return {"binding": home["binding"], "id": home["id"]}

    @property
    def path(self) -> list[Step]:
        """The path from the root to this agent."""
        return self._uplink.path

    async def connect(self, step: Step, forward: Forward) -> Carried:
        """Let a child of this one take the socket that the root holds."""
        upgrade = UPGRADE.get()
        if upgrade is None:
            return self._sockets.refuse(1011, "No socket is held for this request")
        outcome = await forward(upgrade.socket_id)
        response = self._sockets.refuse(outcome.get("code", 0), outcome.get("reason", ""))
        upgrade.is_accepted, upgrade.path = outcome["accepted"], outcome.get("path")
        return response

    async def pass_on(self, socket: Socket, what: str, given: dict[str, Any]) -> None:
        """Nothing comes here: the sockets of all agents below end at the root."""


def child_front(platform: Platform) -> ChildFront | None:
    """The way from a child; None for a root."""
    return ChildFront(platform) if isinstance(platform, ChildPlatform) else None
