"""Whoever sets the platform's alarm past the library is told so when the class is defined."""

from __future__ import annotations

import functools
import logging
from typing import Any

from agents_runtime import Agent, callable
from agents_runtime._core.raw_alarm import raw_alarm_calls


class Plain:
    ctx: Any
    clock: Any

    def direct(self):
        self.ctx.storage.setAlarm(1)

    def of_somebody_else(self):
        self.clock.setAlarm(1)

    def harmless(self):
        return self.ctx.storage.sql, "setAlarm"

    async def asked(self):
        return await self.ctx.storage.getAlarm()


def test_the_calls_are_found_where_they_are():
    found = list(raw_alarm_calls(Plain))
    assert [(name, call) for name, call, _ in found] == [("direct", "setAlarm")]
    assert found[0][2] == Plain.direct.__code__.co_firstlineno


def test_also_behind_a_decorator_and_in_inner_functions():
    def decorated(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)

        return wrapper

    class Decorated:
        ctx: Any

        @decorated
        def outer(self):
            async def inner():
                await self.ctx.storage.deleteAlarm()

            return inner

    assert [(name, call) for name, call, _ in raw_alarm_calls(Decorated)] == [("outer", "deleteAlarm")]


def test_an_agent_is_warned_about_once_and_what_inherits_from_it_is_not(caplog):
    with caplog.at_level(logging.WARNING, "agents_runtime"):

        class Own(Agent):
            @callable
            async def ring(self):
                await self.ctx.storage.setAlarm(1)

        class Heir(Own):
            """Adds nothing."""

    [warning] = [record.getMessage() for record in caplog.records]
    assert "Own.ring (line" in warning
    assert "self.schedule(...)" in warning
    assert issubclass(Heir, Own)
