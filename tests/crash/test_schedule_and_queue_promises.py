"""Schedules and queue items: what was acknowledged runs at least once, never early, whatever dies in between.

Each story is killed at every write, before and after every commit, and has every commit and every write refused.
"""

from __future__ import annotations

from itertools import groupby

import pytest

from agents_runtime import Agent


class Clerk(Agent):
    """Books every call of its methods in a table, with the virtual time."""

    async def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS calls (what TEXT NOT NULL, at INTEGER NOT NULL)")

    def book(self, payload, _):
        self.sql("INSERT INTO calls VALUES (?, ?)", payload, self._platform.clock.now_ms())

    async def book_slowly(self, payload, _):
        """Books in two turns, with a commit between them."""
        self.book(f"{payload} begun", _)
        await self._platform.clock.sleep(0.5)
        self.book(payload, _)

    def fail(self, payload, _):
        self.book(f"{payload} tried", _)
        raise ValueError("always")

    def on_error(self, error):
        """What fails on purpose needs no log."""

    def calls(self):
        return [(row["what"], row["at"]) for row in self.sql("SELECT what, at FROM calls ORDER BY rowid")]


@pytest.fixture(params=[True, False], ids=["evicting", "staying"])
def runtime(request, runtime_factory):
    return runtime_factory(evict_before_every_event=request.param)


async def calls(world):
    return await world.get(Clerk, "a").calls()


async def whats(world):
    return [what for what, _ in await calls(world)]


async def test_a_schedule_that_was_acknowledged_runs_and_never_early(runtime):
    async def story(world):
        clerk = world.get(Clerk, "a")
        begun_ms = world.now_ms
        for number in range(2):
            await clerk.schedule(number + 1, "book", f"s{number}")
            yield f"s{number}", begun_ms + (number + 1) * 1000
        await world.advance(seconds=3)

    async def it_ran_once_or_again_after_a_crash(world, acknowledged):
        await world.advance(seconds=10)
        found = await calls(world)
        for what, due_ms in acknowledged:
            times = [at for each, at in found if each == what]
            assert times, f"{what} was acknowledged and never ran"
            assert min(times) >= due_ms, f"{what} ran early"
            assert len(times) == 1, "the method writes in one turn, so it is undone or done as a whole"
        assert await world.get(Clerk, "a").list_schedules() == []

    report = await runtime.crash_sweep(story, it_ran_once_or_again_after_a_crash)
    assert report.commits >= 4


async def test_a_method_of_several_turns_is_begun_again(runtime):
    async def story(world):
        await world.get(Clerk, "a").schedule(1, "book_slowly", "s")
        yield "s"
        await world.advance(seconds=3)

    async def it_was_finished(world, acknowledged):
        await world.advance(seconds=30)
        found = await whats(world)
        if acknowledged:
            assert found.count("s") == 1
            assert 1 <= found.count("s begun") <= 2

    await runtime.crash_sweep(story, it_was_finished)


async def test_a_recurring_schedule_goes_on(runtime):
    async def story(world):
        clerk = world.get(Clerk, "a")
        await clerk.schedule("* * * * *", "book", "cron")
        await clerk.schedule_every(60, "book", "every", align=True)
        yield "both"
        await world.advance(minutes=2)

    async def both_go_on(world, acknowledged):
        await world.advance(minutes=1)
        before = await whats(world)
        await world.advance(minutes=3)
        after = await whats(world)
        for what in ("cron", "every") if acknowledged else ():
            assert after.count(what) == before.count(what) + 3
        assert len(await world.get(Clerk, "a").list_schedules()) <= 2

    await runtime.crash_sweep(story, both_go_on, refuse_writes=True)


async def test_a_cancelled_schedule_does_not_run(runtime):
    async def story(world):
        clerk = world.get(Clerk, "a")
        await clerk.schedule(5, "book", "kept", key="kept")
        await clerk.schedule(5, "book", "cancelled", key="cancelled")
        yield "scheduled"
        assert await clerk.cancel_schedule("cancelled")
        yield "cancelled"

    async def only_the_other_runs(world, acknowledged):
        await world.advance(seconds=10)
        found = await whats(world)
        if "cancelled" in acknowledged:
            assert found == ["kept"]
        elif acknowledged:
            assert "kept" in found

    await runtime.crash_sweep(story, only_the_other_runs)


async def test_a_keyed_schedule_is_replaced_as_a_whole(runtime):
    async def story(world):
        clerk = world.get(Clerk, "a")
        await clerk.schedule(5, "book", "old", key="k")
        yield "old"
        await clerk.schedule(7, "book", "new", key="k")
        yield "new"

    async def one_of_them_runs(world, acknowledged):
        begun_ms = world.now_ms
        await world.advance(seconds=20)
        found = await calls(world)
        assert len(found) <= 1
        if acknowledged:
            [(what, at)] = found
            assert what in acknowledged[-1:] or what == "new"
            assert at >= begun_ms + (7000 if what == "new" else 5000)

    await runtime.crash_sweep(story, one_of_them_runs, refuse_writes=True)


async def test_queue_items_run_in_order_at_least_once(runtime):
    async def story(world):
        clerk = world.get(Clerk, "a")
        for number in range(3):
            await clerk.queue("book", f"q{number}")
            yield f"q{number}"
        await world.advance(seconds=1)

    async def all_ran_in_order(world, acknowledged):
        await world.advance(seconds=60)
        found = await whats(world)
        in_order = [what for what, _ in groupby(found)]
        assert [what for what in in_order if what in acknowledged] == acknowledged
        assert len(in_order) <= len(acknowledged) + 1, "one may be stored and not be acknowledged"
        assert len(found) <= len(in_order) + 1, "one may be repeated, when the end of its run could not be stored"
        assert await world.get(Clerk, "a").get_queues() == []

    await runtime.crash_sweep(story, all_ran_in_order, refuse_writes=True)


async def test_an_item_that_fails_becomes_exactly_one_dead_letter(runtime):
    async def story(world):
        await world.get(Clerk, "a").queue("fail", "q", retry={"max_attempts": 2}, id="q")
        yield "q"
        await world.advance(seconds=10)

    async def it_is_waiting_dead_or_done_with(world, acknowledged):
        await world.advance(seconds=60)
        clerk = world.get(Clerk, "a")
        letters = await clerk.list_dead_letters()
        assert await clerk.get_queues() == []
        assert len(letters) == 1 if acknowledged else len(letters) <= 1
        if letters:
            assert await clerk.requeue_dead_letters() == 1
            assert [item["id"] for item in await clerk.get_queues()] == ["q"]
            assert await clerk.list_dead_letters() == []

    await runtime.crash_sweep(story, it_is_waiting_dead_or_done_with)


async def test_a_pulled_item_is_handed_out_at_most_once(runtime):
    async def story(world):
        clerk = world.get(Clerk, "a")
        for number in range(2):
            await clerk.queue({"n": number})
            yield "queued", number
        for _ in range(2):
            yield "pulled", (await clerk.dequeue())["n"]

    async def nothing_comes_twice_or_goes_unpulled(world, acknowledged):
        left = [item["n"] for item in await world.get(Clerk, "a").dequeue_all()]
        pulled = [number for what, number in acknowledged if what == "pulled"]
        queued = [number for what, number in acknowledged if what == "queued"]
        assert not set(pulled) & set(left)
        assert left == sorted(left)
        missing = set(queued) - set(pulled) - set(left)
        assert len(missing) <= 1, "only the one that was being pulled when the answer was lost"
        if len(queued) == 2 and not pulled:
            assert left in ([0, 1], [1])

    await runtime.crash_sweep(story, nothing_comes_twice_or_goes_unpulled)


async def test_a_chain_of_items_is_not_broken(runtime):
    """A method that changes tables and queues the next step: the two are stored together or not at all."""

    class Chain(Clerk):
        async def step(self, number, _):
            self.book(f"step {number}", _)
            if number < 3:
                await self.queue(self.step, number + 1)

    async def story(world):
        await world.get(Chain, "a").queue("step", 1)
        yield "begun"
        await world.advance(seconds=1)

    async def every_step_was_done_once(world, acknowledged):
        await world.advance(seconds=60)
        found = [what for what, _ in await world.get(Chain, "a").calls()]
        assert found == (["step 1", "step 2", "step 3"] if acknowledged or found else [])

    await runtime.crash_sweep(story, every_step_was_done_once)
