"""The team in a test: days pass in moments, and everybody is evicted before every event."""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = Path(__file__).parent
ADDRESS = "/agents/team/ada"
ASPECTS = ["history", "science", "people", "numbers"]


@pytest.fixture
def project(runtime):
    runtime.load(PROJECT)
    return runtime


async def state_of(project, address=ADDRESS):
    client = await project.connect(address)
    await client.expect("cf_agent_state")
    return client.state


async def test_researchers_work_at_once_and_the_team_answers(project):
    client = await project.connect(ADDRESS)
    await client.call("ask", "Why is tea hot?")
    await project.advance(seconds=2.1)
    aspects = (await state_of(project))["aspects"]
    assert {aspect: aspects[aspect]["read"] for aspect in ASPECTS} == {
        "history": 2,
        "science": 1,
        "people": 3,
        "numbers": 1,
    }
    assert aspects["people"]["finding"] is not None
    await project.advance(seconds=4)
    assert (await state_of(project))["answer"].count("“Why is tea hot?”") == 4


async def test_a_crash_in_the_middle_costs_nothing(project):
    client = await project.connect(ADDRESS)
    await client.call("ask", "Why is tea hot?")
    for _ in range(12):
        await project.advance(seconds=0.5)
        await project.restart(crash=True)
    await project.advance(seconds=5)
    assert (await state_of(project))["answer"].count("“Why is tea hot?”") == 4
    notes = (await state_of(project, f"{ADDRESS}/sub/researcher/science"))["notes"]
    assert [note["source"] for note in notes] == ["archive", "library", "interviews"]


async def test_a_new_question_sends_the_old_researchers_home(project):
    client = await project.connect(ADDRESS)
    await client.call("ask", "first")
    await project.advance(seconds=1.1)
    reader = await project.connect(f"{ADDRESS}/sub/researcher/people")
    await client.call("ask", "second")
    assert (await reader.wait_closed())[0] == 1001
    await project.advance(seconds=20)
    assert "first" not in (await state_of(project))["answer"]


async def test_only_researchers_of_the_team_can_be_reached(project):
    client = await project.connect(f"{ADDRESS}/sub/researcher/gossip")
    assert await client.wait_closed() == (4404, "no such researcher")
    nested = await project.connect(f"{ADDRESS}/sub/team/gossip")
    assert await nested.wait_closed() == (4404, "no such researcher")
