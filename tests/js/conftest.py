"""Fixtures: servers to talk to, Node programs and a browser that talk to them."""

from __future__ import annotations

import itertools
import os

import pytest

from tests.js.harness import HERE, Driver, Server, find_chromium, install_packages

IDLE_S = 0.4
REPOSITORY = HERE.parent.parent
_numbers = itertools.count(1)


def missing(reason: str) -> None:
    """Skip what cannot run here; in continuous integration that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; continuous integration must have it")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def packages():
    if reason := install_packages():
        missing(reason)


def driver(module):
    @pytest.fixture(scope="session")
    def run(packages):
        node = Driver(module)
        yield node
        node.close()

    return run


agent_client = driver("agent_client.mjs")
small_client = driver("small_client.mjs")


@pytest.fixture(scope="session")
def browser(packages):
    """Runs scenarios in headless Chromium: `browser("react.mjs")`."""
    chromium = find_chromium()
    if chromium is None:
        missing("Chromium is not installed (Debian: apt-get install chromium)")
    os.environ["CHROMIUM"] = str(chromium)
    drivers: dict[str, Driver] = {}

    def of(module):
        return drivers.setdefault(module, Driver(module))

    yield of
    for node in drivers.values():
        node.close()


def serve(project, folder, *options, command="serve"):
    server = Server(project, folder / "data", *options, command=command)
    server.start()
    return server


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """A server for scenarios that leave it alone: each uses an agent of its own."""
    server = serve(HERE / "worker", tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


@pytest.fixture
def own_server(tmp_path):
    """A server that the scenario may kill."""
    server = serve(HERE / "worker", tmp_path)
    yield server
    server.kill()


@pytest.fixture
def sleepy_server(tmp_path):
    """A server whose objects leave memory soon."""
    server = serve(HERE / "worker", tmp_path, "--idle-timeout", str(IDLE_S))
    yield server
    server.kill()


@pytest.fixture
def fresh_name():
    """A name that no other test uses."""
    return f"agent-{next(_numbers)}"
