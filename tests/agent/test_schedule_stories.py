"""Schedules on a virtual clock: exact to the millisecond, never early, in order, kept through everything."""

from __future__ import annotations

import itertools
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest

from agents_runtime import Agent, UsageError, callable, subscribe
from agents_runtime.errors import DefinitionError, InvalidCron, NotJson, TooManyPending, UnknownCallback

START = datetime(2026, 1, 1, tzinfo=UTC)


class Diary(Agent):
    """Writes down what was called, and when."""

    initial_state = []

    def remind(self, payload, schedule):
        self.set_state([*self.state, [self._platform.clock.now_ms() - START.timestamp() * 1000, payload]])

    async def remind_slowly(self, payload, schedule):
        await self._platform.clock.sleep(0.7)
        self.remind(payload, schedule)

    def fail(self, payload):
        raise ValueError("x")

    @callable
    async def plan(self, *args, **options):
        schedule = await self.schedule(*args, **options)
        return dict(schedule)

    def on_task(self, payload, schedule):
        self.remind(payload, schedule)

    def on_error(self, error):
        self.sql("CREATE TABLE IF NOT EXISTS errors (text TEXT)")
        self.sql("INSERT INTO errors VALUES (?)", str(error))


@pytest.fixture
def diary(runtime):
    return runtime.get(Diary, "a")


async def entries(diary):
    return [tuple(entry) for entry in await diary.state]


async def test_a_delay_is_exact_and_never_early(runtime, diary):
    await diary.schedule(1.5, "remind", "tea")
    await runtime.advance(milliseconds=1499)
    assert await entries(diary) == []
    await runtime.advance(milliseconds=1)
    assert await entries(diary) == [(1500, "tea")]
    await runtime.advance(days=1)
    assert len(await entries(diary)) == 1
    assert await diary.list_schedules() == []


@pytest.mark.parametrize(
    ("when", "expected_ms"),
    [
        (timedelta(seconds=2, microseconds=1), 2001),
        (2, 2000),
        ("2 seconds", 2000),
        ("1.5s", 1500),
        ("1 minute 30 seconds", 90_000),
        ("2026-01-01T00:00:05Z", 5000),
        ("2026-01-01T00:00:05.250", 5250),
        ("2026-01-01T02:00:05+02:00", 5000),
        (datetime(2026, 1, 1, 0, 0, 7), 7000),
        (datetime(2026, 1, 1, 0, 0, 7, 1), 7001),
        (datetime(2026, 1, 1, 1, 0, 7, tzinfo=timezone(timedelta(hours=1))), 7000),
        ("* * * * *", 60_000),
        ("*/10 * * * * *", 10_000),
        (-5, 0),
        (datetime(2020, 1, 1), 0),
    ],
    ids=str,
)
async def test_every_way_to_say_when(runtime, diary, when, expected_ms):
    await runtime.run_in_agent(diary, lambda agent: agent.schedule(when, "remind"))
    await runtime.advance(milliseconds=max(expected_ms - 1, 0))
    assert await entries(diary) == ([(0, None)] if expected_ms == 0 else [])
    await runtime.advance(milliseconds=1)
    assert (await entries(diary))[0] == (expected_ms, None)


async def test_a_year_of_a_cron_schedule(runtime, diary):
    await diary.schedule("0 9 * * 1-5", "remind")
    await runtime.advance_to(datetime(2027, 1, 1))
    days = [datetime.fromtimestamp(START.timestamp() + ms / 1000, UTC) for ms, _ in await entries(diary)]
    assert len(days) == 261
    assert all(day.hour == 9 and day.minute == 0 and day.second == 0 and day.weekday() < 5 for day in days)


async def test_the_same_moment_runs_in_the_order_of_scheduling(runtime, diary):
    for number in range(12):
        await diary.schedule(5, "remind", number)
    await runtime.advance(seconds=5)
    assert [payload for _, payload in await entries(diary)] == list(range(12))


async def test_an_earlier_time_runs_first_whatever_was_scheduled_first(runtime, diary):
    await diary.schedule(3, "remind", "late")
    await diary.schedule(1, "remind", "early")
    await runtime.advance(seconds=3)
    assert await entries(diary) == [(1000, "early"), (3000, "late")]


async def test_overdue_schedules_run_once_after_a_restart(runtime, diary):
    await diary.schedule(10, "remind", "a")
    await diary.schedule("* * * * *", "remind", "b")
    await runtime.restart(crash=True)
    await runtime.advance(seconds=10)
    assert await entries(diary) == [(10_000, "a")]


async def test_an_interval_without_align_counts_from_the_end_of_each_run(runtime, diary):
    await diary.schedule_every(1, "remind_slowly")
    await runtime.advance(seconds=6)
    assert [ms for ms, _ in await entries(diary)] == [1700, 3400, 5100]


async def test_an_aligned_interval_does_not_drift(runtime, diary):
    await diary.schedule_every(1, "remind_slowly", None, align=True)
    await runtime.advance(seconds=5)
    assert [ms for ms, _ in await entries(diary)] == [1700, 2700, 3700, 4700]


async def test_an_aligned_interval_leaves_out_what_it_missed(runtime, diary):
    await diary.schedule_every(0.5, "remind_slowly", None, align=True)
    await runtime.advance(seconds=3.3)
    assert [ms for ms, _ in await entries(diary)] == [1200, 2200, 3200]


@pytest.mark.parametrize("interval", ["5 minutes", 300, timedelta(minutes=5)])
async def test_payload_first_calls_the_task_hook(runtime, diary, interval):
    await runtime.run_in_agent(diary, lambda agent: agent.schedule_every({"type": "refresh"}, interval))
    await diary.schedule({"type": "digest"}, "2026-01-01T00:01:00Z")
    await runtime.advance(minutes=5)
    assert await entries(diary) == [(60_000, {"type": "digest"}), (300_000, {"type": "refresh"})]


async def test_payload_first_needs_the_hook(runtime):
    class Bare(Agent):
        pass

    with pytest.raises(Exception, match="on_task"):
        await runtime.get(Bare, "a").schedule({"type": "digest"}, 5)


async def test_methods_may_be_given_and_may_take_less(runtime):
    class Short(Diary):
        def on_start(self):
            self.heard = []

        def nothing(self):
            self.remind("nothing", None)

        def one(self, payload):
            self.remind(payload, None)

        async def plan_both(self):
            await self.schedule(1, self.nothing)
            await self.schedule(2, self.one, "one")
            await self.schedule(3, Short.one, "unbound")

    short = runtime.get(Short, "a")
    await short.plan_both()
    await runtime.advance(seconds=3)
    assert await entries(short) == [(1000, "nothing"), (2000, "one"), (3000, "unbound")]


async def test_the_schedule_says_what_it_is(runtime, diary):
    delayed = await runtime.run_in_agent(diary, lambda agent: agent.schedule(60, "remind", {"a": (1, 2.0)}))
    assert (delayed.type, delayed.delay_in_seconds, delayed.time, delayed.callback) == (
        "delayed",
        60,
        START.timestamp() + 60,
        "remind",
    )
    assert delayed.payload == {"a": [1, 2]}
    assert len(delayed.id) == 16
    assert delayed["delayInSeconds"] == 60
    assert delayed == await runtime.run_in_agent(diary, lambda agent: agent.get_schedule_by_id(delayed.id))
    row = await runtime.run_in_agent(diary, lambda agent: agent.sql("SELECT * FROM cf_agents_jobs")[0])
    assert row["payload"] == (
        '{"payload":{"a":[1,2]},"type":"delayed","delayInSeconds":60,"owner_path":null,"owner_path_key":null}'
    )
    assert row["retry_options"] == '{"maxAttempts":3,"baseDelayMs":100,"maxDelayMs":3000}'
    assert (row["capability"], row["fn"], row["hung_timeout_seconds"], row["running"]) == ("scheduler", "remind", 30, 0)


async def test_listing_and_cancelling(runtime, diary):
    async def story(agent):
        one = await agent.schedule(60, "remind", 1)
        every = await agent.schedule_every(30, "remind", 2)
        cron = await agent.schedule("0 9 * * *", "remind", 3)
        at = await agent.schedule(datetime(2026, 1, 2), "remind", 4)
        assert [each.payload for each in await agent.list_schedules()] == [2, 1, 3, 4]
        assert [each.id for each in await agent.get_schedules(type="cron")] == [cron.id]
        assert [each.id for each in await agent.list_schedules(id=one.id)] == [one.id]
        until = {"start": START + timedelta(seconds=40), "end": START + timedelta(hours=9)}
        assert [each.payload for each in await agent.list_schedules(time_range=until)] == [1, 3]
        assert await agent.cancel_schedule(every.id) is True
        assert await agent.cancel_schedule(every.id) is False
        assert await agent.cancel_schedule("unknown") is False
        assert await agent.get_schedule_by_id("unknown") is None
        assert await agent.get_schedule(at.id) == at
        return one

    one = await runtime.run_in_agent(diary, story)
    await runtime.advance(seconds=59)
    assert await diary.cancel_schedule(one.id)
    await runtime.advance(hours=1)
    assert await entries(diary) == []


async def test_cancelled_and_moved_while_it_runs(runtime):
    class Restless(Diary):
        async def stop(self, payload, schedule):
            await self.cancel_schedule(schedule.id)
            self.remind("stopped", schedule)

        async def move(self, payload, schedule):
            self.remind("moved", schedule)
            if len(self.state) < 3:
                await self.schedule(10, "move", key=schedule.id)

    restless = runtime.get(Restless, "a")
    await restless.schedule_every(1, "stop")
    await restless.schedule(5, "move", None, key="mine")
    await runtime.advance(minutes=1)
    assert await entries(restless) == [(1000, "stopped"), (5000, "moved"), (15_000, "moved")]
    assert await restless.list_schedules() == []


async def test_idempotent_schedules(runtime, diary):
    async def story(agent):
        ids = {(await agent.schedule("0 9 * * *", "remind", {"a": 1})).id for _ in range(3)}
        ids |= {(await agent.schedule_every(60, "remind")).id for _ in range(3)}
        assert len(ids) == 2
        other = await agent.schedule("0 9 * * *", "remind", {"a": 2})
        again = await agent.schedule("0 9 * * *", "remind", {"a": 1}, idempotent=False)
        zone = await agent.schedule("0 9 * * *", "remind", {"a": 1}, tz="Europe/Paris")
        assert len({*ids, other.id, again.id, zone.id}) == 5
        first = await agent.schedule(60, "remind", idempotent=True)
        assert await agent.schedule(600, "remind", idempotent=True) == first
        assert (await agent.schedule(60, "remind")).id != first.id
        await agent.cancel_schedule(first.id)
        assert (await agent.schedule(60, "remind", idempotent=True)).id != first.id

    await runtime.run_in_agent(diary, story)


async def test_a_key_names_a_schedule(runtime, diary):
    async def story(agent):
        first = await agent.schedule(60, "remind", "a", key="tea")
        assert first.id == "tea"
        second = await agent.schedule(5, "remind", "b", key="tea")
        assert (await agent.list_schedules()) == [second]
        assert await agent.schedule(9, "remind", "c", key="tea", idempotent=True) == second
        cron = await agent.schedule("0 9 * * *", "remind", key="daily")
        assert await agent.schedule("0 9 * * *", "remind", key="daily") == cron
        moved = await agent.schedule("0 10 * * *", "remind", key="daily")
        assert moved.id == cron.id
        assert moved.time == cron.time + 3600
        with pytest.raises(UsageError, match="blank"):
            await agent.schedule(60, "remind", key=" ")

    await runtime.run_in_agent(diary, story)
    await runtime.advance(seconds=60)
    assert await entries(diary) == [(5000, "b")]


async def test_schedules_made_at_every_start_are_kept_single(runtime, caplog):
    class Starter(Diary):
        async def on_start(self):
            await self.schedule("*/5 * * * *", "remind", "cron")
            await self.schedule_every("10 minutes", "remind", "every")
            await self.schedule("1 hour", "remind", "once", key="once", idempotent=True)

    starter = runtime.get(Starter, "a")
    for _ in range(4):
        await runtime.evict(starter)
        assert len(await starter.list_schedules()) == 3
    assert "on_start" not in caplog.text


async def test_a_one_shot_at_every_start_is_warned_about_once(runtime, caplog):
    class Forgetful(Diary):
        async def on_start(self):
            await self.schedule(60, "remind")
            await self.schedule(61, "remind")

    with caplog.at_level(logging.WARNING):
        await runtime.get(Forgetful, "a").list_schedules()
    assert caplog.text.count("scheduled in on_start") == 1


async def test_failures_are_retried_then_told_then_over(runtime, diary):
    events = []
    stop = subscribe("schedule", lambda event: events.append((event.type, event.payload)))
    schedule = await diary.schedule(1, "fail", None, retry={"max_attempts": 2})
    await runtime.advance(seconds=10)
    stop()
    common = {"callback": "fail", "id": schedule["id"]}
    assert events == [
        ("schedule:create", common),
        ("schedule:execute", common),
        ("schedule:retry", {**common, "attempt": 2, "maxAttempts": 2}),
        ("schedule:error", {**common, "error": "x", "attempts": 2}),
    ]
    assert await runtime.run_in_agent(diary, lambda agent: agent.sql("SELECT * FROM errors")) == [{"text": "x"}]
    assert await diary.list_schedules() == []


async def test_a_repeated_failure_does_not_stop_a_cron(runtime, diary):
    await diary.schedule("* * * * *", "fail", None, retry={"max_attempts": 1})
    await runtime.advance(minutes=5)
    assert len(await runtime.run_in_agent(diary, lambda agent: agent.sql("SELECT * FROM errors"))) == 5


async def test_a_method_that_is_gone_is_left_out(runtime, diary, caplog):
    await diary.schedule(1, "remind", "x")
    await diary.schedule("* * * * *", "remind", "x")
    await runtime.run_in_agent(diary, lambda agent: agent.sql("UPDATE cf_agents_jobs SET fn = 'gone'"))
    await runtime.advance(minutes=1)
    assert "no method 'gone'" in caplog.text
    assert [schedule["type"] for schedule in await diary.list_schedules()] == ["cron"]


async def test_javascripts_spelling_of_a_method_is_found(runtime, diary):
    await diary.schedule(1, "remind_slowly", "x")
    await runtime.run_in_agent(diary, lambda agent: agent.sql("UPDATE cf_agents_jobs SET fn = 'remindSlowly'"))
    await runtime.advance(seconds=2)
    assert await entries(diary) == [(1700, "x")]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda agent: agent.schedule(60, "remnid"), UnknownCallback, "did you mean 'remind'"),
        (lambda agent: agent.schedule(60, lambda: None), UnknownCallback, "must be a method of the agent"),
        (lambda agent: agent.schedule(60, "initial_state"), UnknownCallback, "has no method"),
        (lambda agent: agent.schedule("0 0 31 2 *", "remind"), InvalidCron, "no date that exists"),
        (lambda agent: agent.schedule("60 * * * *", "remind"), InvalidCron, "character 1: minute '60'"),
        (lambda agent: agent.schedule("0 9 * * 5-1", "remind"), InvalidCron, r"did you mean '0 9 \* \* 5,6,0,1'"),
        (lambda agent: agent.schedule("0 9 * * MONDAY", "remind"), InvalidCron, "Mon 2026-01-05 09:00:00 UTC"),
        (lambda agent: agent.schedule("0 9 * * 5#3", "remind"), InvalidCron, "not understood"),
        (lambda agent: agent.schedule("* * * *", "remind"), InvalidCron, "4 fields"),
        (lambda agent: agent.schedule("soon", "remind"), UsageError, "is no time"),
        (lambda agent: agent.schedule("2026-02-30", "remind"), UsageError, "is no date"),
        (lambda agent: agent.schedule(True, "remind"), UsageError, "is no time"),
        (lambda agent: agent.schedule(float("nan"), "remind"), UsageError, "delay"),
        (lambda agent: agent.schedule(1e15, "remind"), UsageError, "hundred years"),
        (lambda agent: agent.schedule("0 9 * * *", "remind", tz="Europe/Pari"), UsageError, "Europe/Paris"),
        (lambda agent: agent.schedule(60, "remind", tz="UTC"), UsageError, "every time zone"),
        (lambda agent: agent.schedule(60, "remind", {"a": {1}}), NotJson, "payload.a"),
        (lambda agent: agent.schedule(60, "remind", "x" * 1_100_000), UsageError, "1,100,002 bytes"),
        (lambda agent: agent.schedule(60, "remind", retry={"base_delay_ms": 5000}), UsageError, "^retry.base_delay_ms"),
        (lambda agent: agent.schedule(60, "remind", retry={"max_attempts": 0}), UsageError, "^retry.max_attempts"),
        (lambda agent: agent.schedule_every(0, "remind"), UsageError, "at least 10 milliseconds"),
        (lambda agent: agent.schedule_every(-1, "remind"), UsageError, "negative"),
        (lambda agent: agent.schedule_every("31 days", "remind"), UsageError, "at most 30 days"),
        (lambda agent: agent.schedule_every(60, "remind", jitter=60), UsageError, "jitter"),
    ],
)
async def test_mistakes_are_told_at_once_and_store_nothing(runtime, diary, make, error, text):
    async def story(agent):
        with pytest.raises(error, match=text):
            await make(agent)
        return await agent.list_schedules()

    assert await runtime.run_in_agent(diary, story) == []


async def test_a_limit_bounds_what_waits(runtime):
    class Small(Diary):
        options = {"max_pending": 3}

    async def story(agent):
        for _ in range(3):
            await agent.schedule(60, "remind")
        with pytest.raises(TooManyPending, match="3 schedules"):
            await agent.schedule(60, "remind")
        await agent.cancel_schedule((await agent.list_schedules())[0].id)
        await agent.schedule(60, "remind")

    await runtime.run_in_agent(runtime.get(Small, "a"), story)


async def test_jitter_puts_runs_off_within_its_bound(runtime, diary):
    await diary.schedule("* * * * *", "remind", None, jitter=20)
    await runtime.advance(hours=1)
    late = [ms % 60_000 for ms, _ in await entries(diary)]
    assert 59 <= len(late) <= 60
    assert all(0 <= ms <= 20_000 for ms in late)
    assert len(set(late)) > 30


async def test_cron_in_a_time_zone_over_both_changes_of_the_clocks(runtime, diary):
    await diary.schedule("30 2 * * *", "remind", None, tz="Europe/Paris")
    await runtime.advance_to(datetime(2026, 3, 28))
    before = len(await entries(diary))
    await runtime.advance_to(datetime(2026, 3, 31))
    times = [START + timedelta(milliseconds=ms) for ms, _ in (await entries(diary))[before:]]
    assert [f"{time:%d %H:%M}" for time in times] == ["28 01:30", "29 01:00", "30 00:30"]
    await runtime.advance_to(datetime(2026, 10, 24))
    before = len(await entries(diary))
    await runtime.advance_to(datetime(2026, 10, 27))
    times = [START + timedelta(milliseconds=ms) for ms, _ in (await entries(diary))[before:]]
    assert [f"{time:%d %H:%M}" for time in times] == ["24 00:30", "25 00:30", "26 01:30"]


async def test_destroy_inside_a_callback_ends_everything(runtime):
    class Mortal(Diary):
        async def end(self):
            await self.destroy()

    mortal = runtime.get(Mortal, "a")
    await mortal.schedule(1, "end")
    await mortal.schedule(1, "remind")
    await runtime.advance(minutes=1)
    assert await mortal.state == []
    assert await mortal.list_schedules() == []


async def test_a_method_that_never_returns_does_not_hold_up_the_others(runtime_factory, caplog):
    class Stuck(Diary):
        options = {"hung_schedule_timeout_seconds": 5}

        async def hang(self):
            await self._platform.clock.sleep(1e6)

    runtime = runtime_factory()
    runtime.expect_errors()
    stuck = runtime.get(Stuck, "a")
    events = []
    stop = subscribe("lifecycle", lambda event: events.append((event.type, dict(event.payload))))
    hanging = await stuck.schedule(1, "hang")
    await stuck.schedule(2, "remind", "other")
    await stuck.schedule_every(3, "hang", None, key="again")
    await runtime.advance(seconds=20)
    stop()
    assert await entries(stuck) == [(6000, "other")]
    slow = {"capability": "scheduler", "fn": "hang", "thresholdMs": 5000}
    assert ("job:slow_dispatch", {**slow, "id": hanging["id"]}) in events
    assert sum(kind == "job:slow_dispatch" for kind, _ in events) == 3
    assert len(await stuck.list_schedules()) == 2, "nothing is lost: it is tried again after a restart"


async def test_no_table_is_made_for_nothing(runtime, diary):
    assert await diary.list_schedules() == []
    assert await diary.cancel_schedule("x") is False
    tables = await runtime.run_in_agent(diary, lambda agent: agent.sql("SELECT name FROM sqlite_master"))
    assert "cf_agents_jobs" not in {table["name"] for table in tables}


@pytest.mark.parametrize("name", ["schedule", "cancel_schedule", "queue", "dequeue", "retry", "keep_alive"])
def test_a_verb_cannot_be_replaced(name):
    with pytest.raises(DefinitionError, match=f"Careless.{name} would replace a part of Agent"):
        type("Careless", (Agent,), {name: lambda self: None})


async def test_what_a_transaction_undid_can_be_scheduled_again(runtime_factory):
    class Clerk(Agent):
        initial_state = {"rung": 0}

        async def ring_twice_or_never(self):
            with suppress(Exception):
                await self.ctx.storage.transaction(self._schedule_and_fail)
            await self.schedule(60, "ring")

        async def _schedule_and_fail(self, transaction):
            await self.schedule(60, "ring")
            raise KeyError("undone")

        def ring(self, payload, schedule):
            self.set_state({"rung": self.state["rung"] + 1})

    runtime = runtime_factory(evict_before_every_event=False)
    clerk = runtime.get(Clerk, "a")
    await clerk.ring_twice_or_never()
    await runtime.advance(seconds=61)
    assert await clerk.state == {"rung": 1}


async def test_work_whose_alarm_kills_the_agent_again_and_again_is_kept(runtime):
    deaths = []

    class Deadly(Agent):
        async def plan(self):
            await self.schedule(1, self.dangerous)
            await self.queue(self.harmless)

        async def harmless(self, payload):
            """It waits behind nothing."""

        async def dangerous(self, payload, schedule):
            if len(deaths) < 20:
                deaths.append(runtime.now_ms)
                runtime.crash(deadly)
            self.sql("CREATE TABLE survived (at INTEGER)")

        def has_survived(self):
            return bool(self.sql("SELECT 1 FROM sqlite_master WHERE name = 'survived'"))

    runtime.expect_errors()
    deadly = runtime.get(Deadly, "a")
    await deadly.plan()
    await runtime.advance(hours=1)  # without an event but the alarm
    assert len(deaths) == 20
    gaps_s = [(later - earlier) / 1000 for earlier, later in itertools.pairwise(deaths)]
    assert min(gaps_s) >= 2
    assert sum(gap >= 300 for gap in gaps_s) >= 3, "it does not go on and on at once"
    assert await runtime.run_in_agent(deadly, lambda agent: agent.has_survived())
    assert await deadly.list_schedules() == []
