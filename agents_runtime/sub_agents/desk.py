"""What a root keeps for all the children below it: their wakes, in its own job table, and their WebSockets."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn, cast

from agents_runtime._core import wire
from agents_runtime._core.ids import nanoid
from agents_runtime._core.jobs.port import SUB_AGENTS
from agents_runtime._platform.child.identity import owner_key
from agents_runtime._platform.child.uplink import EPOCH_KEY
from agents_runtime.errors import ConfigError, SocketClosed
from agents_runtime.sub_agents.errors import NotASubAgent, UnknownSubAgent
from agents_runtime.sub_agents.inbox import Inbox
from agents_runtime.sub_agents.relayed import attachment, relayed

if TYPE_CHECKING:
    from agents_runtime._core.jobs.port import Job, Jobs, Outcome
    from agents_runtime._core.jsonx import Json
    from agents_runtime._core.surroundings import Surroundings
    from agents_runtime._platform.child.identity import Path, Step
    from agents_runtime._platform.child.uplink import Batch
    from agents_runtime._platform.ports import Socket
    from agents_runtime.sub_agents.front import Carried, Forward

logger = logging.getLogger("agents_runtime")

WAKE = "wake"
WAKES_AT_ONCE = 8
DELETED_CODE, DELETED = 1001, "Sub-agent deleted"
ABNORMAL = 1006
HAD_SOCKETS_KEY = "cf_agents:had_sub_sockets"

AskPath = Callable[[list["Step"], str, Any], Awaitable[Any]]
"""Asks the child at the end of a path, given from the root on."""


class Desk:
    """The root's side of everything that children hold only through it. The `Front` of a root."""

    def __init__(self, around: Surroundings, own: Callable[[], Step], ask_path: AskPath) -> None:
        platform = around.platform
        self._around = around
        self._jobs: Jobs = around.jobs
        self._kv = platform.kv
        self._sockets = platform.sockets
        self._own = own
        self._ask_path = ask_path
        self._inbox = Inbox()
        self._by_id: dict[str, Socket] | None = None
        self._epoch: str | None = None
        self._root: dict[str, str] | None = None
        self._jobs.register(SUB_AGENTS, self._wake, fn=WAKE, concurrency=WAKES_AT_ONCE)

    @property
    def path(self) -> list[Step]:
        """The path to this agent: itself."""
        return [self._own()]

    @property
    def root(self) -> dict[str, str]:
        """The binding and the id by which children reach this agent."""
        if self._root is None:
            platform = self._around.platform
            object_id = platform.id.hex
            for binding, namespace in platform.namespaces().items():
                try:
                    namespace.idFromString(object_id)
                except Exception:  # it is an id of another class, says the platform
                    continue
                self._root = {"binding": binding, "id": object_id}
                break
            else:
                raise ConfigError(
                    "wrangler file",
                    "durable_objects.bindings",
                    f"{self._own()['className']} needs a binding of its own, or its sub-agents could not reach it",
                )
        return self._root

    def root_stub(self) -> NoReturn:
        """Nobody asks: this agent has no parent."""
        raise NotASubAgent

    # Sockets

    @property
    def epoch(self) -> str:
        """Which set of sockets this agent has: another one after they were all lost."""
        if self._epoch is None:
            epoch: str = self._kv.get(EPOCH_KEY) or ""
            if not self._known() and self._kv.get(HAD_SOCKETS_KEY):
                epoch = nanoid(self._around.platform.entropy.random_bytes, 9)
                self._kv.put(EPOCH_KEY, epoch)
                self._kv.delete(HAD_SOCKETS_KEY)
            self._epoch = epoch
        return self._epoch

    async def connect(self, step: Step, forward: Forward) -> Carried:
        """Accept an upgrade request for a child, and close it again if the child does not take it."""
        _ = self.epoch  # decided while the sockets are those of before
        path = [*self.path, step]
        socket_id = nanoid(self._around.platform.entropy.random_bytes)
        known = self._known()
        if not known and not self._kv.get(HAD_SOCKETS_KEY):
            self._kv.put(HAD_SOCKETS_KEY, True)
        socket, response = self._sockets.accept([], attachment(socket_id, path))
        known[socket_id] = socket
        outcome: dict[str, Any]
        try:
            outcome = await forward(socket_id)
        except Exception as error:
            await self._around.report(error)
            outcome = {"accepted": False, "code": wire.SETUP_FAILED_CODE, "reason": wire.SETUP_FAILED}
        if not outcome["accepted"]:
            self._drop(socket_id, outcome["code"], outcome["reason"])
        elif outcome.get("path") and outcome["path"] != path:
            socket.write_attachment(attachment(socket_id, outcome["path"]))
        return response

    async def pass_on(self, socket: Socket, what: str, given: dict[str, Any]) -> None:
        """Hand what came on a child's socket to the child. A child that is gone is told nothing."""
        of = relayed(socket)
        if of is None:
            return
        if what == "closed":
            self._known().pop(of.id, None)
        elif not isinstance(given["data"], str):
            given = {"data": _as_bytes(given["data"])}
        try:
            await self._ask_path(of.path, what, {"id": of.id, **given})
        except UnknownSubAgent:
            socket.close(DELETED_CODE, DELETED)

    def _known(self) -> dict[str, Socket]:
        if self._by_id is None:
            found = ((relayed(socket), socket) for socket in self._sockets.all())
            self._by_id = {of.id: socket for of, socket in found if of is not None}
        return self._by_id

    def _drop(self, socket_id: str, code: int, reason: str) -> None:
        socket = self._known().pop(socket_id, None)
        if socket is not None:
            socket.write_attachment("{}")
            socket.close(code, reason)

    # What children say

    def take_up(self, batches: Iterable[Batch]) -> None:
        """Do what children have to say."""
        for batch in batches:
            path = batch["path"]
            for what, *details in self._inbox.take(batch["life"], batch["ops"]):
                try:
                    self._do(path, what, details)
                except Exception:
                    logger.exception("%r of %s cannot be done", what, owner_key(path))

    def _do(self, path: list[Step], what: str, details: list[Any]) -> None:
        match what, details:
            case "wake", [when_ms]:
                self._arm(path, when_ms)
            case "send", [socket_ids, data]:
                self._send(path, socket_ids, data)
            case "close", [socket_id, code, reason]:
                if (socket := self._known().get(socket_id)) is not None:
                    socket.close(code, reason)
            case "deleted", [deleted]:
                self.purge(deleted)
            case "gone", []:
                self.purge(path)
                self._around.platform.spawn(self._forget(path))
            case _:
                logger.error("a sub-agent says %r, which nobody here understands", what)

    def _send(self, path: list[Step], socket_ids: list[str], data: str | bytes) -> None:
        known = self._known()
        frame = data if isinstance(data, str) else bytes(data)
        for socket_id in socket_ids:
            socket = known.get(socket_id)
            try:
                if socket is None:
                    raise SocketClosed
                socket.send(frame)
            except SocketClosed:
                known.pop(socket_id, None)
                self._around.platform.spawn(self._tell_lost(path, socket_id))

    async def _tell_lost(self, path: list[Step], socket_id: str) -> None:
        """A child sends to a socket that is gone: it has not heard of that."""
        try:
            await self._ask_path(path, "closed", {"id": socket_id, "code": ABNORMAL, "reason": "", "was_clean": False})
        except Exception as error:
            logger.debug("a lost socket could not be told of: %s", error)

    async def _forget(self, path: list[Step]) -> None:
        """A child destroyed itself: its parent has to know."""
        try:
            await self._ask_path(path[:-1], "forget", {"child": path[-1]})
        except Exception:
            logger.exception("%s destroyed itself, and its parent could not be told", owner_key(path))

    def purge(self, path: Path) -> None:
        """Forget the wakes and sockets of a child and of all below it."""
        key = owner_key(path)
        self._jobs.cancel(SUB_AGENTS, _wake_of(key))
        for job in self._jobs.list(SUB_AGENTS, fn=WAKE, prefix=f"{_wake_of(key)}/"):
            self._jobs.cancel(SUB_AGENTS, job.id)
        for socket_id, socket in list(self._known().items()):
            of = relayed(socket)
            if of is not None and _is_below(owner_key(of.path), key):
                self._drop(socket_id, DELETED_CODE, DELETED)

    # Wakes

    def _arm(self, path: list[Step], when_ms: int | None) -> None:
        job_id = _wake_of(owner_key(path))
        if when_ms is None:
            self._jobs.cancel(SUB_AGENTS, job_id)
        else:
            self._jobs.push(SUB_AGENTS, WAKE, int(when_ms), job_id=job_id, payload=cast("Json", path))

    async def _wake(self, job: Job) -> Outcome:
        """Let a child do what is due. What it says about its next wake takes the place of this job."""
        path: Any = job.payload
        try:
            await self._ask_path(path, "alarm", None)
        except UnknownSubAgent:
            logger.info("a wake of %s is dropped: there is no such sub-agent any more", job.id)
        return None


def has_gone(batch: Batch) -> bool:
    """Whether a child says that it has destroyed itself."""
    return any(entry[1] == "gone" for entry in batch["ops"])


def _wake_of(key: str) -> str:
    return f"sub:{key}"


def _is_below(key: str, top: str) -> bool:
    return key == top or key.startswith(f"{top}/")


def _as_bytes(data: Any) -> bytes:  # noqa: ANN401 - whatever buffer the platform hands over
    return bytes(data if isinstance(data, bytes) else data.to_bytes())
