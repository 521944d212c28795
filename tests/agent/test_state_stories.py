"""The state of an agent, seen by its clients: kept, validated, typed, sent to everyone, never half written."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypedDict

import pytest
from pydantic import BaseModel

from agents_runtime import Agent, callable
from agents_runtime.errors import NotJson, StateTooLarge
from agents_runtime.testing import CallFailed


class Counter(Agent):
    initial_state = {"count": 0}

    @callable
    def increment(self, by: int = 1) -> int:
        self.set_state({"count": self.state["count"] + by})
        return self.state["count"]

    @callable
    def put(self, value):
        self.set_state(value)
        return self.state

    @callable
    def change_in_place(self):
        self.state["count"] = 99

    def validate_state_change(self, next_state, source):
        if isinstance(next_state, dict) and next_state.get("count", 0) < 0:
            raise ValueError("count must not be negative")


async def test_a_state_survives_eviction_restart_and_crash(runtime):
    counter = runtime.get(Counter, "a")
    assert await counter.increment(2) == 2
    await runtime.evict(counter)
    assert await counter.increment(3) == 5
    await runtime.restart()
    assert await counter.increment(1) == 6
    runtime.crash(counter)
    assert await counter.state == {"count": 6}


@pytest.mark.parametrize("value", [None, 0, False, "", [], {}])
async def test_falsy_values_are_states(runtime, value):
    counter = runtime.get(Counter, "a")
    await counter.put(value)
    await runtime.evict(counter)
    client = await runtime.connect(counter)
    assert (await client.expect("cf_agent_state"))["state"] == value
    assert client.frames[0]["stateFollows"] is True


async def test_an_agent_without_a_state_sends_none(runtime):
    class Plain(Agent):
        pass

    client = await runtime.connect(Plain, "a")
    assert [frame["type"] for frame in client.frames] == ["cf_agent_identity", "cf_agent_mcp_servers"]
    assert await runtime.get(Plain, "a").state is None


async def test_many_writes_keep_one_row_of_compact_json(runtime):
    counter = runtime.get(Counter, "a")
    for _ in range(3):
        await counter.increment()
    await runtime.run_in_agent(counter, lambda agent: agent.set_state({"text": "grüße", "list": (1, 2.0, 2.5)}))
    rows = await runtime.run_in_agent(counter, lambda agent: agent.sql("SELECT * FROM cf_agents_state"))
    assert rows == [{"id": "cf_state_row_id", "state": '{"text":"grüße","list":[1,2,2.5]}'}]


async def test_a_refused_state_changes_nothing_and_tells_nobody_else(runtime):
    writer, other = await runtime.connect(Counter, "a"), await runtime.connect(Counter, "a")
    await writer.set_state({"count": -1})
    assert (await writer.expect("cf_agent_state_error"))["error"] == "State update rejected"
    await runtime.settle()
    assert writer.state == {"count": 0}, "the writer gets the true state back"
    assert [frame["type"] for frame in other.unread].count("cf_agent_state") == 1, "only the one of its greeting"
    assert await runtime.get(Counter, "a").state == {"count": 0}


async def test_the_agents_own_code_gets_the_validators_error(runtime):
    client = await runtime.connect(Counter, "a")
    with pytest.raises(CallFailed, match=r"^count must not be negative$"):
        await client.call("increment", -1)


async def test_the_writer_gets_no_echo_and_everyone_else_the_state(runtime):
    writer, other = await runtime.connect(Counter, "a"), await runtime.connect(Counter, "a")
    greeted = len(writer.frames)
    await writer.set_state({"count": 7})
    await runtime.settle()
    assert other.state == {"count": 7}
    assert len(writer.frames) == greeted


async def test_a_change_in_place_is_forgotten(runtime):
    client = await runtime.connect(Counter, "a")
    await client.call("change_in_place")
    assert await client.call("increment") == 1


async def test_a_refused_state_that_was_changed_in_place_is_read_anew(runtime):
    class Stubborn(Counter):
        @callable
        def spoil(self):
            self.state["count"] = -5
            try:
                self.set_state(self.state)
            except ValueError:
                return self.state["count"]

    client = await runtime.connect(Stubborn, "a")
    assert await client.call("spoil") == 0


async def test_what_is_no_json_is_refused_with_its_path(runtime):
    handle = runtime.get(Counter, "a")

    def write(agent):
        with pytest.raises(NotJson) as refused:
            agent.set_state({"players": [{"tags": {"a"}}]})
        return refused.value.path, agent.state

    assert await runtime.run_in_agent(handle, write) == ("state.players[0].tags", {"count": 0})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", datetime(2026, 1, 1)])
async def test_values_without_a_json_form_are_refused(runtime, value):
    handle = runtime.get(Counter, "a")
    with pytest.raises(NotJson):
        await runtime.run_in_agent(handle, lambda agent: agent.set_state({"value": value}))
    assert await handle.state == {"count": 0}


async def test_a_date_is_kept_as_javascript_writes_it(runtime):
    handle = runtime.get(Counter, "a")
    await runtime.run_in_agent(
        handle, lambda agent: agent.set_state({"at": datetime(2026, 1, 2, 3, 4, 5, 678900, UTC)})
    )
    assert await handle.state == {"at": "2026-01-02T03:04:05.678Z"}


async def test_a_state_that_is_too_large_names_limit_size_and_remedy(runtime):
    handle = runtime.get(Counter, "a")
    with pytest.raises(StateTooLarge, match=r"2,000,0\d\d bytes .* 2,000,000 .*self\.sql") as refused:
        await runtime.run_in_agent(handle, lambda agent: agent.set_state({"text": "x" * 2_000_000}))
    assert refused.value.size_bytes > refused.value.limit_bytes
    assert await handle.state == {"count": 0}


async def test_a_client_cannot_write_a_state_that_is_too_large(runtime):
    client = await runtime.connect(Counter, "a")
    await client.set_state({"text": "ü" * 1_000_000})
    await client.expect("cf_agent_state_error")
    await runtime.settle()
    assert client.state == {"count": 0}


async def test_a_large_state_warns_once_for_each_size(runtime_factory, caplog):
    runtime = runtime_factory(evict_before_every_event=False)
    handle = runtime.get(Counter, "a")
    with caplog.at_level(logging.WARNING, "agents_runtime"):
        for size in (300_000, 310_000, 1_100_000, 1_200_000):
            await handle.put({"text": "x" * size})
    warnings = [
        record for record in caplog.records if "goes" in record.message or "go to every client" in record.message
    ]
    assert len(warnings) == 2


async def test_a_lone_surrogate_from_a_client_can_be_stored_and_sent(runtime):
    writer, other = await runtime.connect(Counter, "a"), await runtime.connect(Counter, "a")
    await writer.send('{"type":"cf_agent_state","state":{"text":"\\ud800"}}')
    await runtime.settle()
    assert other.state == {"text": "\ud800"}
    assert await writer.call("put", {"again": "x"}) == {"again": "x"}


async def test_a_corrupt_row_is_replaced_by_the_initial_state(runtime, caplog):
    counter = runtime.get(Counter, "a")
    await counter.increment()
    await runtime.run_in_agent(counter, lambda agent: agent.sql("UPDATE cf_agents_state SET state = '{broken'"))
    await runtime.evict(counter)
    assert await counter.state == {"count": 0}
    assert "not JSON" in caplog.text


async def test_a_corrupt_row_without_an_initial_state_is_deleted(runtime, caplog):
    class Plain(Agent):
        pass

    plain = runtime.get(Plain, "a")
    await runtime.run_in_agent(plain, lambda agent: agent.set_state(1))
    await runtime.run_in_agent(plain, lambda agent: agent.sql("UPDATE cf_agents_state SET state = '{broken'"))
    await runtime.evict(plain)
    assert await plain.state is None
    rows = await runtime.run_in_agent(plain, lambda agent: agent.sql("SELECT * FROM cf_agents_state"))
    assert rows == []


async def test_rows_of_an_older_javascript_agent_are_read_and_left_alone(runtime):
    class Plain(Agent):
        pass

    def old(agent):
        agent.sql("CREATE TABLE cf_agents_state (id TEXT PRIMARY KEY NOT NULL, state TEXT)")
        agent.sql(
            "INSERT INTO cf_agents_state VALUES ('cf_state_row_id', '{\"old\":true}'), ('cf_schema_version', '11')"
        )

    plain = runtime.get(Plain, "a")
    await runtime.run_in_agent(plain, old)
    await runtime.evict(plain)
    assert await plain.state == {"old": True}
    rows = await runtime.run_in_agent(plain, lambda agent: agent.sql("SELECT id FROM cf_agents_state ORDER BY id"))
    assert [row["id"] for row in rows] == ["cf_schema_version", "cf_state_row_id"]


class Watcher(Agent):
    initial_state = {"n": 0}

    @callable
    def write(self, n):
        self.set_state({"n": n})

    def on_state_changed(self, state, source):
        who = source if source == "server" else f"connection {source.id}"
        self.broadcast(f"changed to {state['n']} by {who}")
        if state["n"] == 13:
            raise RuntimeError("unlucky")

    def on_error(self, error):
        self.broadcast(f"error: {error}")


async def test_the_hook_learns_of_each_change_and_its_source(runtime):
    client = await runtime.connect(Watcher, "a", id="me")
    await client.expect(lambda frame: frame == "changed to 0 by server")
    await client.call("write", 1)
    await client.expect(lambda frame: frame == "changed to 1 by server")
    await client.set_state({"n": 2})
    await client.expect(lambda frame: frame == "changed to 2 by connection me")


async def test_a_hook_that_raises_undoes_nothing(runtime):
    client = await runtime.connect(Watcher, "a")
    await client.call("write", 13)
    await client.expect(lambda frame: frame == "error: unlucky")
    assert client.state == {"n": 13}
    assert await runtime.get(Watcher, "a").state == {"n": 13}


async def test_the_old_name_of_the_state_hook_works(runtime):
    class Old(Agent):
        def on_state_update(self, state, source):
            self.broadcast(f"old hook: {state}")

    client = await runtime.connect(Old, "a")
    await client.set_state(5)
    await client.expect(lambda frame: frame == "old hook: 5")


async def test_client_writes_can_be_denied(runtime):
    class Strict(Agent):
        options = {"client_state_writes": "deny"}
        initial_state = {"n": 0}

    client = await runtime.connect(Strict, "a")
    await client.set_state({"n": 1})
    await client.expect("cf_agent_state_error")
    await runtime.settle()
    assert client.state == {"n": 0}
    assert await runtime.get(Strict, "a").state == {"n": 0}


async def test_set_state_may_be_awaited_or_not(runtime):
    class Both(Agent):
        @callable
        async def write(self):
            self.set_state({"n": 1})
            assert self.state == {"n": 1}
            await self.set_state({"n": 2})
            return self.state

    client = await runtime.connect(Both, "a")
    assert await client.call("write") == {"n": 2}


async def test_a_seeded_state_goes_to_those_already_connected_and_once_to_the_new_one(runtime):
    class Late(Agent):
        @property
        def initial_state(self):
            return {"seeded": True}

        @callable
        def forget(self):
            self.sql("DELETE FROM cf_agents_state")

    first = await runtime.connect(Late, "a")
    await first.call("forget")
    await runtime.evict(runtime.get(Late, "a"))
    seen = len([frame for frame in first.frames if frame["type"] == "cf_agent_state"])
    second = await runtime.connect(Late, "a")
    assert len([frame for frame in second.frames if frame["type"] == "cf_agent_state"]) == 1
    assert len([frame for frame in first.frames if frame["type"] == "cf_agent_state"]) == seen + 1


class Point(TypedDict):
    x: int
    y: int


@dataclass
class Player:
    name: str
    points: int = 0
    tags: list[str] = field(default_factory=list)


class Settings(BaseModel):
    theme: str = "light"
    size: int = 12


class Plotter(Agent[Point]):
    initial_state: Point = {"x": 0, "y": 0}


class Game(Agent[Player]):
    initial_state = Player("nobody")

    @callable
    def win(self) -> str:
        self.set_state(Player(self.state.name, self.state.points + 1, [*self.state.tags, "won"]))
        return f"{type(self.state).__name__} {self.state.points}"


class Preferences(Agent[Settings]):
    initial_state = Settings()

    @callable
    def dark(self) -> str:
        self.set_state(self.state.model_copy(update={"theme": "dark"}))
        return type(self.state).__name__


async def test_a_dataclass_state_is_stored_as_json_and_comes_back_as_itself(runtime):
    client = await runtime.connect(Game, "a")
    assert await client.call("win") == "Player 1"
    assert client.state == {"name": "nobody", "points": 1, "tags": ["won"]}
    assert await client.call("win") == "Player 2"


async def test_a_model_state_is_stored_as_json_and_comes_back_as_itself(runtime):
    client = await runtime.connect(Preferences, "a")
    assert await client.call("dark") == "Settings"
    assert client.state == {"theme": "dark", "size": 12}


@pytest.mark.parametrize(
    ("cls", "good", "bad"),
    [
        (Plotter, {"x": 1, "y": 2}, [{"x": 1}, {"x": 1, "y": "2"}, {"x": 1, "y": 2, "z": 3}, None, []]),
        (Game, {"name": "me", "points": 3}, [{"points": 3}, {"name": 5}, {"name": "me", "tags": [1]}, "me"]),
        (Preferences, {"theme": "dark", "size": 9}, [{"size": "large"}, {"theme": None}, 5]),
    ],
)
async def test_a_client_may_only_write_a_state_of_the_type(runtime, cls, good, bad):
    client = await runtime.connect(cls, "a")
    for state in bad:
        await client.set_state(state)
        assert (await client.expect("cf_agent_state_error"))["error"] == "State update rejected"
    before = await runtime.get(cls, "a").state
    await client.set_state(good)
    await runtime.settle()
    after = await runtime.get(cls, "a").state
    assert after != before
    assert {**after, **good} == after


async def test_a_stored_state_that_fits_no_more_is_kept_and_named(runtime):
    handle = runtime.get(Game, "a")
    await runtime.run_in_agent(handle, lambda agent: agent.state)
    await runtime.run_in_agent(handle, lambda agent: agent.sql("UPDATE cf_agents_state SET state = '{\"points\":4}'"))
    await runtime.evict(handle)
    with pytest.raises(Exception, match=r"state\.name is missing"):
        await runtime.run_in_agent(handle, lambda agent: agent.state)
    rows = await runtime.run_in_agent(handle, lambda agent: agent.sql("SELECT state FROM cf_agents_state"))
    assert rows == [{"state": '{"points":4}'}]


async def test_a_field_that_the_class_dropped_is_left_out(runtime):
    handle = runtime.get(Game, "a")
    text = '{"name":"me","points":4,"retired":true}'
    await runtime.run_in_agent(handle, lambda agent: agent.state)
    await runtime.run_in_agent(handle, lambda agent: agent.sql("UPDATE cf_agents_state SET state = ?", text))
    await runtime.evict(handle)
    assert await runtime.run_in_agent(handle, lambda agent: agent.state) == Player("me", 4)
