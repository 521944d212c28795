"""The job table and its driver, through the port, on a real object and a virtual clock."""

from __future__ import annotations

import asyncio
import json
from time import perf_counter as time_s

import pytest

from agents_runtime import Agent, UsageError, subscribe
from agents_runtime._core.capability import Capability, capability
from agents_runtime._core.jobs.port import YIELD, RescheduleAt

JAVASCRIPT_TABLE = """CREATE TABLE cf_agents_jobs (
    id TEXT PRIMARY KEY NOT NULL, capability TEXT NOT NULL, fn TEXT NOT NULL, time INTEGER NOT NULL, payload TEXT,
    retry_options TEXT, singleflight INTEGER NOT NULL DEFAULT 0, hung_timeout_seconds INTEGER,
    exclusive INTEGER NOT NULL DEFAULT 0, recovery_loop INTEGER NOT NULL DEFAULT 0, running INTEGER NOT NULL DEFAULT 0,
    execution_started_at INTEGER, created_at INTEGER NOT NULL DEFAULT (unixepoch())) WITHOUT ROWID"""


running = []
watchers = []
"""What `watch` starts: coroutine functions that send the object other events."""


class Probe(Capability):
    """Does what a job's `fn` says, and writes it down."""

    def __init__(self, agent, jobs, clock):
        self.agent = agent
        self.jobs = jobs
        self.clock = clock
        jobs.register("probe", self.run)
        jobs.register("side", self.run, fn="known")
        jobs.register("wide", self.run, concurrency=2)

    async def run(self, job):
        self.note(job.fn, job.payload)
        method = getattr(self, f"do_{job.fn}", None)
        return None if method is None else await method(job)

    def note(self, fn, payload):
        self.agent.sql("CREATE TABLE IF NOT EXISTS notes (fn TEXT, payload TEXT, at INTEGER)")
        self.agent.sql("INSERT INTO notes VALUES (?, ?, ?)", fn, json.dumps(payload), self.clock.now_ms())

    async def do_again(self, job):
        return RescheduleAt(self.clock.now_ms() + 1000) if len(self.noted("again")) < 3 else None

    async def do_yield(self, job):
        return YIELD if len(self.noted("yield")) < 3 else None

    async def do_watch(self, job):
        running.extend(asyncio.ensure_future(watcher()) for watcher in watchers)

    async def do_slow(self, job):
        await self.clock.sleep(5)

    async def do_cancels_next(self, job):
        self.jobs.cancel("probe", "next")

    async def do_replaces_itself(self, job):
        self.jobs.push("probe", "plain", self.clock.now_ms() + 1000, job_id=job.id)

    async def do_breaks(self, job):
        if len(self.noted("breaks")) < 3:
            raise ValueError("a bug in the capability")

    async def do_cancelled(self, job):
        raise asyncio.CancelledError

    async def do_loses_connection(self, job):
        if len(self.noted("loses_connection")) < 2:
            raise RuntimeError("Network connection lost.")

    async def do_exhausts_memory(self, job):
        raise RuntimeError("Durable Object's isolate exceeded its memory limit and was reset.")

    def noted(self, fn):
        return self.agent.sql("SELECT payload, at FROM notes WHERE fn = ?", fn)


class Holder(Agent):
    @capability
    def _probe(self):
        return Probe(self, self._jobs, self._platform.clock)

    def push(self, fn, delay_ms=0, capability="probe", **options):
        return self._jobs.push(capability, fn, self._platform.clock.now_ms() + delay_ms, **options).id

    def notes(self):
        if not self.sql("SELECT 1 FROM sqlite_master WHERE name = 'notes'"):
            return []
        return [(row["fn"], json.loads(row["payload"])) for row in self.sql("SELECT * FROM notes ORDER BY rowid")]

    def times(self):
        return [row["at"] for row in self.sql("SELECT at FROM notes ORDER BY rowid")]

    def rows(self):
        return self.sql("SELECT * FROM cf_agents_jobs ORDER BY time, sequence")

    def armed(self):
        return self._platform.alarm.get_ms()

    def javascript_made(self, *rows):
        self.sql(JAVASCRIPT_TABLE)
        for row in rows:
            self.sql("INSERT INTO cf_agents_jobs (id, capability, fn, time, payload) VALUES (?, ?, ?, ?, ?)", *row)

    def on_error(self, error):
        """What fails here is meant to."""


@pytest.fixture
def holder(runtime):
    return runtime.get(Holder, "a")


async def test_time_then_order_of_pushing(runtime, holder):
    for number, delay_ms in enumerate([5, 1, 5, 3, 1]):
        await holder.push("plain", delay_ms, payload=number)
    await runtime.advance(milliseconds=5)
    assert [payload for _, payload in await holder.notes()] == [1, 4, 3, 0, 2]
    assert await holder.rows() == []


async def test_more_than_one_slice_lets_other_events_in(runtime, holder):
    def push_many(agent):
        agent.push("watch", 1000)
        for number in range(999):
            agent.push("plain", 1000, payload=number)

    seen = []

    async def look():
        while len(seen) < 3:
            seen.append(await runtime.run_in_agent(holder, lambda agent: len(agent.notes())))

    watchers.append(look)
    await runtime.run_in_agent(holder, push_many)
    await runtime.advance(seconds=1)
    watchers.clear()
    await asyncio.gather(*running)
    running.clear()
    assert [0 < count < 1000 for count in seen] == [True, True, True]
    assert [payload for _, payload in await holder.notes()] == [None, *range(999)]


async def test_an_event_of_a_few_turns_waits_for_one_slice_and_not_for_one_at_each_turn(runtime, holder):
    def push_many(agent):
        agent.push("watch", 1000)
        for number in range(999):
            agent.push("plain", 1000, payload=number)

    seen = []

    async def look():
        for _ in range(2):
            seen.append(await runtime.run_in_agent(holder, lambda agent: len(agent.notes())))
            for _ in range(4):
                await asyncio.sleep(0)

    watchers.append(look)
    await runtime.run_in_agent(holder, push_many)
    await runtime.advance(seconds=1)
    watchers.clear()
    await asyncio.gather(*running)
    running.clear()
    assert 0 < seen[0] <= seen[1] <= seen[0] + 100 < 1000


async def test_rescheduling_and_yielding(runtime, holder):
    begun_ms = runtime.now_ms
    await holder.push("again")
    await runtime.advance(seconds=5)
    assert [at - begun_ms for at in await holder.times()] == [0, 1000, 2000]
    await holder.push("yield")
    await holder.push("plain")
    await runtime.advance(seconds=5)
    assert [fn for fn, _ in await holder.notes()][3:] == ["yield", "plain", "yield", "yield"]


async def test_what_a_run_changes_counts(runtime, holder):
    await holder.push("cancels_next")
    await holder.push("plain", job_id="next")
    await holder.push("replaces_itself", job_id="self", payload=1)
    await runtime.advance()
    assert [fn for fn, _ in await holder.notes()] == ["cancels_next", "replaces_itself"]
    await runtime.advance(seconds=1)
    assert [fn for fn, _ in await holder.notes()][2:] == ["plain"]
    assert await holder.rows() == []


async def test_a_bug_in_a_capability_loses_nothing_and_blocks_nobody(runtime, holder, caplog):
    runtime.expect_errors()
    await holder.push("breaks")
    await holder.push("cancelled")
    await holder.push("plain")
    await runtime.advance()
    assert [fn for fn, _ in await holder.notes()] == ["breaks", "cancelled", "plain"]
    await runtime.advance(seconds=10)
    assert [fn for fn, _ in await holder.notes()].count("breaks") == 3
    assert [row["fn"] for row in await holder.rows()] == ["cancelled"]


async def test_a_failing_platform_keeps_the_job_and_tries_later(runtime, holder):
    runtime.expect_errors()
    begun_ms = runtime.now_ms
    await holder.push("loses_connection")
    await holder.push("plain")
    await runtime.advance(minutes=1)
    assert [fn for fn, _ in await holder.notes()] == ["loses_connection", "loses_connection", "plain"]
    assert (await holder.times())[1] - begun_ms >= 2000


async def test_the_memory_breaker_puts_off_then_gives_up(runtime, holder):
    runtime.expect_errors()
    events = []
    stop = subscribe("lifecycle", lambda event: events.append((event.type, dict(event.payload))))
    await holder.push("exhausts_memory")
    await holder.push("plain", 3_600_000, job_id="loop", recovery_loop=True)
    await holder.push("plain", 200_000, job_id="other")
    await runtime.advance(minutes=5)
    stop()
    strikes = [payload for kind, payload in events if kind == "alarm:memory_limit_reset"]
    assert [(each["strikes"], each["sealed"]) for each in strikes] == [(1, False), (2, False), (3, True)]
    assert [fn for fn, _ in await holder.notes()].count("plain") == 1
    assert await holder.rows() == []


async def test_ids_belong_to_one_capability(runtime, holder):
    await holder.push("plain", 1000, job_id="mine")

    def story(agent):
        with pytest.raises(UsageError, match="belongs to the probe"):
            agent._jobs.push("wide", "plain", 0, job_id="mine")
        assert agent._jobs.get("wide", "mine") is None
        assert agent._jobs.cancel("wide", "mine") is False
        assert agent._jobs.reschedule("wide", "mine", 5) is False
        assert agent._jobs.reschedule("probe", "mine", 5) is True
        for time in (-1, 1.5, True, 10**16):
            with pytest.raises(UsageError, match="is no time"):
                agent._jobs.push("probe", "plain", time)
        return agent._jobs.list("probe")[0].time_ms, agent._jobs.count("probe")

    assert await runtime.run_in_agent(holder, story) == (5, 1)


async def test_jobs_are_found_by_the_beginning_of_their_ids_without_reading_the_others(runtime, holder):
    def story(agent):
        jobs = agent._jobs
        for number in range(3_000):
            jobs.push("probe", "plain", 10**12, job_id=f"other:{number}")
        for time, job_id in enumerate(("sub:a/b", "sub:a/", "sub:a", "sub:a0", "sub:ab", "sub:a/é")):
            jobs.push("probe", "plain", 10**12 - time, job_id=job_id)
        jobs.push("wide", "plain", 10**12, job_id="sub:a/wide")
        began = time_s()
        everything = jobs.list("probe", fn="plain")
        between = time_s()
        found = [job.id for job in jobs.list("probe", fn="plain", prefix="sub:a/")]
        took = time_s() - between
        return len(everything), found, took < (between - began) / 5

    assert await runtime.run_in_agent(holder, story) == (3_006, ["sub:a/é", "sub:a/", "sub:a/b"], True)


async def test_some_run_beside_each_other_within_their_bound(runtime, holder):
    begun_ms = runtime.now_ms
    for number in range(5):
        await holder.push("slow", capability="wide", payload=number)
    await runtime.advance(minutes=1)
    assert [at - begun_ms for at in await holder.times()] == [0, 0, 5000, 5000, 10_000]


async def test_what_falls_due_does_not_wait_for_what_runs_beside_it(runtime, holder):
    begun_ms = runtime.now_ms
    await holder.push("slow", capability="wide", payload="slow")
    await holder.push("plain", 2_000, payload="due meanwhile")
    await runtime.advance(seconds=1)
    await holder.push("plain", 500, payload="stored meanwhile")
    await runtime.advance(minutes=1)
    notes = [payload for _, payload in await holder.notes()]
    assert sorted(notes) == ["due meanwhile", "slow", "stored meanwhile"]
    assert [at - begun_ms for at in await holder.times()] == [0, 1_500, 2_000]


async def test_an_exclusive_job_goes_first(runtime, holder):
    await holder.push("plain", 0, payload="ordinary")
    await holder.push("plain", 2000, payload="exclusive", exclusive=True)
    await runtime.advance(seconds=1)
    assert await holder.notes() == []
    await runtime.advance(seconds=1)
    assert [payload for _, payload in await holder.notes()] == ["exclusive", "ordinary"]


async def test_jobs_that_nobody_runs_are_kept_and_cost_nothing(runtime, holder, caplog):
    await holder.push("plain", capability="stranger")
    await holder.push("unknown", capability="side")
    await holder.push("known", capability="side")
    await runtime.advance(hours=1)
    assert [fn for fn, _ in await holder.notes()] == ["known"]
    assert [row["capability"] for row in await holder.rows()] == ["stranger", "side"]
    assert "nothing in this class runs such jobs" in caplog.text


async def test_many_jobs_that_nobody_runs_do_not_hide_the_others(runtime, holder, caplog):
    def push_many(agent):
        for _ in range(250):
            agent.push("unknown", capability="side")
        agent.push("known", capability="side")
        agent.push("known", 5000, capability="side")

    await runtime.run_in_agent(holder, push_many)
    await runtime.advance()
    assert [fn for fn, _ in await holder.notes()] == ["known"]
    await runtime.advance(seconds=5)
    assert [fn for fn, _ in await holder.notes()] == ["known", "known"]
    assert len(await holder.rows()) == 250


async def test_a_table_that_javascript_made_is_used_as_it_is(runtime, holder):
    now_ms = runtime.now_ms
    second = ["b", "probe", "plain", now_ms + 1000, '"second"']
    first = ["a", "probe", "plain", now_ms + 500, '"first"']
    await holder.javascript_made(second, first)
    await runtime.evict_all()
    await holder.push("plain", 1000, payload="third")
    await runtime.advance(seconds=1)
    assert [payload for _, payload in await holder.notes()] == ["first", "second", "third"]


async def test_the_table_is_one_that_javascript_can_write(runtime, holder):
    await holder.push("plain", 5000, payload="ours")

    def as_javascript_does(agent):
        agent.sql(
            "INSERT INTO cf_agents_jobs (id, capability, fn, time, payload, retry_options, singleflight, "
            "hung_timeout_seconds, exclusive, recovery_loop, running, execution_started_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL) ON CONFLICT(id) DO UPDATE SET fn = excluded.fn",
            *("js", "probe", "plain", runtime.now_ms + 1000, '"theirs"', None, 0, None, 0, 0),
        )

    await runtime.run_in_agent(holder, as_javascript_does)
    await runtime.restart()
    await holder.notes()
    await runtime.advance(seconds=5)
    assert [payload for _, payload in await holder.notes()] == ["theirs", "ours"]


async def test_the_alarm_is_armed_for_the_earliest_and_cleared_after_the_last(runtime, holder):
    now_ms = runtime.now_ms
    assert await holder.armed() is None
    await holder.push("plain", 5000, job_id="late")
    await holder.push("plain", 2000, job_id="early")
    assert await holder.armed() == now_ms + 2000
    await runtime.run_in_agent(holder, lambda agent: agent._jobs.cancel("probe", "early"))
    assert await holder.armed() == now_ms + 5000
    await runtime.run_in_agent(holder, lambda agent: agent._jobs.reschedule("probe", "late", now_ms + 9000))
    assert await holder.armed() == now_ms + 9000
    await runtime.advance(seconds=9)
    assert await holder.armed() is None


async def test_a_backlog_is_told(runtime, holder):
    events = []
    stop = subscribe("lifecycle", lambda event: events.append((event.type, dict(event.payload))))
    for _ in range(12):
        await holder.push("plain", 1000)
    await runtime.advance(seconds=1)
    stop()
    assert ("job:backlog_warning", {"capability": "probe", "count": 12}) in events
