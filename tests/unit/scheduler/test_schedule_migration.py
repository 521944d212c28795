"""Schedules and queue items of the JavaScript SDK before 0.32, and of a version that is not there yet."""

from __future__ import annotations

import pytest

from agents_runtime import Agent
from agents_runtime.errors import SchemaTooNew

SCHEDULES = """CREATE TABLE cf_agents_schedules (
    id TEXT PRIMARY KEY NOT NULL DEFAULT (randomblob(9)), callback TEXT, payload TEXT,
    type TEXT NOT NULL CHECK(type IN ('scheduled', 'delayed', 'cron', 'interval')), time INTEGER,
    delayInSeconds INTEGER, cron TEXT, intervalSeconds INTEGER, running INTEGER DEFAULT 0,
    created_at INTEGER DEFAULT (unixepoch()), execution_started_at INTEGER, retry_options TEXT, owner_path TEXT,
    owner_path_key TEXT)"""
QUEUES = """CREATE TABLE cf_agents_queues (
    id TEXT PRIMARY KEY NOT NULL, payload TEXT, callback TEXT, created_at INTEGER DEFAULT (unixepoch()),
    retry_options TEXT)"""
ADD_SCHEDULE = (
    "INSERT INTO cf_agents_schedules (id, callback, payload, type, time, delayInSeconds, cron, intervalSeconds, "
    "retry_options) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Heir(Agent):
    initial_state = []

    def note(self, payload, _):
        self.set_state([*self.state, payload])

    def leave_old_tables(self, now_s):
        self.sql(SCHEDULES)
        self.sql(ADD_SCHEDULE, "one", "note", '{"a":1}', "delayed", now_s + 60, 60, None, None, '{"maxAttempts":9}')
        self.sql(ADD_SCHEDULE, "cron", "note", '"c"', "cron", now_s + 120, None, "*/2 * * * *", None, None)
        self.sql(ADD_SCHEDULE, "every", "note", '"e"', "interval", now_s + 90, None, None, 90, None)
        self.sql(ADD_SCHEDULE, "broken", "note", "{", "scheduled", now_s, None, None, None, None)
        self.sql(ADD_SCHEDULE, "beat", "_cf_keepAliveHeartbeat", None, "interval", now_s, None, None, 30, None)
        self.sql(QUEUES)
        for number, item in enumerate(("x", "y", "z")):
            self.sql("INSERT INTO cf_agents_queues VALUES (?, ?, 'note', ?, NULL)", item, f'"{item}"', 100 - number)

    def keys(self):
        return [self._platform.kv.get(f"cf_agents:{kind}_schema_version") for kind in ("schedules", "queue")]

    def come_from_the_future(self, kind):
        self._platform.kv.put(f"cf_agents:{kind}_schema_version", 99)


async def test_old_tables_are_taken_over_once_and_stay(runtime, caplog):
    heir = runtime.get(Heir, "a")
    await heir.leave_old_tables(runtime.now_ms // 1000)
    await runtime.evict_all()
    schedules = {each["id"]: each for each in await heir.list_schedules()}
    assert set(schedules) == {"one", "cron", "every"}
    assert schedules["one"]["retry"]["max_attempts"] == 9
    assert schedules["every"]["interval_seconds"] == 90
    assert "broken of an older version is left out" in caplog.text
    assert await heir.keys() == [2, 1]
    await runtime.advance(seconds=130)
    assert await heir.state == ["z", "y", "x", {"a": 1}, "e", "c"]
    await runtime.evict_all()
    assert len(await heir.list_schedules()) == 2
    assert await runtime.run_in_agent(heir, lambda agent: len(agent.sql("SELECT * FROM cf_agents_schedules"))) == 5


@pytest.mark.parametrize("kind", ["schedules", "queue"])
async def test_what_a_newer_version_wrote_is_kept_and_refused(runtime, kind):
    runtime.expect_errors()
    heir = runtime.get(Heir, "a")
    for number in range(2):
        await heir.schedule(60, "note", f"s{number}")
        await heir.queue("note", f"q{number}")
    await heir.come_from_the_future(kind)
    await runtime.evict_all()

    async def refused(agent):
        make = agent.schedule(60, "note") if kind == "schedules" else agent.queue("note")
        with pytest.raises(SchemaTooNew, match=f"cf_agents:{kind}_schema_version is 99"):
            await make

    await runtime.run_in_agent(heir, refused)
    await runtime.advance(minutes=5)
    assert await heir.state == (["q0", "q1"] if kind == "schedules" else ["s0", "s1"])
    rows = await runtime.run_in_agent(heir, lambda agent: agent.sql("SELECT capability FROM cf_agents_jobs"))
    assert [row["capability"] for row in rows] == ["scheduler" if kind == "schedules" else "queue"] * 2
