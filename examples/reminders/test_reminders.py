"""Reminders in a test: days pass in moments, and the agent is evicted before every event."""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = Path(__file__).parent
ADDRESS = "/agents/reminders/ada"
STEPS = ["weigh", "knead", "rise", "shape", "bake", "cool"]


@pytest.fixture
def project(runtime):
    runtime.load(PROJECT)
    return runtime


async def state_of(project):
    client = await project.connect(ADDRESS)
    await client.expect("cf_agent_state")
    return client.state


async def said_by(project, who):
    return [message["text"] for message in (await state_of(project))["messages"] if message["who"] == who]


async def test_it_rings_in_time_and_once(project):
    client = await project.connect(ADDRESS)
    await client.call("say", "Remind me in 10 s to drink tea")
    await project.advance(seconds=9)
    assert await said_by(project, "bell") == []
    await project.restart(crash=True)
    await project.advance(seconds=1)
    assert await said_by(project, "bell") == ["drink tea"]
    client = await project.connect(ADDRESS)
    assert await client.call("pending") == []


async def test_it_rings_on_every_weekday_until_it_is_forgotten(project):
    client = await project.connect(ADDRESS)
    await client.call("say", "every weekday at 9 to stand up", "Europe/Paris")
    await project.advance(days=7)
    assert await said_by(project, "bell") == ["stand up"] * 5
    client = await project.connect(ADDRESS)
    [pending] = await client.call("pending")
    assert pending["reminder"] == {"text": "stand up", "rule": "every weekday at 9:00"}
    await client.call("forget", pending["id"])
    assert await client.call("pending") == []
    await project.advance(days=7)
    assert await said_by(project, "bell") == ["stand up"] * 5


async def test_bread_is_ready_whenever_the_server_is_killed(project):
    client = await project.connect(ADDRESS)
    await client.call("say", "bake bread")
    for _ in range(12):
        await project.advance(seconds=1)
        await project.restart(crash=True)
    assert (await state_of(project))["done"] == STEPS
    assert await said_by(project, "agent") == ["I start at once.", "The bread is ready."]


async def test_there_is_one_oven(project):
    client = await project.connect(ADDRESS)
    await client.call("say", "bake bread")
    await client.call("say", "bake bread")
    await project.advance(minutes=1)
    assert await said_by(project, "agent") == ["I start at once.", "One loaf at a time, please.", "The bread is ready."]
    client = await project.connect(ADDRESS)
    await client.call("say", "bake bread")
    await project.advance(minutes=1)
    assert (await said_by(project, "agent"))[-1] == "The bread is ready."


@pytest.mark.parametrize(
    "text", ["hello", "every moonday at 9 to howl", "every day at 25 to wake", "in 3 moons to go", "in 1.2.3 s to go"]
)
async def test_what_it_does_not_know_it_says(project, text):
    client = await project.connect(ADDRESS)
    await client.call("say", text)
    [answer] = await said_by(project, "agent")
    assert answer.startswith("I know")
    assert await client.call("pending") == []


async def test_the_state_cannot_be_written_past_the_method(project):
    client = await project.connect(ADDRESS)
    await client.set_state({"messages": [], "done": ["all of it"]})
    await client.expect("cf_agent_state_error")
