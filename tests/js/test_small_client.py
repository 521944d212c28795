"""The client of the example pages, in Node, against our server."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.node


@pytest.mark.parametrize("scenario", ["state_and_calls", "rejected_state_is_taken_back", "streams", "closed_for_good"])
def test_small_client(small_client, shared_server, fresh_name, scenario):
    small_client.run(scenario, shared_server, name=fresh_name)


def test_small_client_when_the_server_is_killed(small_client, own_server, fresh_name):
    small_client.run("server_killed_and_started_again", own_server, name=fresh_name)
