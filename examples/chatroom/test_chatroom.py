"""The chat room in a test: no server, no waiting, and the agent is evicted before every event."""

from __future__ import annotations

from pathlib import Path

import pytest

PROJECT = Path(__file__).parent


@pytest.fixture
def project(runtime):
    runtime.load(PROJECT)
    return runtime


async def enter(project, name):
    client = await project.connect("/agents/chat-room/lobby")
    await client.call("join", name)
    return client


def texts(history):
    return [(message["who"], message["text"]) for message in history["messages"]]


async def test_messages_reach_everybody_and_stay(project):
    ada, grace = await enter(project, "Ada"), await enter(project, "Grace")
    await ada.call("say", "Hello")
    message = (await grace.expect("message"))["message"]
    assert (message["who"], message["text"]) == ("Ada", "Hello")
    await project.restart(crash=True)
    late = await enter(project, "Alan")
    assert texts(await late.expect("history")) == [("Ada", "Hello")]


async def test_the_room_knows_who_is_there_and_who_types(project):
    ada, grace = await enter(project, "Ada"), await enter(project, "Grace")
    await ada.call("typing", True)
    people = {"Ada": True, "Grace": False}
    await grace.expect(lambda frame: {person["name"]: person["typing"] for person in frame["people"]} == people)
    await ada.close()
    await grace.expect(lambda frame: [person["name"] for person in frame["people"]] == ["Grace"])


async def test_the_bot_streams_and_its_answer_stays(project):
    ada, grace = await enter(project, "Ada"), await enter(project, "Grace")
    words = [word async for word in ada.stream("ask", "How many?")]
    answer = (await grace.expect("message"))["message"]
    assert len(words) > 10
    assert answer["who"] == "Bot"
    assert answer["text"] == "".join(words).strip()


async def test_old_messages_make_room_for_new_ones(project):
    ada = await enter(project, "Ada")
    for number in range(205):
        await ada.call("say", f"message {number}")
    late = await enter(project, "Alan")
    kept = texts(await late.expect("history"))
    assert len(kept) == 200
    assert kept[-1] == ("Ada", "message 204")
