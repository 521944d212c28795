"""One storage folder, two SDKs in turn: each finds what the other has stored, and goes on with it."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.needs import missing
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
        self.port = 0

    @contextmanager
    def running(self, side: str):
        """A function that calls methods of the agent on one side."""
        if side == "python":
            self.python.start()
            self.port = self.python.port
            try:
                yield lambda *calls, name="one": ask(self.python.port, *calls, name=name)
            finally:
                self.python.stop()
            return
        keys = {"Desk": "interchange-Desk"}
        process: Process = javascript.start(self.tools, SOURCES / "desk.js", self.bundle, self.python.storage, keys)
        self.port = process.ports["http"]
        try:
            yield lambda *calls, name="one": ask(self.port, *calls, name=name)
        finally:
            process.stop()

    def leave_old_tables(self, *names: str) -> None:
        """Make objects as npm `agents` 0.21 leaves them, or, for the name "older", a version before it."""
        folder = self.bundle / "old"
        folder.mkdir(exist_ok=True)
        shutil.copy(SOURCES / "old_desk.js", folder / "bundle.js")
        keys = {"Desk": "interchange-Desk"}
        process = javascript.start(self.tools, SOURCES / "old_desk.js", folder, self.python.storage, keys)
        try:
            for name in names:
                assert process.request(process.ports["http"], f"/{name}") == (200, b"left")
        finally:
            process.stop()


@pytest.fixture
def sides(workerd_tools, bundle_folder, tmp_path):
    return Sides(workerd_tools, bundle_folder, tmp_path)


def ask(port, *calls, name="one"):
    """The results of some calls over one connection of the agents' protocol."""

    async def work():
        async with (
            asyncio.timeout(ANSWER_S),
            connect(f"ws://127.0.0.1:{port}/agents/desk/{name}", proxy=None, close_timeout=0.5) as socket,
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


def until(call, key, expected=None, name="one"):
    """What the state has under a key, when it is what is expected or after some seconds."""
    found = None
    for _ in range(100):
        (state,) = call(("look",), name=name)
        found = state.get(key)
        if found is not None and expected in (None, found):
            break
        time.sleep(0.1)
    return found


def rows(storage, table):
    """The rows of a table in the only object of a storage folder."""
    (path,) = [path for path in storage.rglob("*.sqlite") if path.name != "metadata.sqlite"]
    with closing(sqlite3.connect(path)) as database:
        return database.execute(f"SELECT * FROM {table}").fetchall()


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
        assert until(call, "reminded", expected) == expected


@BOTH_WAYS
def test_the_other_side_does_what_was_queued_once_and_in_order(sides, first, second):
    texts = ["interrupted", "b", "c", "d é"]
    with sides.running(first) as call:
        (waiting,) = call(("fill", texts))
        assert [one[1:] for one in waiting] == [["note", text] for text in texts]
    with sides.running(second) as call:
        assert until(call, "noted", texts) == texts
        assert call(("waiting",)) == [[]]
    with sides.running(first) as call:
        time.sleep(0.5)
        state, waiting = call(("look",), ("waiting",))
        assert state["noted"] == texts
        assert waiting == []


@BOTH_WAYS
def test_the_other_side_finds_the_sub_agents(sides, first, second):
    with sides.running(first) as call:
        assert call(("put", "top/left", "pen"), ("put", "é", "ink")) == [["pen"], ["ink"]]
    with sides.running(second) as call:
        assert call(("drawers",), ("put", "top/left", "paper")) == [["top/left", "é"], ["pen", "paper"]]
        assert call(("removeDrawer", "é"), ("put", "third", "cup")) == [["top/left"], ["cup"]]
    with sides.running(first) as call:
        assert call(("drawers",), ("put", "top/left", "pin")) == [["top/left", "third"], ["pen", "paper", "pin"]]
        assert call(("put", "é", "new")) == [["new"]]


def test_what_a_sub_agent_scheduled_in_javascript_happens_in_python(sides):
    with sides.running("javascript") as call:
        assert call(("putSoon", "top/left", 3, "soon")) == ["planned"]
    with sides.running("python") as call:
        deadline = time.monotonic() + 10
        while len(found := call(("put", "top/left", "look"))[0]) < 40 and time.monotonic() < deadline:
            if "Python: soon" in found:
                return
            time.sleep(0.3)
    raise AssertionError(found)


def test_what_a_sub_agent_scheduled_in_python_waits_while_javascript_has_the_storage(sides):
    """The one direction that does not work, as the docs say: JavaScript knows nothing of it, and loses nothing."""
    with sides.running("python") as call:
        assert call(("putSoon", "top/left", 2, "soon")) == ["planned"]
    with sides.running("javascript") as call:
        time.sleep(3)
        assert call(("put", "top/left", "js"), ("look",))[0] == ["js"]
        time.sleep(1)
        assert call(("put", "top/left", "js")) == [["js", "js"]], "it does not happen"
    with sides.running("python") as call:
        deadline = time.monotonic() + 10
        while "Python: soon" not in (found := call(("put", "top/left", "look"))[0]):
            assert time.monotonic() < deadline, found
            time.sleep(0.3)
        assert found.count("Python: soon") == 1


@pytest.mark.parametrize("name", ["one", "older"])
def test_the_tables_of_an_older_version_are_taken_over(sides, name):
    sides.leave_old_tables(name)
    kept = [each for each in PLANNED if name == "one" or each[0] != "interval"]
    with sides.running("python") as call:
        assert until(call, "reminded", name=name) == "Python: soon, from before"
        assert until(call, "noted", ["first", "second", "third"], name=name) == ["first", "second", "third"]
        state, planned, waiting = call(("look",), ("planned",), ("waiting",), name=name)
        assert state["count"] == 21
        assert [one[:3] for one in planned] == kept
        assert waiting == []
    kept_rows = rows(sides.python.storage, "cf_agents_schedules"), rows(sides.python.storage, "cf_agents_queues")
    assert list(map(len, kept_rows)) == [len(kept) + 1, 3], "an older version of the code still finds them"
    for side in ("python", "javascript"):
        with sides.running(side) as call:
            time.sleep(0.5)
            assert call(("look",), ("planned",), name=name) == [state, planned], f"{side} does nothing twice"
