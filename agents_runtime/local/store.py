"""Where a host keeps the databases of its objects: a folder, or memory.

A folder holds `<Class>/<first two digits>/<id>.sqlite` for each object, a folder `<id>.facets` beside it for those
inside it, and `alarms.sqlite`, the list of alarms. A
store outlives hosts: a restart in a test opens a new host on the same `MemoryStore`.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agents_runtime.errors import StorageError
from agents_runtime.local.alarms import ALARM_KEY
from agents_runtime.local.namespaces import LocalId
from agents_runtime.local.storage.connect import delete_files
from agents_runtime.local.storage.database import Database, Faults

if TYPE_CHECKING:
    from agents_runtime.local.alarms import AlarmIndex
    from agents_runtime.local.options import Durability

logger = logging.getLogger("agents_runtime.local")

Address = tuple[str, str]
"""Class name and id in hex; of a facet the id of its root and a path within it."""


class Store(Protocol):
    """All databases of a host, and the list of alarms."""

    @property
    def alarms(self) -> AlarmIndex: ...
    def open(self, address: Address, on_dirty: Callable[[], None]) -> Database:
        """The database of an object for one life of it. Opened on first use."""
        ...

    def ids(self, class_name: str, known: Collection[str] = ()) -> Iterator[LocalId]:
        """Every object of a class that has stored something, but for those whose hex ids are known."""
        ...

    def remove(self, address: Address) -> None:
        """Delete the data of a facet that is not in memory, and of those in it."""
        ...

    def remove_inside(self, address: Address) -> None:
        """Delete the data of all facets of an object."""
        ...

    def list_alarms(self) -> list[tuple[LocalId, int]]: ...
    def close(self) -> None: ...


class DiskStore:
    """One SQLite file per object."""

    def __init__(
        self, folder: Path, durability: Durability, faults: Faults | None = None, *, lock_files: bool = False
    ) -> None:
        self._folder = folder
        self._durability: Durability = durability
        self._faults = faults
        self._lock_files = lock_files
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._session = Session(folder / "session")
            self._is_list_complete = self._session.begin()
            self.alarms = AlarmFile(folder / "alarms.sqlite")
        except (OSError, sqlite3.Error) as error:
            raise StorageError(f"{folder} cannot be used as the data folder: {error}") from error

    def open(self, address: Address, on_dirty: Callable[[], None]) -> Database:
        return Database(
            self._path(address),
            durability=self._durability,
            on_dirty=on_dirty,
            faults=self._faults,
            is_exclusive=self._lock_files,
        )

    def ids(self, class_name: str, known: Collection[str] = ()) -> Iterator[LocalId]:
        for path in sorted(self._folder.glob(f"{class_name}/??/*.sqlite")):
            if path.stem in known:
                continue  # in memory: its file may be locked
            with self._looking_at((class_name, path.stem)) as database:
                name = database.get_meta("name")
            yield LocalId(class_name, path.stem, None if name is None else str(name))

    def remove(self, address: Address) -> None:
        delete_files(self._path(address))
        self.remove_inside(address)

    def remove_inside(self, address: Address) -> None:
        shutil.rmtree(self._path(address).with_suffix(".facets"), ignore_errors=True)

    def list_alarms(self) -> list[tuple[LocalId, int]]:
        return self.alarms.all() if self._is_list_complete else list(self._find_alarms())

    def _find_alarms(self) -> Iterator[tuple[LocalId, int]]:
        """Ask every database, after a loss of power may have cost the list its last changes."""
        for path in sorted(self._folder.glob("*/??/*.sqlite")):
            class_name = path.parent.parent.name
            try:
                with self._looking_at((class_name, path.stem)) as database:
                    name, when_ms = database.get_meta("name"), database.get_meta(ALARM_KEY)
            except StorageError as error:
                logger.warning("no alarm can be read: %s", error)
                continue
            if when_ms is not None:
                yield LocalId(class_name, path.stem, None if name is None else str(name)), int(when_ms)

    def close(self) -> None:
        self.alarms.close()
        self._session.end()

    @contextmanager
    def _looking_at(self, address: Address) -> Generator[Database]:
        database = self.open(address, _nothing)
        try:
            yield database
        finally:
            database.close()

    def _path(self, address: Address) -> Path:
        class_name, hex_id = address
        return self._folder / class_name / hex_id[:2] / f"{hex_id}.sqlite"


class MemoryStore:
    """Databases in memory, for tests and throw-away agents."""

    def __init__(self, faults: Faults | None = None) -> None:
        self._faults = faults
        self._databases: dict[Address, Database] = {}
        self.alarms = AlarmTable()

    def open(self, address: Address, on_dirty: Callable[[], None]) -> Database:
        former = self._databases.get(address)
        if former is None:
            database = Database(None, on_dirty=on_dirty, faults=self._faults)
        else:
            database = former.next_life(on_dirty)
        self._databases[address] = database
        return database

    def ids(self, class_name: str, known: Collection[str] = ()) -> Iterator[LocalId]:
        for (stored_class, hex_id), database in sorted(self._databases.items()):
            if stored_class == class_name and hex_id not in known and "/" not in hex_id:
                name = database.peek_meta("name")
                yield LocalId(class_name, hex_id, None if name is None else str(name))

    def remove(self, address: Address) -> None:
        database = self._databases.pop(address, None)
        if database is not None:
            database.destroy()
        self.remove_inside(address)

    def remove_inside(self, address: Address) -> None:
        class_name, path = address
        inside = f"{path}.facets/"
        for known in list(self._databases):
            if known[0] == class_name and known[1].startswith(inside):
                self._databases.pop(known).destroy()

    def list_alarms(self) -> list[tuple[LocalId, int]]:
        return self.alarms.all()

    def close(self) -> None:
        """Keep everything: a memory store ends with its last reference."""


class AlarmTable:
    """The list of alarms, in memory."""

    def __init__(self) -> None:
        self._alarms: dict[LocalId, int] = {}

    def put(self, object_id: LocalId, when_ms: int) -> None:
        self._alarms[object_id] = when_ms

    def delete(self, object_id: LocalId) -> None:
        self._alarms.pop(object_id, None)

    def all(self) -> list[tuple[LocalId, int]]:
        return sorted(self._alarms.items(), key=lambda item: item[1])


class AlarmFile:
    """The list of alarms, in a file.

    Not synced at each change: the death of the process loses nothing, and the loss of power at most the
    last changes, which the objects' own databases still hold.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = OFF",
            "CREATE TABLE IF NOT EXISTS alarms (class TEXT, id TEXT, name TEXT, when_ms INTEGER NOT NULL,"
            " PRIMARY KEY (class, id)) WITHOUT ROWID",
        ):
            self._connection.execute(statement)

    def put(self, object_id: LocalId, when_ms: int) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO alarms VALUES (?, ?, ?, ?)",
            (object_id.class_name, object_id.hex, object_id.name, when_ms),
        )

    def delete(self, object_id: LocalId) -> None:
        self._connection.execute("DELETE FROM alarms WHERE class = ? AND id = ?", (object_id.class_name, object_id.hex))

    def all(self) -> list[tuple[LocalId, int]]:
        rows = self._connection.execute("SELECT class, id, name, when_ms FROM alarms ORDER BY when_ms")
        return [(LocalId(class_name, hex_id, name), when_ms) for class_name, hex_id, name, when_ms in rows]

    def close(self) -> None:
        """Write everything to the file for good."""
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()


class Session:
    """A file that tells whether the folder was left in order, or at least the machine has not stopped since."""

    CLEAN = "clean"

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self) -> bool:
        """Note that the folder is in use. False: the machine went down while it was used before."""
        boot = _boot_id()
        former = self._path.read_text() if self._path.exists() else self.CLEAN
        self._write(boot)
        return former == self.CLEAN or (former == boot != "")

    def end(self) -> None:
        """Note that everything is on disk."""
        self._write(self.CLEAN)

    def _write(self, text: str) -> None:
        with self._path.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def _boot_id() -> str:
    """Changes when the machine starts; empty where the system does not tell."""
    source = Path("/proc/sys/kernel/random/boot_id")
    return source.read_text().strip() if source.exists() else ""


def _nothing() -> None:
    """Nothing hangs on the writes of a database opened only to look."""
