"""What goes wrong with the machine: damaged files, no room, no permission, a lock, an injected fault."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from agents_runtime.errors import CorruptDatabase, DatabaseUnavailable, DiskFull, StorageError
from agents_runtime.local.storage.kv import KeyValueTable
from agents_runtime.local.storage.port import LocalSqlStore
from agents_runtime.local.storage.sql import SqlStorage


class Faults:
    """Raises what it is told to, at the hook it is told to."""

    def __init__(self, **errors):
        self.errors = errors
        self.calls = []

    def _at(self, hook):
        self.calls.append(hook)
        if hook in self.errors:
            raise self.errors[hook]

    def before_write(self):
        self._at("before_write")

    def before_commit(self):
        self._at("before_commit")

    def after_commit(self):
        self._at("after_commit")


class Killed(BaseException):
    """A crash, as the test kit injects it."""


# Damage


@pytest.mark.parametrize(
    "content", [b"this is not a database, whatever its name says" * 100, b"SQLite format 3\0" * 300]
)
def test_a_file_that_is_no_database_is_named(make, tmp_path, content):
    path = tmp_path / "x.sqlite"
    path.write_bytes(content)
    with pytest.raises(CorruptDatabase, match=r"x\.sqlite is damaged .* restore it from a backup") as caught:
        make(path).get_meta("name")
    assert caught.value.file == str(path)
    assert caught.value.public_message == "Storage error"
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_not_touched(make, tmp_path):
    path = tmp_path / "x.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (a)")
    other.commit()
    other.close()
    with pytest.raises(CorruptDatabase, match="no such table: _cf_METADATA"):
        make(path).put_meta("name", "x")


def test_damage_in_the_middle_is_met_by_the_statement_that_reads_it(make, tmp_path):
    path = tmp_path / "x.sqlite"
    database = make(path)
    LocalSqlStore(database).execute("CREATE TABLE t (a)")
    for number in range(50):
        LocalSqlStore(database).execute("INSERT INTO t VALUES (?)", "x" * 2000 + str(number))
    database.commit()
    database.close()
    data = bytearray(path.read_bytes())
    data[5 * 4096 : 9 * 4096] = b"\xff" * (4 * 4096)
    path.write_bytes(data)
    readers = (
        lambda: LocalSqlStore(database).execute("SELECT a FROM t"),
        lambda: list(SqlStorage(database).exec("SELECT a FROM t")),
    )
    for read in readers:
        with pytest.raises(CorruptDatabase, match=r"x\.sqlite"):
            read()
    assert database.get_meta("name") is None


def test_an_empty_file_is_as_good_as_none(make, tmp_path):
    path = tmp_path / "x.sqlite"
    path.touch()
    database = make(path)
    database.put_meta("name", "x")
    database.commit()
    assert database.get_meta("name") == "x"


def test_what_a_killed_creation_left_behind_is_no_obstacle(make, tmp_path):
    (tmp_path / "x.sqlite.new").write_bytes(b"half")
    database = make(tmp_path / "x.sqlite")
    database.put_meta("name", "x")
    database.commit()
    assert not (tmp_path / "x.sqlite.new").exists()


# No access


def test_a_folder_that_cannot_be_made_is_named(make, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnavailable, match=r"x\.sqlite cannot be used .*its folder exists and is writable"):
        make(tmp_path / "file" / "x.sqlite").get_meta("name")


@pytest.fixture
def _as_nobody():
    """Root may read everything, so stop being root for the test."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    yield
    if is_root:
        os.seteuid(0)


@pytest.mark.usefixtures("_as_nobody")
def test_an_unreadable_folder_is_named(make):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0)
        with pytest.raises(DatabaseUnavailable, match=rf"{folder}/x\.sqlite cannot be used .*Permission denied"):
            make(Path(folder, "x.sqlite")).get_meta("name")
        os.chmod(folder, 0o500)
        with pytest.raises(DatabaseUnavailable, match=rf"{folder}/x\.sqlite cannot be used .*Permission denied"):
            make(Path(folder, "x.sqlite")).get_meta("name")
        os.chmod(folder, 0o700)


def test_a_directory_in_the_place_of_the_file_is_named(make, tmp_path):
    (tmp_path / "x.sqlite").mkdir()
    with pytest.raises(DatabaseUnavailable, match=r"x\.sqlite"):
        make(tmp_path / "x.sqlite").get_meta("name")


def test_a_lock_held_by_another_program_is_waited_for_only_shortly(make, tmp_path):
    database = make(tmp_path / "x.sqlite")
    database.get_meta("name")
    other = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match="no other program locks it"):
        database.put_meta("name", "x")
    assert not database.is_dirty
    other.execute("ROLLBACK")
    other.close()
    database.put_meta("name", "x")
    database.commit()


def test_running_out_of_descriptors_is_named_and_passes(tmp_path):
    program = """
import resource, sys
from pathlib import Path
from agents_runtime.errors import DatabaseUnavailable
from agents_runtime.local.storage.database import Database
first = Database(Path(sys.argv[1]), on_dirty=lambda: None)
first.put_meta("name", "x")
first.commit()
first.close()
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
try:
    first.get_meta("name")
except DatabaseUnavailable as error:
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    print("may open more files" in str(error), first.get_meta("name"))
    first.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.sqlite")],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.split() == ["True", "x"]


# No room


@pytest.fixture
def cramped(make, tmp_path):
    """A database that may grow by a few pages only, with one committed row."""
    database = make(tmp_path / "x.sqlite")
    LocalSqlStore(database).execute("CREATE TABLE t (a)")
    LocalSqlStore(database).execute("INSERT INTO t VALUES ('kept')")
    database.commit()
    pages = database.read("PRAGMA page_count")[0][0]
    database.read(f"PRAGMA max_page_count = {pages + 4}")
    return database


WRITERS = {
    "strict": lambda database: SqlStorage(database).exec("INSERT INTO t VALUES (?)", "x" * 100_000),
    "friendly": lambda database: LocalSqlStore(database).execute("INSERT INTO t VALUES (?)", "x" * 100_000),
    "keys": lambda database: KeyValueTable(database).put("k", "x" * 100_000),
    "host": lambda database: database.put_meta("k", "x" * 100_000),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
def test_a_full_disk_is_named(cramped, write):
    with pytest.raises(DiskFull, match=r"x\.sqlite: free some space"):
        write(cramped)
    cramped.rollback()
    assert LocalSqlStore(cramped).execute("SELECT a FROM t") == [{"a": "kept"}]


def test_a_turn_that_sqlite_undid_cannot_be_committed_in_part(make):
    database = make()
    sql = SqlStorage(database)
    sql.exec("CREATE TABLE t (a UNIQUE)")
    sql.exec("INSERT INTO t VALUES (1)")
    database.commit()
    sql.exec("INSERT INTO t VALUES (2)")
    with pytest.raises(StorageError, match="ON CONFLICT ROLLBACK"):
        sql.exec("INSERT OR ROLLBACK INTO t VALUES (1)")
    for use in (
        lambda: sql.exec("INSERT INTO t VALUES (3)"),
        lambda: database.put_meta("a", 1),
        lambda: database.transaction(lambda: None),
        database.commit,
    ):
        with pytest.raises(StorageError, match="undone"):
            use()
    database.rollback()
    assert [row.a for row in sql.exec("SELECT a FROM t")] == [1]
    sql.exec("INSERT INTO t VALUES (4)")
    database.commit()


def test_a_transaction_whose_turn_was_undone_fails_even_if_the_error_was_caught(make):
    database = make()
    sql = SqlStorage(database)
    sql.exec("CREATE TABLE t (a UNIQUE)")
    sql.exec("INSERT INTO t VALUES (1)")

    def work():
        with pytest.raises(StorageError):
            sql.exec("INSERT OR ROLLBACK INTO t VALUES (1)")

    with pytest.raises(StorageError, match="undone"):
        database.transaction(work)
    with pytest.raises(StorageError, match="undone"):
        database.commit()


def test_constraints_left_broken_at_the_end_of_the_turn_fail_the_commit(database):
    sql = SqlStorage(database)
    sql.exec("CREATE TABLE p (id INTEGER PRIMARY KEY)")
    sql.exec("CREATE TABLE c (p REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)")
    database.commit()
    sql.exec("INSERT INTO c VALUES (9)")
    with pytest.raises(StorageError, match="FOREIGN KEY constraint failed"):
        database.commit()
    database.rollback()
    assert list(sql.exec("SELECT * FROM c")) == []


# Injected faults


def test_faults_see_every_write_and_every_commit(make):
    faults = Faults()
    database = make(faults=faults)
    database.get_meta("a")
    assert faults.calls == []
    database.put_meta("a", 1)
    LocalSqlStore(database).execute("CREATE TABLE t (a)")
    SqlStorage(database).exec("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)")
    SqlStorage(database).exec("SELECT * FROM t").toArray()
    KeyValueTable(database).put("k", 1)
    KeyValueTable(database).delete("k")
    database.destroy_contents()
    database.commit()
    database.commit()
    assert faults.calls == ["before_write"] * 7 + ["before_commit", "after_commit"]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk I/O error"), OSError(28, "No space left")], ids=repr)
def test_a_failing_write_is_a_storage_error_or_the_platforms(make, write, error):
    database = make(faults=Faults(before_write=error))
    with pytest.raises(StorageError):
        write(database)


def write_and_commit(database):
    database.put_meta("a", 1)
    database.commit()


def test_any_other_fault_passes_through_as_it_is(make):
    for hook in ("before_write", "before_commit", "after_commit"):
        database = make(faults=Faults(**{hook: Killed(hook)}))
        with pytest.raises(Killed):
            write_and_commit(database)
        database.rollback()
        assert database.get_meta("a") == (1 if hook == "after_commit" else None)


def test_a_failing_commit_is_a_storage_error_and_keeps_nothing(database, make):
    database.put_meta("a", 1)
    database.commit()
    database._faults = Faults(before_commit=sqlite3.OperationalError("disk I/O error"))
    database.put_meta("a", 2)
    with pytest.raises(StorageError, match="disk I/O error"):
        database.commit()
    assert database.is_dirty
    database.rollback()
    assert database.get_meta("a") == 1


# The death of the process


def test_what_was_committed_before_a_kill_is_there_after_it(make, tmp_path):
    program = """
import sys
from pathlib import Path
from agents_runtime.local.storage.database import Database
database = Database(Path(sys.argv[1]), on_dirty=lambda: None)
for number in range(1_000_000):
    database.put_meta("n", number)
    database.put_meta("twin", number)
    database.commit()
    print(number, flush=True)
"""
    path = tmp_path / "x.sqlite"
    child = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        acknowledged = -1
        while acknowledged < 200:
            acknowledged = int(child.stdout.readline())
    finally:
        child.kill()
        rest = child.communicate(timeout=30)[0].split()
    acknowledged = max([acknowledged, *(int(number) for number in rest[:-1] or rest)])
    database = make(path)
    assert acknowledged <= database.get_meta("n") <= acknowledged + 2
    assert database.get_meta("n") == database.get_meta("twin")
