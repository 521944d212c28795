"""Tests of agents, as users annotate them: both type checkers must accept this, with these types."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypedDict, assert_type

from agents_runtime import Agent, callable
from agents_runtime.testing import (
    Introspection,
    JobReport,
    ObjectError,
    ObjectHandle,
    Runtime,
    RuntimeFactory,
    StepReport,
    SweepReport,
    TaskReport,
    TestClient,
)


class CartState(TypedDict):
    items: list[str]


class Cart(Agent[CartState]):
    initial_state: CartState = {"items": []}

    @callable
    async def add(self, item: str, amount: int = 1) -> list[str]:
        return [item] * amount

    async def count(self) -> int:
        return len(self.state["items"])


async def test_handles(runtime: Runtime) -> None:
    cart = runtime.get(Cart, "ada")
    assert_type(cart, ObjectHandle[Cart])
    assert_type(await cart.state, CartState)
    assert_type(await cart.call(Cart.add, "apple", amount=2), list[str])
    assert_type(await cart.add("apple"), Any)
    assert_type(await runtime.run_in_agent(cart, lambda agent: agent.name), str)
    assert_type(await runtime.run_in_agent(cart, Cart.count), int)


async def test_clients(runtime: Runtime) -> None:
    client = await runtime.connect(Cart, "ada")
    assert_type(client, TestClient)
    frame = await client.expect("cf_agent_state")
    assert_type(frame, dict[str, Any])
    assert frame["state"]["items"] == []
    assert_type(await client.expect(lambda frame: frame["state"]["items"]), Any)
    async for chunk in client.stream("watch"):
        assert_type(chunk, Any)
    assert_type(client.closed, tuple[int, str] | None)


async def test_introspection(runtime: Runtime) -> None:
    seen = await runtime.introspect(runtime.get(Cart, "ada"))
    assert_type(seen, Introspection)
    assert_type(seen.jobs, tuple[JobReport, ...])
    assert_type(seen.alarm_ms, int | None)
    for run in seen.tasks:
        assert_type(run, TaskReport)
        assert_type(run.steps, tuple[StepReport, ...])
    assert_type(seen.task("r"), TaskReport | None)


async def story(world: Runtime) -> AsyncIterator[list[str]]:
    yield await world.get(Cart, "ada").call(Cart.add, "apple")


async def nothing_is_lost(world: Runtime, acknowledged: list[list[str]]) -> None:
    assert (await world.get(Cart, "ada").state)["items"] or not acknowledged


async def test_sweeps(runtime_factory: RuntimeFactory) -> None:
    runtime = runtime_factory(env={"KEY": "x"}, seed=3)
    assert_type(await runtime.crash_sweep(story, nothing_is_lost), SweepReport)
    assert_type(runtime.expect_errors(), list[ObjectError])
