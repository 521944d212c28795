"""What a child has to say to its root, in order: wakes to arm, frames to send, sockets to close.

It leaves with the answer to the event that caused it, so that the asker learns of nothing before the root knows; what
happens in the background, or takes longer, is sent as an event of the root's own. Each entry is numbered: the root
does each once, in order, whichever way it came.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents_runtime._platform.child.identity import Path, Step
    from agents_runtime._platform.ports import Platform

logger = logging.getLogger("agents_runtime")

HOME_KEY = "cf_agents:home"
EPOCH_KEY = "cf_agents:sockets_epoch"
IS_FACET_KEY = "cf_agents_is_facet"
NAME_KEY = "cf_agents_facet_name"
PARENT_PATH_KEY = "cf_agents_parent_path"
"""The last three are where the JavaScript SDK looks for them as well."""

TURNS_OF_AN_EVENT = 8
"""So many turns of the event loop a short event takes; what it says upwards then leaves with its answer."""

MAX_FRAME = 4_000_000
"""The largest frame, and the most characters that travel at once: the platform carries 32 MiB between objects."""

TRIES = 5
FIRST_RETRY_S = 0.2
LIFE_BYTES = 8

Batch = dict[str, Any]
"""`{"path": ..., "life": ..., "ops": [[number, what, ...], ...]}`: what one life of one child has to say."""


class _NextTurn:
    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield


_NEXT_TURN = _NextTurn()


class Uplink:
    """One life of a child's way to its root."""

    def __init__(self, base: Platform) -> None:
        self._base = base
        self._life = ""
        self._count = 0
        self._own: list[list[Any]] = []
        self._relayed: list[Batch] = []
        self._sending = 0
        self._is_flushing = False
        self._home: dict[str, Any] | None = None
        self._epoch: str | None = None

    # Where it is

    @property
    def home(self) -> dict[str, Any]:
        """What the parent told: `{"binding", "id", "path"}`, the first two of the root, the path ending here."""
        home = self._home
        if home is None:
            home = self._home = dict(self._base.kv.get(HOME_KEY) or {})
        return home

    @property
    def path(self) -> list[Step]:
        """The path from the root to this object."""
        path: list[Step] = self.home.get("path") or []
        return path

    @property
    def epoch(self) -> str:
        """Which set of sockets the root has; another one when they were all lost."""
        epoch = self._epoch
        if epoch is None:
            epoch = self._epoch = str(self._base.kv.get(EPOCH_KEY) or "")
        return epoch

    def admit(self, home: dict[str, Any] | None, epoch: str) -> bool:
        """Take in what the parent told along with an event. False: the sockets known so far are gone."""
        if home is not None and home != self.home:
            kv, path = self._base.kv, home["path"]
            kv.put(HOME_KEY, home)
            kv.put(IS_FACET_KEY, True)
            kv.put(NAME_KEY, path[-1]["name"])
            kv.put(PARENT_PATH_KEY, path[:-1])
            self._home = home
        if epoch == self.epoch:
            return True
        self._base.kv.put(EPOCH_KEY, epoch)
        self._epoch = epoch
        return False

    def root(self) -> Any:
        """A stub of the root."""
        namespace = self._base.namespaces()[self.home["binding"]]
        return namespace.get(namespace.idFromString(self.home["id"]))

    # What it says

    def post(self, what: str, *details: Any) -> None:
        """Say something."""
        self._count += 1
        self._own.append([self._count, what, *details])
        self._start_flush()

    def send(self, socket_id: str, data: str | bytes) -> None:
        """Send a frame; the same one to several sockets travels once.

        Raises:
            ValueError: it is too large for the way to the root.
        """
        if len(data) > MAX_FRAME:
            raise ValueError(f"a sub-agent's frame may have {MAX_FRAME:,} characters, this one has {len(data):,}")
        last = self._own[-1] if self._own else None
        if last is not None and last[1] == "send" and last[3] is data and last[0] > self._sending:
            last[2].append(socket_id)
        else:
            self.post("send", [socket_id], data)

    def relay(self, batches: Iterable[Batch]) -> None:
        """Pass on what a child of this one has to say."""
        before = len(self._relayed)
        self._relayed.extend(batches)
        if len(self._relayed) > before:
            self._start_flush()

    def purge(self, path: Path) -> None:
        """Say that the object at `path` is deleted, and everything in it."""
        self.post("deleted", list(path))

    def take(self) -> list[Batch]:
        """Everything not known to have arrived, to be sent with an answer; nothing if that is too much for one."""
        portion = self._portion()
        if len(portion) < len(self._own):
            return []
        batches = self._batches(portion)
        self._own, self._relayed = [], []
        return batches

    def _portion(self) -> list[list[Any]]:
        """The first entries, as many as may travel together."""
        size = 0
        for index, entry in enumerate(self._own):
            size += len(entry[3]) if entry[1] == "send" else 0
            if size > MAX_FRAME and index:
                return self._own[:index]
        return list(self._own)

    def _batches(self, portion: list[list[Any]]) -> list[Batch]:
        if not portion:
            return list(self._relayed)
        if not self._life:
            self._life = self._base.entropy.random_bytes(LIFE_BYTES).hex()
        return [{"path": self.path, "life": self._life, "ops": portion}, *self._relayed]

    def _start_flush(self) -> None:
        if not self._is_flushing:
            work = self._flush()
            try:
                self._base.spawn(work)
            except BaseException:  # this life has ended
                work.close()
                raise
            self._is_flushing = True

    async def _flush(self) -> None:
        """Send what no answer takes along, once it is durable here."""
        failures = 0
        try:
            for _ in range(TURNS_OF_AN_EVENT):
                await _NEXT_TURN
            while self._own or self._relayed:
                await self._base.committed()
                portion = self._portion()
                batches, count = self._batches(portion), len(self._relayed)
                self._sending = portion[-1][0] if portion else self._sending
                try:
                    await self.root().cf_agents_internal("up", {"batches": batches})
                except Exception:
                    failures += 1
                    if failures >= TRIES:
                        logger.exception("the root of %s cannot be reached", self.path)
                        return
                    await self._base.clock.sleep(FIRST_RETRY_S * 2**failures)
                    continue
                sent = self._sending
                self._own = [entry for entry in self._own if entry[0] > sent]
                arrived = {id(batch) for batch in batches[-count:]} if count else set[int]()
                self._relayed = [batch for batch in self._relayed if id(batch) not in arrived]
        finally:
            self._is_flushing = False
