"""`self.retry`, the defaults of a class, and staying in memory while there is work."""

from __future__ import annotations

import asyncio

import pytest

from agents_runtime import Agent, UsageError
from agents_runtime.errors import DefinitionError


class Trier(Agent):
    options = {"retry": {"max_attempts": 4, "base_delay_ms": 1000}}

    async def attempt(self, fails: int, **options):
        """Fail so many times, then say which attempt succeeded and how long it took."""
        began_ms = self._platform.clock.now_ms()
        made = []

        def work(attempt):
            made.append(attempt)
            if attempt <= fails:
                raise ValueError(f"attempt {attempt}")
            return attempt

        await self.retry(work, **options)
        return made, self._platform.clock.now_ms() - began_ms


async def advance_during(runtime, call, seconds=60):
    task = asyncio.ensure_future(call)
    await runtime.advance(seconds=seconds)
    return await task


async def test_it_waits_a_random_time_within_growing_bounds(runtime):
    trier = runtime.get(Trier, "a")
    made, took_ms = await advance_during(runtime, trier.attempt(3))
    assert made == [1, 2, 3, 4]
    assert 0 < took_ms <= 2000 + 3000 + 3000


async def test_the_last_error_is_raised_unchanged(runtime):
    async def story(agent):
        with pytest.raises(ValueError, match="attempt 2"):
            await agent.attempt(9, max_attempts=2, base_delay_ms=1, max_delay_ms=1)
        with pytest.raises(ValueError, match="attempt 1"):
            await agent.attempt(9, should_retry=lambda error, next_attempt: next_attempt > 2)

    await advance_during(runtime, runtime.run_in_agent(runtime.get(Trier, "a"), story))


async def test_should_retry_may_be_async_and_work_may_take_nothing(runtime):
    async def story(agent):
        calls = []

        async def work():
            calls.append(1)
            if len(calls) < 2:
                raise ValueError

        async def should_retry(error, next_attempt):
            return isinstance(error, ValueError)

        await agent.retry(work, should_retry=should_retry)
        return len(calls)

    assert await advance_during(runtime, runtime.run_in_agent(runtime.get(Trier, "a"), story)) == 2


async def test_a_success_needs_no_time(runtime):
    assert await runtime.get(Trier, "a").attempt(0) == [[1], 0]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"max_attempts": 0}, "^retry.max_attempts must be a whole number of at least 1, not 0"),
        ({"max_attempts": 1.5}, "^retry.max_attempts"),
        ({"max_attempts": float("inf")}, "^retry.max_attempts"),
        ({"base_delay_ms": 0}, "^retry.base_delay_ms must be a number of milliseconds above 0"),
        ({"base_delay_ms": 5000}, r"^retry.base_delay_ms \(5000\) must not be more than retry.max_delay_ms \(3000\)"),
        ({"max_delay_ms": float("nan")}, "^retry.max_delay_ms"),
    ],
)
async def test_values_out_of_range_are_refused_before_anything_is_tried(runtime, options, text):
    async def story(agent):
        with pytest.raises(UsageError, match=text):
            await agent.retry(lambda: pytest.fail("it was tried"), **options)

    await runtime.run_in_agent(runtime.get(Trier, "a"), story)


@pytest.mark.parametrize("retry", [{"max_attempts": -1}, {"attempts": 3}, 5, {"base_delay_ms": 9000}])
def test_wrong_defaults_are_told_when_the_class_is_defined(retry):
    with pytest.raises(DefinitionError, match=r"Wrong.options\['retry'\]: retry"):
        type("Wrong", (Agent,), {"options": {"retry": retry}})


async def test_the_defaults_of_the_class_are_those_of_its_schedules_and_items(runtime):
    class Careful(Trier):
        def work(self):
            pass

    careful = runtime.get(Careful, "a")
    schedule = await careful.schedule(60, "work")
    assert schedule.get("retry") is None
    assert (await careful.get_queue(await careful.queue("work")))["retry"]["max_attempts"] == 4


class Holder(Agent):
    options = {"keep_alive_interval_ms": 5000}

    async def hold_for(self, seconds):
        async with self.keep_alive():
            self.memory = "kept"
            await self._platform.clock.sleep(seconds)

    def start_holding(self):
        self._platform.spawn(self.hold_for(12))

    async def take_twice(self):
        first, second = await self.keep_alive(), await self.keep_alive()
        first()
        first()
        self.let_go = second
        return self._keep_alive.holders

    def remembers(self):
        return getattr(self, "memory", None)


async def jobs(runtime, handle):
    return await runtime.run_in_agent(
        handle, lambda agent: [row["id"] for row in agent.sql("SELECT id FROM cf_agents_jobs")]
    )


async def test_it_stays_in_memory_while_it_is_held(runtime):
    holder = runtime.get(Holder, "a")
    await holder.start_holding()
    await runtime.advance(seconds=11)
    assert await holder.remembers() == "kept"
    assert await jobs(runtime, holder) == ["cf:keep-alive"]
    await runtime.advance(seconds=2)
    assert await holder.remembers() is None
    assert await jobs(runtime, holder) == []


async def test_letting_go_twice_counts_once(runtime):
    holder = runtime.get(Holder, "a")
    assert await holder.take_twice() == 1
    assert await jobs(runtime, holder) == ["cf:keep-alive"]
    await runtime.run_in_agent(holder, lambda agent: agent.let_go())
    assert await jobs(runtime, holder) == []


async def test_after_a_crash_the_alarm_wakes_it_once(runtime):
    starts = []

    class Phoenix(Holder):
        def on_start(self):
            starts.append(runtime.now_ms)

    phoenix = runtime.get(Phoenix, "a")
    began_ms = runtime.now_ms
    await phoenix.start_holding()
    await runtime.settle()
    await runtime.restart(crash=True)
    await runtime.advance(minutes=5)
    assert [start - began_ms for start in starts] == [0, 5000]
    assert await jobs(runtime, phoenix) == []


async def test_holding_while_something_is_done(runtime):
    async def story(agent):
        async def work():
            return agent._keep_alive.holders

        async def fail():
            raise ValueError("work")

        held = [await agent.keep_alive_while(work), await agent.keep_alive_while(lambda: agent._keep_alive.holders)]
        with pytest.raises(ValueError, match="work"):
            await agent.keep_alive_while(fail())
        return held, agent._keep_alive.holders

    assert await runtime.run_in_agent(runtime.get(Holder, "a"), story) == ([1, 1], 0)


async def test_the_next_real_schedule_is_armed_after_letting_go(runtime):
    class Both(Holder):
        initial_state = []

        def note(self):
            self.set_state([*self.state, self._platform.clock.now_ms()])

    both = runtime.get(Both, "a")
    began_ms = runtime.now_ms
    await both.schedule(20, "note")
    await both.start_holding()
    await runtime.advance(seconds=30)
    assert await both.state == [began_ms + 20_000]
