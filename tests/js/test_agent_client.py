"""The JavaScript `AgentClient` and `agentFetch`, unmodified, in Node, against our server."""

from __future__ import annotations

import pytest

from tests.js.conftest import IDLE_S
from tests.js.scenarios import AGENT_CLIENT, HIBERNATION, RESTART

pytestmark = pytest.mark.node


@pytest.mark.parametrize("scenario", AGENT_CLIENT)
def test_agent_client(agent_client, shared_server, fresh_name, scenario):
    agent_client.run(scenario, shared_server, name=fresh_name)


@pytest.mark.parametrize("scenario", [RESTART, "server_stopped_politely"])
def test_agent_client_when_the_server_goes_away(agent_client, own_server, fresh_name, scenario):
    agent_client.run(scenario, own_server, name=fresh_name)


def test_agent_client_sleeps_through_hibernation(agent_client, sleepy_server, fresh_name):
    agent_client.run(HIBERNATION, sleepy_server, name=fresh_name, idleMs=round(IDLE_S * 1000 * 4))
