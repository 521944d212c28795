"""The warning about code that blocks the event loop."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from agents_runtime._platform.base import DurableObject
from agents_runtime.local.host import Host
from agents_runtime.local.watchdog import Watchdog


class Sleeper(DurableObject):
    def block(self, seconds):
        time.sleep(seconds)


async def test_a_blocking_method_is_named_with_its_object(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.bind(Sleeper)
    await host.start()
    watchdog = Watchdog(0.04)
    watchdog.start()
    with caplog.at_level(logging.WARNING, "agents_runtime.local"):
        await host.env.Sleeper.getByName("a").block(0.3)
        await asyncio.sleep(0.05)
    watchdog.stop()
    await host.stop()
    warnings = [record.message for record in caplog.records if "busy" in record.message]
    assert len(warnings) == 1
    assert "Sleeper 'a'" in warnings[0]
    assert "test_watchdog.py" in warnings[0]


async def test_waiting_is_not_blocking(caplog: pytest.LogCaptureFixture) -> None:
    watchdog = Watchdog(0.2)
    watchdog.start()
    await asyncio.sleep(0.5)
    watchdog.stop()
    assert "busy" not in caplog.text
