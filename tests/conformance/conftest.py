"""Fixtures of the contract tests: the same test bodies run on every platform.

A body may use `storage` (the Durable Object's `ctx.storage`), `js_error` (the class of the platform's own errors) and
nothing else of a platform. To add a platform, add its name to `PLATFORMS` and an opener to `OPENERS`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agents_runtime.local.storage.database import Database
from agents_runtime.local.storage.storage import DurableObjectStorage
from agents_runtime.local.values import JsException

PLATFORMS = ("memory", "disk")


class Slot:
    """The smallest alarm a storage can have."""

    def __init__(self) -> None:
        self.when_ms: int | None = None

    def get_ms(self) -> int | None:
        return self.when_ms

    def set_ms(self, when_ms: int | None) -> None:
        self.when_ms = when_ms


async def run_alone(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


@asynccontextmanager
async def open_local(path: Path | None) -> AsyncIterator[DurableObjectStorage]:
    database = Database(path, on_dirty=lambda: None)
    try:
        yield DurableObjectStorage(database, Slot(), run_alone)
        database.commit()
    finally:
        database.rollback()
        database.close()


OPENERS: dict[str, Callable[[Path], Any]] = {
    "memory": lambda folder: open_local(None),
    "disk": lambda folder: open_local(folder / "ab" / "object.sqlite"),
}


@pytest.fixture(params=PLATFORMS)
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DurableObjectStorage]:
    """A fresh, empty `ctx.storage` on each platform."""
    async with OPENERS[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
def js_error() -> type[Exception]:
    """The class of errors the platform itself raises; it has `name` and `message`."""
    return JsException
