"""Programs that both type checkers must refuse, at the marked lines and nowhere else."""

from __future__ import annotations

from typing import TypedDict

from agents_runtime import Agent, Connection, callable


class CounterState(TypedDict):
    count: int


class Counter(Agent[CounterState]):
    initial_state: CounterState = {"count": 0}

    @callable
    def increment(self) -> int:
        self.set_state({"count": "many"})  # refused
        self.set_state(5)  # refused
        self.state["total"]  # refused
        return self.state["count"]

    def wrong(self, connection: Connection) -> None:
        self.increment(1, 2, 3)  # refused
        connection.close("now")  # refused
        self.no_such_verb()  # refused
