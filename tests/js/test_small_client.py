"""The client of the example pages, in Node, against our server."""

from __future__ import annotations

import pytest

from tests.js.scenarios import RESTART, SMALL_CLIENT

pytestmark = pytest.mark.node


@pytest.mark.parametrize("scenario", SMALL_CLIENT)
def test_small_client(small_client, shared_server, fresh_name, scenario):
    small_client.run(scenario, shared_server, name=fresh_name)


def test_small_client_when_the_server_is_killed(small_client, own_server, fresh_name):
    small_client.run(RESTART, own_server, name=fresh_name)
