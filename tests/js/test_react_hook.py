"""The JavaScript React hook `useAgent`, unmodified, in Chromium, against our server."""

from __future__ import annotations

import pytest

from tests.js.conftest import IDLE_S

pytestmark = [pytest.mark.node, pytest.mark.chromium]


@pytest.fixture
def react(browser):
    return browser("react.mjs")


@pytest.mark.parametrize(
    "scenario",
    [
        "identity_and_first_state",
        "state_in_two_pages",
        "calls_and_errors",
        "streaming",
        "rejected_and_readonly_state",
        "custom_id_and_async_query",
        "http_url_of_the_agent",
    ],
)
def test_use_agent(react, shared_server, fresh_name, scenario):
    react.run(scenario, shared_server, name=fresh_name)


def test_use_agent_when_the_server_is_killed(react, own_server, fresh_name):
    react.run("server_killed_and_started_again", own_server, name=fresh_name)


def test_use_agent_sleeps_through_hibernation(react, sleepy_server, fresh_name):
    react.run("hibernation", sleepy_server, name=fresh_name, idleMs=round(IDLE_S * 1000 * 4))
