"""Programs as users write them: both type checkers must accept them, with these types. Checked by scripts/test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict, assert_type

from pydantic import BaseModel

from agents_runtime import Agent, Connection, callable


class CounterState(TypedDict):
    count: int


class Counter(Agent[CounterState]):
    initial_state: CounterState = {"count": 0}

    @callable
    async def increment(self, by: int = 1) -> int:
        assert_type(self.state, CounterState)
        self.set_state({"count": self.state["count"] + by})
        await self.set_state({"count": 0})
        return self.state["count"]

    @callable(name="sum")
    def add(self, a: int, b: int) -> int:
        return a + b

    async def on_message(self, connection: Connection, message: str | bytes) -> None:
        connection.send("hello")
        self.broadcast({"type": "seen"}, without=[connection.id])

    async def twice(self) -> int:
        assert_type(await self.increment(2), int)
        assert_type(self.add(1, 2), int)
        return 0


@dataclass
class Player:
    name: str
    points: int = 0


class Game(Agent[Player]):
    initial_state = Player("nobody")

    def win(self) -> None:
        assert_type(self.state, Player)
        self.set_state(Player(self.state.name, self.state.points + 1))


class Settings(BaseModel):
    theme: str = "light"


class Preferences(Agent[Settings]):
    initial_state = Settings()

    def dark(self) -> None:
        assert_type(self.state, Settings)
        self.set_state(Settings(theme="dark"))


class Untyped(Agent):
    initial_state = {"anything": [1, 2, 3]}

    def read(self) -> object:
        return self.state["anything"]
