"""Agents on the real Workers runtime against a Durable Object written by hand, in one run.

`python -m bench.on_platform` prints the best of several rounds, and the ratio. Needs what tests/workerd needs.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from tests.workerd.rig import Rig
from tests.workerd.tools import find_tools

HERE = Path(__file__).parent
ROUNDS = 4
CALLS = 300
CONNECTS = 40
PATHS = {"agent": "/agents/count/it", "by hand": "/bare/it"}
GREETING_FRAMES = 3


async def opened(url: str) -> ClientConnection:
    """A connection that was greeted."""
    socket = await connect(url, proxy=None, compression=None)
    for _ in range(GREETING_FRAMES):
        await socket.recv()
    return socket


async def call_us(socket: ClientConnection, method: str) -> float:
    """Microseconds for one call and its answer."""
    frame = json.dumps({"type": "rpc", "id": "1", "method": method, "args": [1]})
    started = time.perf_counter()
    for _ in range(CALLS):
        await socket.send(frame)
        while '"rpc"' not in str(await socket.recv()):
            pass
    return (time.perf_counter() - started) / CALLS * 1e6


async def connect_us(url: str) -> float:
    """Microseconds from nothing to the last greeting frame."""
    started = time.perf_counter()
    for _ in range(CONNECTS):
        (await opened(url)).transport.abort()
    return (time.perf_counter() - started) / CONNECTS * 1e6


async def measure(base: str) -> dict[str, dict[str, float]]:
    """The best time of each side for each thing measured."""
    found: dict[str, dict[str, list[float]]] = {}
    sockets = {side: await opened(base + path) for side, path in PATHS.items()}
    for _ in range(ROUNDS):
        for side, path in PATHS.items():
            for method in ("echo", "increment"):
                found.setdefault(method, {}).setdefault(side, []).append(await call_us(sockets[side], method))
            found.setdefault("connect", {}).setdefault(side, []).append(await connect_us(base + path))
    return {what: {side: min(times) for side, times in sides.items()} for what, sides in found.items()}


def main() -> None:
    """Measure and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(find_tools(), HERE / "platform", Path(folder))
        rig.start()
        try:
            best = asyncio.run(measure(rig.url.replace("http", "ws")))
        finally:
            rig.kill()
    print("| on workerd | agent | by hand | ratio |\n|---|---|---|---|")
    for what, sides in best.items():
        ratio = sides["agent"] / sides["by hand"]
        print(f"| {what} | {sides['agent']:.0f} us | {sides['by hand']:.0f} us | {ratio:.2f} |")


if __name__ == "__main__":
    main()
