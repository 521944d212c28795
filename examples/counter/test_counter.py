"""The counter in a test: no server, no waiting, and the agent is evicted before every event."""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = Path(__file__).parent


@pytest.fixture
def project(runtime):
    runtime.load(PROJECT)
    return runtime


async def test_everybody_sees_who_changed_it(project):
    ada = await project.connect("/agents/counter/demo")
    grace = await project.connect("/agents/counter/demo")
    assert await ada.call("change", 1, "Ada") == 1
    assert await grace.call("change", 2, "Grace") == 3
    await ada.expect(lambda frame: frame["state"]["count"] == 3)
    assert ada.state["history"] == [
        {"who": "Grace", "by": 2, "count": 3},
        {"who": "Ada", "by": 1, "count": 1},
    ]


async def test_the_count_survives_a_crash_of_the_server(project):
    client = await project.connect("/agents/counter/demo")
    await client.call("change", 5, "Ada")
    await project.restart(crash=True)
    again = await project.connect("/agents/counter/demo")
    await again.expect("cf_agent_state")
    assert again.state["count"] == 5


async def test_the_state_cannot_be_written_past_the_method(project):
    client = await project.connect("/agents/counter/demo")
    await client.set_state({"count": 1_000_000, "history": []})
    await client.expect("cf_agent_state_error")
    assert await client.call("change", 1, "Ada") == 1


async def test_the_number_of_open_windows_is_told(project):
    ada = await project.connect("/agents/counter/demo")
    grace = await project.connect("/agents/counter/demo")
    await ada.expect(lambda frame: frame == {"type": "online", "count": 2})
    await grace.close()
    await ada.expect(lambda frame: frame == {"type": "online", "count": 1})
