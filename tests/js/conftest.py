"""Fixtures: our servers, for the clients to talk to."""

from __future__ import annotations

import pytest

from tests.js.harness import HERE, Server

IDLE_S = 0.4
REPOSITORY = HERE.parent.parent


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
