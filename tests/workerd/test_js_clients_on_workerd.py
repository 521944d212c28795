"""The JavaScript clients, unmodified, in Node and in Chromium, against agents on the real runtime.

Of the scenarios of tests/js only `server_stopped_politely` is left out: the close code 1012 is our own server's.
"""

from __future__ import annotations

import pytest

from tests.js.harness import HERE as CLIENTS
from tests.js.scenarios import AGENT_CLIENT, HIBERNATION, RESTART, SMALL_CLIENT, USE_AGENT
from tests.workerd.rig import Rig

pytestmark = pytest.mark.node
IDLE_MS = 12_000
"""Longer than the ten seconds after which the platform puts an idle object to sleep."""


class RigServer:
    """The worker of tests/js on the real runtime, as a scenario sees its server."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.rig.port}"

    def obey(self, wish: str) -> None:
        """Do what a scenario asks for: "kill", "stop" or "start"."""
        getattr(self.rig, wish)()

    def log_size(self) -> int:
        return self.rig.log_size()

    def output(self, since: int = 0) -> str:
        return "\n".join(f"  workerd| {text}" for _, text in self.rig.console(since)[-40:])


@pytest.fixture(scope="module")
def rig_server(workerd_tools, tmp_path_factory):
    rig = Rig(workerd_tools, CLIENTS / "worker", tmp_path_factory.mktemp("clients"))
    rig.start()
    yield RigServer(rig)
    rig.stop()


@pytest.fixture
def mortal_server(rig_server):
    """The same server for a scenario that ends it; it runs again afterwards, even if the scenario broke off."""
    yield rig_server
    if not rig_server.rig.is_running:
        rig_server.rig.start()


@pytest.mark.parametrize("scenario", AGENT_CLIENT)
def test_agent_client_on_workerd(agent_client, rig_server, fresh_name, scenario):
    agent_client.run(scenario, rig_server, name=fresh_name)


@pytest.mark.parametrize("scenario", SMALL_CLIENT)
def test_small_client_on_workerd(small_client, rig_server, fresh_name, scenario):
    small_client.run(scenario, rig_server, name=fresh_name)


@pytest.mark.chromium
@pytest.mark.parametrize("scenario", USE_AGENT)
def test_use_agent_on_workerd(use_agent, rig_server, fresh_name, scenario):
    use_agent.run(scenario, rig_server, name=fresh_name)


def test_agent_client_outlives_a_restart_on_the_same_storage(agent_client, mortal_server, fresh_name):
    agent_client.run(RESTART, mortal_server, name=fresh_name)


def test_small_client_outlives_a_restart_on_the_same_storage(small_client, mortal_server, fresh_name):
    small_client.run(RESTART, mortal_server, name=fresh_name)


@pytest.mark.chromium
def test_use_agent_outlives_a_restart_on_the_same_storage(use_agent, mortal_server, fresh_name):
    use_agent.run(RESTART, mortal_server, name=fresh_name)


@pytest.mark.slow
def test_agent_client_sleeps_through_hibernation_on_workerd(agent_client, rig_server, fresh_name):
    agent_client.run(HIBERNATION, rig_server, name=fresh_name, idleMs=IDLE_MS)


@pytest.mark.slow
@pytest.mark.chromium
def test_use_agent_sleeps_through_hibernation_on_workerd(use_agent, rig_server, fresh_name):
    use_agent.run(HIBERNATION, rig_server, name=fresh_name, idleMs=IDLE_MS)
