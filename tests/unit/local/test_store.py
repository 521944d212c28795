"""Folders of databases, and the list of alarms in them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agents_runtime.errors import StorageError
from agents_runtime.local.alarms import ALARM_KEY
from agents_runtime.local.namespaces import id_from_name
from agents_runtime.local.store import DiskStore, Session


def put_alarm(store: DiskStore, name: str, when_ms: int) -> None:
    object_id = id_from_name("Room", name)
    database = store.open(("Room", object_id.hex), lambda: None)
    database.put_meta("name", name)
    database.put_meta(ALARM_KEY, when_ms)
    database.commit()
    database.close()


def listed(folder: Path) -> list[tuple[str | None, int]]:
    with closing(DiskStore(folder, "power")) as store:
        return [(object_id.name, when_ms) for object_id, when_ms in store.list_alarms()]


def test_alarms_are_listed_in_order_of_time_after_a_clean_end(tmp_path: Path) -> None:
    with closing(DiskStore(tmp_path, "power")) as store:
        store.alarms.put(id_from_name("Room", "late"), 2_000)
        store.alarms.put(id_from_name("Room", "early"), 1_000)
        store.alarms.put(id_from_name("Room", "gone"), 1_500)
        store.alarms.delete(id_from_name("Room", "gone"))
    assert listed(tmp_path) == [("early", 1_000), ("late", 2_000)]


def test_the_list_is_believed_after_the_process_alone_died(tmp_path: Path) -> None:
    with closing(DiskStore(tmp_path, "power")) as dead:
        dead.alarms.put(id_from_name("Room", "a"), 1_000)
        assert listed(tmp_path) == [("a", 1_000)]


def test_alarms_missing_from_the_list_are_found_after_a_loss_of_power(tmp_path: Path) -> None:
    with closing(DiskStore(tmp_path, "power")) as dead:
        put_alarm(dead, "a", 1_000)
        (tmp_path / "session").write_text("another boot")
        assert listed(tmp_path) == [("a", 1_000)]


def test_a_damaged_database_does_not_hide_the_alarms_of_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(DiskStore(tmp_path, "power")) as dead:
        put_alarm(dead, "a", 1_000)
        put_alarm(dead, "b", 2_000)
        broken = id_from_name("Room", "a").hex
        (tmp_path / "Room" / broken[:2] / f"{broken}.sqlite").write_bytes(b"not a database" * 500)
        (tmp_path / "session").write_text("another boot")
        assert listed(tmp_path) == [("b", 2_000)]
    assert broken in caplog.text


def test_a_session_ended_or_still_on_the_same_boot_is_in_order(tmp_path: Path) -> None:
    session = Session(tmp_path / "session")
    assert session.begin()
    assert session.begin()
    session.end()
    assert session.begin()
    (tmp_path / "session").write_text("another boot")
    assert not session.begin()


def test_locked_files_belong_to_the_host_until_they_are_closed(tmp_path: Path) -> None:
    with closing(DiskStore(tmp_path, "power", lock_files=True)) as store:
        object_id = id_from_name("Room", "a")
        database = store.open(("Room", object_id.hex), lambda: None)
        database.put_meta("name", "a")
        database.commit()
        file = tmp_path / "Room" / object_id.hex[:2] / f"{object_id.hex}.sqlite"
        assert list(store.ids("Room", known={object_id.hex})) == []
        with (
            closing(sqlite3.connect(file, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("SELECT * FROM _cf_METADATA")
        database.close()
        assert [found.name for found in store.ids("Room")] == ["a"]


def test_a_data_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="file"):
        DiskStore(tmp_path / "file" / "data", "power")
