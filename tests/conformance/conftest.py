"""Fixtures of the contract tests: the same test bodies run on every platform.

A body may use `storage` (the Durable Object's `ctx.storage`), `js_error` (the class of the platform's own errors) and
nothing else of a platform. On `workerd` the body itself runs there: inside an object of its own, in `worker/lab.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agents_runtime.local.project import Project, load_project
from agents_runtime.local.storage.database import Database
from agents_runtime.local.storage.storage import DurableObjectStorage
from agents_runtime.local.values import JsException
from tests.conformance.worlds import LocalWorld, WorkerdWorld, World

_numbers = itertools.count(1)
PLATFORMS = ("memory", "disk", "workerd")


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
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """A fresh, empty `ctx.storage` on each platform."""
    if request.param == "workerd":
        yield request.getfixturevalue("rig")
        return
    async with OPENERS[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def suite_project() -> Project:
    """The suite's worker, loaded into this process."""
    return load_project(Path(__file__).parent / "worker")


@pytest.fixture(params=PLATFORMS)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """The suite's worker on each host, driven from outside. Objects of other tests may be there: use `name`."""
    if request.param == "workerd":
        real = WorkerdWorld(request.getfixturevalue("rig"))
        yield real
        await real.stop()
        return
    data = tmp_path / "data" if request.param == "disk" else None
    local = LocalWorld(request.getfixturevalue("suite_project"), data)
    await local.start()
    yield local
    await local.stop()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """The name of an object that no other test uses."""
    return f"{request.node.name.partition('[')[0]}-{next(_numbers)}"


@pytest.fixture
def js_error() -> type[Exception]:
    """The class of errors the platform itself raises; it has `name` and `message`."""
    return JsException


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a body that asks for the storage of workerd in workerd."""
    __tracebackhide__ = True
    callspec = getattr(pyfuncitem, "callspec", None)
    if callspec is None or callspec.params.get("storage") != "workerd":
        return None
    from tests.workerd.rig import RemoteError

    rig: Any = pyfuncitem.funcargs["storage"]
    marks = getattr(pyfuncitem.function, "pytestmark", [])
    rows = [row_of(mark, callspec.params) for mark in marks if mark.name == "parametrize"]
    module, name = pyfuncitem.module.__name__, pyfuncitem.function.__name__
    try:
        rig.call("LAB", pyfuncitem.nodeid, "run_body", module, name, rows)
    except RemoteError as error:
        failure = error.message
    else:
        return True
    pytest.fail(failure, pytrace=False)


def row_of(mark: pytest.Mark, given: Mapping[str, Any]) -> int:
    """Which row of a `parametrize` mark a test was made from: the one with the very values it was given."""
    names = [name.strip() for name in (mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0])]
    for number, row in enumerate(mark.args[1]):
        values = row if len(names) > 1 else [row]
        if all(given[name] is value for name, value in zip(names, values, strict=True)):
            return number
    raise AssertionError(f"no row of {names} has {given}")
