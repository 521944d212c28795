"""What users get wrong, on purpose: each method returns the name and the text of the error that says so."""

from __future__ import annotations

import importlib
from typing import Any

from agents_runtime import Agent, callable, get_agent_by_id, get_current_agent
from agents_runtime.errors import NotJson


def values_of_the_host() -> list[object]:
    """Values that only the platform knows: JavaScript's on Workers, an object without fields elsewhere."""
    try:
        js = importlib.import_module("js")
    except ImportError:
        return [object()]
    return [js.Promise.resolve(1), js.Object.new(), js.Array.of(1), js.Date.new(0), js.Symbol("x")]


class Mistakes(Agent):
    """Fails in every way it is asked to."""

    initial_state = {"kept": True}

    def on_error(self, *args: Any) -> None:
        """Expected here."""

    @callable
    def foreign_state(self) -> list[Any]:
        """The error of each value, and the state after all of them."""
        texts: list[str] = []
        for value in values_of_the_host():
            try:
                self.set_state({"players": [1, value]})
            except NotJson as error:
                texts.append(str(error))
            else:
                texts.append(f"{value!r} was taken")
        return [texts, self.state]

    @callable
    def foreign_attachment(self) -> list[Any]:
        connection = get_current_agent().connection
        assert connection is not None
        connection.set_state("old")
        try:
            connection.set_state({"seat": values_of_the_host()[0]})
        except Exception as error:
            return [type(error).__name__, str(error), connection.state]
        return ["nothing"]

    @callable
    def foreign_result(self) -> object:
        return {"answer": values_of_the_host()[0]}

    @callable
    async def unique_id(self) -> list[Any]:
        """Address an agent by an id that no name leads to: with a handle, and with a request."""
        namespace = self.env.MISTAKES
        unique = namespace.newUniqueId()
        answer = await namespace.get(unique).fetch("http://agent/")
        try:
            await get_agent_by_id(namespace, unique.toString())
        except Exception as error:
            return [type(error).__name__, str(error), answer.status, await answer.text()]
        return ["nothing"]
