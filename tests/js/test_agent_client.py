"""The JavaScript `AgentClient` and `agentFetch`, unmodified, in Node, against our server."""

from __future__ import annotations

import pytest

from tests.js.conftest import IDLE_S

pytestmark = pytest.mark.node


@pytest.mark.parametrize(
    "scenario",
    [
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
    ],
)
def test_agent_client(agent_client, shared_server, fresh_name, scenario):
    agent_client.run(scenario, shared_server, name=fresh_name)


@pytest.mark.parametrize("scenario", ["server_killed_and_started_again", "server_stopped_politely"])
def test_agent_client_when_the_server_goes_away(agent_client, own_server, fresh_name, scenario):
    agent_client.run(scenario, own_server, name=fresh_name)


def test_agent_client_sleeps_through_hibernation(agent_client, sleepy_server, fresh_name):
    agent_client.run("hibernation", sleepy_server, name=fresh_name, idleMs=round(IDLE_S * 1000 * 4))
