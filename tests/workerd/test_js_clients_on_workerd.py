"""The JavaScript `AgentClient`, unmodified, in Node, against agents on the real runtime."""

from __future__ import annotations

import pytest

from tests.js.conftest import missing
from tests.js.harness import HERE as CLIENTS
from tests.js.harness import Driver, install_packages
from tests.workerd.rig import Rig

pytestmark = pytest.mark.node

SCENARIOS = (
    "identity",
    "identity_without_state",
    "state_reaches_the_other_client_once",
    "state_set_by_the_agent_arrives_before_the_reply",
    "rejected_state_is_taken_back",
    "calls",
    "calls_before_the_connection_is_open",
    "failing_calls",
    "call_timeout",
    "streaming",
    "streaming_that_fails",
    "readonly_connection",
    "custom_id_and_query",
    "base_path",
    "messages_both_ways",
    "large_values",
    "agent_fetch",
    "closed_for_good",
    "manual_reconnect",
)


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


@pytest.fixture(scope="module")
def javascript():
    if reason := install_packages():
        missing(reason)
    driver = Driver("agent_client.mjs")
    yield driver
    driver.close()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_agent_client_on_workerd(javascript, rig_server, scenario):
    javascript.run(scenario, rig_server, name=f"on-workerd-{scenario}")


def test_agent_client_outlives_a_restart_on_the_same_storage(javascript, rig_server):
    try:
        javascript.run("server_killed_and_started_again", rig_server, name="on-workerd-restart")
    finally:
        rig_server.rig.restart()


@pytest.mark.slow
def test_agent_client_sleeps_through_hibernation_on_workerd(javascript, rig_server):
    """The platform's own hibernation, after ten idle seconds."""
    javascript.run("hibernation", rig_server, name="on-workerd-hibernation", idleMs=12_000)
