"""Mistakes of users: on every host the same error, which says what to do, and nothing is lost or shown."""

import pytest

from tests.conformance.test_agents_contract import joined


async def test_a_value_of_the_platform_in_the_state_is_refused_with_its_path(world, name):
    client = await joined(world, name, agent="mistakes")
    texts, state = await client.call("foreign_state")
    remedies = ["await it", *["convert it to Python first"] * 4] if world.is_real else ["use its fields"]
    for text, remedy in zip(texts, remedies, strict=True):
        assert text.startswith("state.players[1] is a ")
        assert f"which JSON has no form for; {remedy}" in text
    assert state == {"kept": True}


async def test_a_value_of_the_platform_kept_with_a_connection_is_refused(world, name):
    client = await joined(world, name, agent="mistakes")
    kind, text, kept = await client.call("foreign_attachment")
    assert kind == "NotJson"
    assert text.startswith("connection.state.seat is a ")
    assert kept == "old"


async def test_a_value_of_the_platform_is_no_result_of_a_call(world, name):
    client = await joined(world, name, agent="mistakes")
    with pytest.raises(RuntimeError, match=r"answer is a \w+, which JSON has no form for; ") as caught:
        await client.call("foreign_result")
    assert "Traceback" not in str(caught.value)


async def test_an_agent_addressed_by_a_unique_id_says_how_to_address_it(world, name):
    client = await joined(world, name, agent="mistakes")
    kind, text, status, body = await client.call("unique_id")
    assert kind == "RemoteError"
    assert "has no name: agents are addressed by name (get_agent_by_name" in text
    assert "Traceback" not in text
    assert status == 500
    assert "Traceback" not in body
