"""The test kit knows the types of the agent under test."""

from __future__ import annotations

from agents_runtime import Agent, callable
from agents_runtime.testing import Runtime


class Cart(Agent):
    @callable
    async def add(self, item: str) -> int:
        return 1


class Other(Agent):
    def count(self) -> int:
        return 1


async def test_it(runtime: Runtime) -> None:
    cart = runtime.get(Cart, "ada")
    await cart.call(Cart.add, 5)  # refused
    await runtime.run_in_agent(cart, Other.count)  # refused
    await runtime.evict(cart, websockets="drop")  # refused
    runtime.get("Cart", "ada")  # refused
    await runtime.advance(5)  # refused
