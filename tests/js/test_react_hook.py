"""The JavaScript React hook `useAgent`, unmodified, in Chromium, against our server."""

from __future__ import annotations

import pytest

from tests.js.conftest import IDLE_S
from tests.js.scenarios import HIBERNATION, RESTART, USE_AGENT

pytestmark = [pytest.mark.node, pytest.mark.chromium]


@pytest.mark.parametrize("scenario", USE_AGENT)
def test_use_agent(use_agent, shared_server, fresh_name, scenario):
    use_agent.run(scenario, shared_server, name=fresh_name)


def test_use_agent_when_the_server_is_killed(use_agent, own_server, fresh_name):
    use_agent.run(RESTART, own_server, name=fresh_name)


def test_use_agent_sleeps_through_hibernation(use_agent, sleepy_server, fresh_name):
    use_agent.run(HIBERNATION, sleepy_server, name=fresh_name, idleMs=round(IDLE_S * 1000 * 4))
