"""Idle objects leave memory in slices, and what they used goes back to the system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agents_runtime import Agent
from agents_runtime.local.clock import VirtualClock
from agents_runtime.local.host import EVICTIONS_AT_ONCE, Host
from agents_runtime.local.options import HostOptions
from agents_runtime.local.shim import Request

OBJECTS = 3 * EVICTIONS_AT_ONCE


class Counter(Agent):
    initial_state = {"count": 0}


async def test_many_idle_objects_leave_in_slices_until_all_have_left():
    clock = VirtualClock()
    host = Host(HostOptions(idle_timeout_s=10), clock=clock)
    namespace = host.bind(Counter)
    await host.start()
    for number in range(OBJECTS):
        await namespace.getByName(str(number)).fetch(Request("http://localhost/"))
    assert host.live_count() == OBJECTS

    assert clock.step(clock.now_ms() + 10_000)
    assert host.live_count() == OBJECTS - EVICTIONS_AT_ONCE
    while clock.step(clock.now_ms()):
        await host.settle()
    assert host.live_count() == 0
    await host.stop()


PROGRAM = """
import asyncio, sys
from pathlib import Path
from agents_runtime import Agent
from agents_runtime.local.host import Host
from agents_runtime.local.options import HostOptions
from agents_runtime.local.shim import Request

class Counter(Agent):
    initial_state = {"count": 0}

def resident_kb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4

async def main():
    host = Host(HostOptions(data=Path(sys.argv[1]), durability="process", idle_timeout_s=1))
    namespace = host.bind(Counter)
    await host.start()
    async def visit(start, count):
        for number in range(start, start + count):
            await namespace.getByName(str(number)).fetch(Request("http://localhost/"))
    await visit(0, 20)
    base = resident_kb()
    await visit(100, 300)
    live = resident_kb() - base
    while host.live_count():
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.1)
    print(live, resident_kb() - base)
    await host.stop()

asyncio.run(main())
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.confstr("CS_GNU_LIBC_VERSION") is None, reason="needs /proc and glibc"
)
def test_memory_of_evicted_objects_is_given_back(tmp_path: Path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=40, check=True)
    live_kb, left_kb = map(int, result.stdout.split())
    assert live_kb > 300 * 50, "the objects were not in memory, so nothing is shown"
    assert left_kb < live_kb / 4, f"{left_kb} KB of {live_kb} KB stayed"
