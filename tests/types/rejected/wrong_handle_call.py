"""A handle knows the types of its agent's methods when they are named as methods."""

from __future__ import annotations

from typing import TypedDict

from agents_runtime import Agent, callable, get_agent_by_name


class CartState(TypedDict):
    items: list[str]


class Cart(Agent[CartState]):
    @callable
    async def add(self, item: str, amount: int = 1) -> int:
        return amount


class Other(Agent[CartState]):
    @callable
    async def run(self) -> None: ...


async def use() -> None:
    cart = await get_agent_by_name(Cart, "ada")
    await cart.call(Cart.add, 5)  # refused
    await cart.call(Cart.add, "apple", count=2)  # refused
    await cart.call(Other.run)  # refused
    total: str = await cart.call(Cart.add, "apple")  # refused
    cart.state = {"items": []}  # refused
    assert total
