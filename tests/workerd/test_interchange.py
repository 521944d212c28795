"""One storage folder, two SDKs in turn: each finds what the other has stored, and goes on with it."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.js.conftest import missing
from tests.workerd import javascript
from tests.workerd.process import Process
from tests.workerd.rig import Rig
from tests.workerd.tools import HERE, Missing, Tools

SOURCES = HERE / "interchange"
ANSWER_S = 10.0
PLANNED = [
    ["cron", "remind", "on Mondays"],
    ["delayed", "remind", "in an hour é"],
    ["interval", "remind", "every ten minutes"],
]


@pytest.fixture(scope="module")
def bundle_folder(workerd_tools, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    try:
        javascript.bundle(SOURCES / "desk.js", folder / "bundle.js")
    except Missing as reason:
        missing(str(reason))
    return folder


class Sides:
    """The two workers that share a storage folder; never both at once."""

    def __init__(self, tools: Tools, bundle: Path, folder: Path) -> None:
        self.tools = tools
        self.bundle = bundle
        self.python = Rig(tools, SOURCES, folder)

    @contextmanager
    def running(self, side: str):
        """A function that calls methods of the agent on one side."""
        if side == "python":
            self.python.start()
            try:
                yield lambda *calls: ask(self.python.port, *calls)
            finally:
                self.python.stop()
            return
        keys = {"Desk": "interchange-Desk"}
        process: Process = javascript.start(self.tools, SOURCES / "desk.js", self.bundle, self.python.storage, keys)
        try:
            yield lambda *calls: ask(process.ports["http"], *calls)
        finally:
            process.stop()


@pytest.fixture
def sides(workerd_tools, bundle_folder, tmp_path):
    return Sides(workerd_tools, bundle_folder, tmp_path)


def ask(port, *calls):
    """The results of some calls over one connection of the agents' protocol."""

    async def work():
        async with (
            asyncio.timeout(ANSWER_S),
            connect(f"ws://127.0.0.1:{port}/agents/desk/one", proxy=None, close_timeout=0.5) as socket,
        ):
            results = []
            for number, (method, *args) in enumerate(calls):
                await socket.send(json.dumps({"type": "rpc", "id": str(number), "method": method, "args": args}))
                while (frame := json.loads(await socket.recv())).get("id") != str(number):
                    pass
                assert frame["success"], frame
                results.append(frame["result"])
            return results

    return asyncio.run(work())


BOTH_WAYS = pytest.mark.parametrize(("first", "second"), [("javascript", "python"), ("python", "javascript")])


@BOTH_WAYS
def test_the_other_side_finds_the_state_and_goes_on_with_it(sides, first, second):
    with sides.running(first) as call:
        assert call(("increment", 2), ("increment", 3))[-1] == {"count": 5}
    with sides.running(second) as call:
        assert call(("look",), ("increment", 4)) == [{"count": 5}, {"count": 9}]
    with sides.running(first) as call:
        assert call(("look",)) == [{"count": 9}]


@BOTH_WAYS
def test_the_other_side_finds_the_schedules(sides, first, second):
    with sides.running(first) as call:
        (planned,) = call(("plan",))
    assert [one[:3] for one in planned] == PLANNED
    with sides.running(second) as call:
        assert call(("planned",)) == [planned]
    with sides.running(first) as call:
        assert call(("planned",)) == [planned]


@BOTH_WAYS
def test_the_other_side_does_what_was_scheduled(sides, first, second):
    with sides.running(first) as call:
        assert call(("planSoon", 2)) == ["planned"]
    name = {"javascript": "JavaScript", "python": "Python"}
    expected = f"{name[second]}: soon, from {name[first]}"
    with sides.running(second) as call:
        state = {}
        for _ in range(100):
            (state,) = call(("look",))
            if "reminded" in state:
                break
            time.sleep(0.1)
        assert state.get("reminded") == expected
