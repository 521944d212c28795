"""Orders in a test: a week passes in a moment, and the server dies wherever it likes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent
ADDRESS = "/agents/orders/shop"


@pytest.fixture
def project(runtime):
    runtime.load(PROJECT)
    return runtime


async def order_of(project, workflow_id):
    client = await project.connect(ADDRESS)
    await client.expect("cf_agent_state")
    return client.state["orders"][workflow_id]


async def until_step(project, workflow_id, step):
    found = {}
    for _ in range(200):
        found = await order_of(project, workflow_id)
        if step in found.get("done", []) or "end" in found:
            break
        await asyncio.sleep(0.02)
        await project.advance(seconds=1)
    return found


async def until_end(project, workflow_id):
    return await until_step(project, workflow_id, "the end")


async def test_a_cheap_order_needs_nobody(project):
    client = await project.connect(ADDRESS)
    workflow_id = await client.call("place", "tea")
    found = await until_end(project, workflow_id)
    assert found == {
        "item": "tea", "price": 12, "done": ["reserve", "charge", "ship"], "waits": False, "end": "Delivered",
    }  # fmt: skip


async def test_a_dear_order_waits_for_a_person_through_a_restart(project):
    client = await project.connect(ADDRESS)
    workflow_id = await client.call("place", "espresso machine")
    assert (await until_step(project, workflow_id, "ask"))["waits"] is True
    await project.restart(crash=True)
    await project.advance(days=6)
    client = await project.connect(ADDRESS)
    await client.call("decide", workflow_id, True, "Ada")
    found = await until_end(project, workflow_id)
    assert (found["end"], found["done"]) == ("Delivered", ["reserve", "ask", "approved", "charge", "ship"])


async def test_what_is_refused_is_released(project):
    client = await project.connect(ADDRESS)
    workflow_id = await client.call("place", "espresso machine")
    await until_step(project, workflow_id, "ask")
    client = await project.connect(ADDRESS)
    await client.call("decide", workflow_id, False, "Grace")
    found = await until_end(project, workflow_id)
    assert (found["end"], found["done"]) == ("Cancelled: Grace said no", ["reserve", "ask", "release"])


async def test_a_week_without_an_answer_is_a_no(project):
    client = await project.connect(ADDRESS)
    workflow_id = await client.call("place", "espresso machine")
    await until_step(project, workflow_id, "ask")
    await project.advance(days=7)
    found = await until_end(project, workflow_id)
    assert found["end"].startswith("Cancelled: ")
    assert found["done"][-1] == "release"


async def test_the_state_cannot_be_written_past_the_methods(project):
    client = await project.connect(ADDRESS)
    await client.set_state({"orders": {}})
    await client.expect("cf_agent_state_error")
