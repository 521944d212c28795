"""Databases for the tests of storage, closed at the end."""

from __future__ import annotations

import pytest

from agents_runtime.local.storage.database import Database


class Maker:
    """Makes databases and counts how often each said that it is dirty."""

    def __init__(self):
        self.dirty = 0
        self.made = []

    def __call__(self, path=None, **options):
        database = Database(path, on_dirty=self.note, **options)
        self.made.append(database)
        return database

    def note(self):
        self.dirty += 1


@pytest.fixture
def make():
    maker = Maker()
    yield maker
    for database in maker.made:
        database.rollback()
        database.close()


@pytest.fixture(params=["memory", "disk"])
def database(request, make, tmp_path):
    """An empty database, in memory and on disk."""
    return make(tmp_path / "a" / "b" / "x.sqlite" if request.param == "disk" else None)
