"""The state's row, its value in memory, and the order of what happens on a change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agents_runtime._core.peer import CurrentAgent
from agents_runtime.context import CURRENT, NOBODY
from agents_runtime.errors import NotJson, ReadonlyConnection, SocketClosed, SqlError
from agents_runtime.state.codec import StateCodec
from agents_runtime.state.store import UNSET, StateHooks, StateStore


class Sql:
    """The one row, with a log; fails on demand. The real database is in tests/agent."""

    def __init__(self, log, text=None, has_table=True):
        self.log = log
        self.text = text
        self.has_table = has_table
        self.failure = None

    def execute(self, query, *params):
        verb = query.split()[0]
        if self.failure and verb == self.failure[0]:
            raise self.failure[1]
        if verb == "CREATE":
            self.has_table = True
        elif not self.has_table:
            raise RuntimeError("no such table: cf_agents_state: SQLITE_ERROR")
        if verb == "SELECT":
            return [] if self.text is None else [{"state": self.text}]
        self.log.append(verb)
        if verb == "INSERT":
            self.text = params[0]
        return []


class Peer(SimpleNamespace):
    def __init__(self, owner, **flags):
        super().__init__(id="me", is_readonly=False, sends_protocol=True, is_closed=False, frames=[])
        vars(self).update(flags)
        itself: Any = self
        self.scope = CurrentAgent(owner, itself)

    def send_text(self, frame):
        if self.is_closed:
            raise SocketClosed
        self.frames.append(frame)


class World:
    def __init__(self, *, initial: Any = UNSET, text=None, has_table=True, validate=None, writes=True):
        self.log: list[Any] = []
        self.owner = object()
        sql: Any = Sql(self.log, text, has_table)
        self.sql = sql
        self.kv: Any = SimpleNamespace(put=lambda key, value: self.log.append((key, value)))
        hooks = StateHooks(lambda: initial, validate, lambda state, source: self.log.append(("changed", state, source)))
        self.store = StateStore(
            self.owner,
            self.sql,
            self.kv,
            StateCodec(Any),
            hooks,
            lambda frame, without=None: self.log.append(("publish", frame, without)),
            lambda event, payload: self.log.append(event),
            accepts_client_writes=writes,
        )


def test_the_row_comes_first_then_clients_then_the_event_then_the_hook():
    world = World()
    world.store.set({"a": 1})
    frame = '{"state":{"a":1},"type":"cf_agent_state"}'
    assert world.log == ["INSERT", ("publish", frame, None), "state:update", ("changed", {"a": 1}, "server")]


def test_the_table_is_made_by_the_first_write_only():
    world = World(has_table=False)
    assert world.store.get() is None
    assert world.log == []
    world.store.set(1)
    world.store.set(2)
    assert [entry for entry in world.log if entry in ("CREATE", "INSERT") or entry[0].startswith("cf_")] == [
        "CREATE",
        "INSERT",
        ("cf_agents:state_schema_version", 1),
        "INSERT",
    ]


def test_a_failing_write_leaves_memory_and_clients_alone():
    world = World(text='{"a":1}')
    assert world.store.get() == {"a": 1}
    world.sql.failure = ("INSERT", RuntimeError("disk I/O error"))
    with pytest.raises(SqlError):
        world.store.set({"a": 2})
    assert world.store.get() == {"a": 1}
    assert world.log == []


def test_a_failing_read_is_not_an_empty_state():
    world = World(initial={"a": 0})
    world.sql.failure = ("SELECT", RuntimeError("database disk image is malformed"))
    with pytest.raises(SqlError):
        world.store.get()
    assert world.log == []


def test_the_initial_state_is_stored_once_and_is_nobodys_reference():
    initial = {"list": []}
    world = World(initial=initial)
    world.store.get()["list"].append(1)
    assert world.store.text() == '{"list":[]}'
    assert initial == {"list": []}
    assert world.log.count("INSERT") == 1


def test_an_initial_state_that_is_refused_is_tried_again():
    def refuse(state, source):
        raise ValueError("no")

    world = World(initial=1, validate=refuse)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            world.store.get()


def test_a_null_row_is_the_state_null():
    world = World(initial={"a": 1})
    world.sql.text = None
    world.sql.execute = lambda query, *params: [{"state": None}]
    assert world.store.get() is None
    assert world.store.greeting() == ('{"type":"cf_agent_state","state":null}',)


def test_greeting_is_empty_without_a_state():
    assert World().store.greeting() == ()


@pytest.mark.parametrize(("agent", "is_refused"), [("own", True), ("other", False)])
def test_only_the_agents_own_readonly_caller_is_refused(agent, is_refused):
    world = World()
    owner = world.owner if agent == "own" else object()
    peer: Any = Peer(owner, is_readonly=True)
    CURRENT.set(CurrentAgent(owner, peer))
    try:
        if is_refused:
            with pytest.raises(ReadonlyConnection):
                world.store.set(1)
        else:
            world.store.set(1)
    finally:
        CURRENT.set(NOBODY)
    assert (world.log == []) is is_refused


def test_a_clients_write_goes_to_everyone_but_the_client():
    world = World()
    peer: Any = Peer(world.owner)
    assert world.store.on_frame(peer, {"type": "cf_agent_state", "state": 5}) is not None
    assert ("publish", '{"state":5,"type":"cf_agent_state"}', peer) in world.log
    assert ("changed", 5, peer) in world.log
    assert peer.frames == []
    assert CURRENT.get() is NOBODY


def test_a_frame_without_a_state_is_none_of_its_own():
    world = World()
    peer: Any = Peer(world.owner)
    assert world.store.on_frame(peer, {"type": "cf_agent_state"}) is None


REJECTED = '{"type":"cf_agent_state_error","error":"%s"}'
TRUE_STATE = '{"state":1,"type":"cf_agent_state"}'


@pytest.mark.parametrize(
    ("flags", "writes", "frames"),
    [
        ({"is_readonly": True}, True, [REJECTED % "Connection is readonly", TRUE_STATE]),
        ({}, False, [REJECTED % "State updates from clients are not allowed", TRUE_STATE]),
        ({}, True, [REJECTED % "State update rejected", TRUE_STATE]),
        ({"sends_protocol": False}, True, [REJECTED % "State update rejected"]),
        ({"is_closed": True}, True, []),
    ],
)
def test_a_refused_client_gets_the_reason_and_the_true_state(flags, writes, frames):
    def refuse(state, source):
        raise ValueError("the secret rule")

    world = World(text="1", validate=refuse, writes=writes)
    peer: Any = Peer(world.owner, **flags)
    world.store.on_frame(peer, {"state": 2})
    assert peer.frames == frames
    assert world.sql.text == "1"


def test_what_is_no_json_is_refused_before_anything_is_written():
    world = World(text="1")
    with pytest.raises(NotJson):
        world.store.set({"a": {1}})
    assert (world.log, world.store.get()) == ([], 1)


def test_unset_shows_itself():
    assert repr(UNSET) == "UNSET"
