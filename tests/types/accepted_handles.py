"""Handles on agents, as users write them: both type checkers must accept this, with these types."""

from __future__ import annotations

from typing import Any, TypedDict, assert_type

from agents_runtime import Agent, AgentHandle, callable, get_agent_by_id, get_agent_by_name


class CartState(TypedDict):
    items: list[str]


class Cart(Agent[CartState]):
    initial_state: CartState = {"items": []}

    @callable
    async def add(self, item: str, amount: int = 1) -> list[str]:
        return [item] * amount

    @callable
    def total(self) -> float:
        return 1.5


async def by_class() -> None:
    cart = await get_agent_by_name(Cart, "ada")
    assert_type(cart, AgentHandle[Cart])
    assert_type(await cart.state, CartState)
    assert_type(await cart.call(Cart.add, "apple", amount=2), list[str])
    assert_type(await cart.call(Cart.total), float)
    assert_type(await cart.call("add", "apple", amount=2), Any)
    assert_type(await cart.add("apple", amount=2), Any)
    assert_type(cart.name, str | None)
    assert_type(cart.id, str)


async def by_text() -> None:
    cart: AgentHandle[Cart] = await get_agent_by_name("cart", "ada")
    assert_type(await cart.state, CartState)
    again = await get_agent_by_id(Cart, cart.id)
    assert_type(again, AgentHandle[Cart])
