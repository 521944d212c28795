"""The crash sweep: it passes what keeps its promises, and catches and locates what does not."""

import asyncio

import pytest
from workers import DurableObject

from agents_runtime.errors import UsageError
from agents_runtime.testing import FaultPoint
from agents_runtime.testing.sweep import points_of


class Account(DurableObject):
    """Moves money between two pots, rightly and wrongly."""

    def pots(self):
        kv = self.ctx.storage.kv
        return kv.get("left") or 0, kv.get("right") or 0

    async def read(self):
        return list(self.pots())

    async def deposit(self, amount):
        left, _ = self.pots()
        self.ctx.storage.kv.put("left", left + amount)
        return left + amount

    async def move(self, amount):
        left, right = self.pots()
        self.ctx.storage.kv.put("left", left - amount)
        self.ctx.storage.kv.put("right", right + amount)

    async def move_with_a_pause_between(self, amount):
        left, right = self.pots()
        self.ctx.storage.kv.put("left", left - amount)
        await self.ctx.agents_platform.committed()
        self.ctx.storage.kv.put("right", right + amount)

    async def deposit_in_memory(self, amount):
        self.hoard = getattr(self, "hoard", self.pots()[0]) + amount
        if self.hoard % 2:
            self.ctx.storage.kv.put("left", self.hoard)
        return self.hoard

    async def fetch(self, request):
        return self.ctx.agents_platform.sockets.accept(["account"], "")[1]

    async def webSocketMessage(self, socket, message):
        socket.send(str(await self.deposit(int(message))))


async def deposits(world):
    account = world.get(Account, "a")
    for _ in range(3):
        yield await account.deposit(1)


async def nothing_acknowledged_is_lost(world, acknowledged):
    left, _ = await world.get(Account, "a").read()
    assert left >= max(acknowledged, default=0)
    assert left <= max(acknowledged, default=0) + 1


async def test_a_promise_that_is_kept(runtime):
    report = await runtime.crash_sweep(deposits, nothing_acknowledged_is_lost)
    assert report.commits == 3
    assert report.writes >= 3
    assert report.runs == 1 + report.writes + 3 * report.commits
    thorough = await runtime.crash_sweep(deposits, nothing_acknowledged_is_lost, refuse_writes=True)
    assert thorough.runs == report.runs + report.writes


async def test_acknowledgements_over_a_websocket(runtime):
    async def story(world):
        client = await world.connect(Account, "a")
        for _ in range(2):
            await client.send("1")
            yield int(await client.expect(str.isdigit))

    report = await runtime.crash_sweep(story, nothing_acknowledged_is_lost, refuse_writes=True)
    assert report.commits == 2


async def test_both_writes_of_a_turn_or_neither(runtime):
    async def story(world):
        account = world.get(Account, "a")
        yield await account.deposit(10)
        await account.move(4)

    async def no_money_vanishes(world, acknowledged):
        pots = await world.get(Account, "a").read()
        assert pots in ([0, 0], [10, 0], [6, 4])
        assert pots != [0, 0] or not acknowledged

    await runtime.crash_sweep(story, no_money_vanishes)
    with pytest.raises(AssertionError) as failure:
        await runtime.crash_sweep(story, no_money_vanishes, refuse_writes=True)
    assert "the story was refused write" in failure.value.__notes__[0]


async def test_a_commit_between_two_writes_is_found_and_located(runtime):
    async def story(world):
        account = world.get(Account, "a")
        yield await account.deposit(10)
        await account.move_with_a_pause_between(4)

    async def no_money_vanishes(world, acknowledged):
        pots = await world.get(Account, "a").read()
        assert sum(pots) in (0, 10), pots

    with pytest.raises(AssertionError, match=r"\[6, 0\]") as failure:
        await runtime.crash_sweep(story, no_money_vanishes)
    note, where = failure.value.__notes__
    assert note.startswith("Crash sweep: the story was killed at")
    assert "in move_with_a_pause_between: self.ctx.storage.kv.put(" in note
    assert "Acknowledged before that: [10]" in note
    assert "only=FaultPoint(moment='write', number=" in note
    assert "Virtual time" in where


async def test_memory_that_is_not_written_is_found(runtime_factory):
    async def story(world):
        account = world.get(Account, "a")
        for _ in range(2):
            yield await account.deposit_in_memory(1)

    runtime = runtime_factory(evict_before_every_event=False)
    with pytest.raises(AssertionError) as failure:
        await runtime.crash_sweep(story, nothing_acknowledged_is_lost)
    assert "the story was not interrupted; the host was restarted after it" in failure.value.__notes__[0]
    assert "Acknowledged: [1, 2]" in failure.value.__notes__[0]


async def test_one_point_alone(runtime):
    struck = []

    async def story(world):
        yield await world.get(Account, "a").deposit(1)
        yield await world.get(Account, "a").deposit(1)

    async def note(world, acknowledged):
        struck.append((world.faults.struck, acknowledged))

    point = FaultPoint("after commit", 2)
    report = await runtime.crash_sweep(story, note, only=point)
    assert report.runs == 2
    assert struck == [(None, [1, 2]), (point, [1])]


async def test_the_disk_refuses_and_the_story_goes_on(runtime):
    refused = []

    async def story(world):
        account = world.get(Account, "a")
        for _ in range(2):
            try:
                yield await account.deposit(1)
            except Exception as error:
                refused.append(str(error))

    async def invariant(world, acknowledged):
        left, _ = await world.get(Account, "a").read()
        assert left == max(acknowledged, default=0)

    for point in (FaultPoint("write", 1, kills=False), FaultPoint("before commit", 2, kills=False)):
        await runtime.crash_sweep(story, invariant, only=point)
    assert ["refused write 1" in refused[0], "refused commit 2" in refused[1]] == [True, True]


async def test_stories_that_cannot_be_swept_are_refused(runtime):
    async def reading(world):
        yield await world.get(Account, "a").read()

    async def fine(world, acknowledged):
        pass

    with pytest.raises(UsageError, match="commits nothing"):
        await runtime.crash_sweep(reading, fine)
    with pytest.raises(UsageError, match="more than the limit of 5"):
        await runtime.crash_sweep(deposits, fine, limit=5)


async def test_a_story_that_fails_by_itself_fails_the_sweep(runtime):
    async def story(world):
        yield await world.get(Account, "a").deposit(1)
        raise LookupError("a mistake of the story")

    with pytest.raises(LookupError, match="a mistake of the story"):
        await runtime.crash_sweep(story, nothing_acknowledged_is_lost)


async def test_a_story_nobody_answers_any_more_is_ended(runtime):
    async def story(world):
        client = await world.connect(Account, "a")
        await client.send("1")
        yield int(await client.expect(str.isdigit))
        await asyncio.sleep(0)

    await runtime.crash_sweep(story, nothing_acknowledged_is_lost, only=FaultPoint("before commit", 1))


async def test_alarms_survive_the_sweep(runtime):
    async def story(world):
        runtime_ms = world.now_ms
        yield await world.get(Alarmed, "a").arm(runtime_ms + 60_000)

    async def rings(world, acknowledged):
        await world.advance(minutes=1)
        rang = await world.get(Alarmed, "a").rang()
        assert rang >= len(acknowledged)

    await runtime.crash_sweep(story, rings)


class Alarmed(DurableObject):
    async def arm(self, when_ms):
        await self.ctx.storage.setAlarm(when_ms)

    async def alarm(self, info=None):
        self.ctx.storage.kv.put("rang", await self.rang() + 1)

    async def rang(self):
        return self.ctx.storage.kv.get("rang") or 0


async def test_a_sweep_on_disk_uses_a_folder_for_each_run(runtime_factory, tmp_path):
    report = await runtime_factory(data=tmp_path).crash_sweep(
        deposits, nothing_acknowledged_is_lost, only=FaultPoint("after commit", 2)
    )
    assert report.runs == len(list(tmp_path.glob("sweep-*/Account/*/*.sqlite"))) == 2


def test_the_points_of_a_story():
    assert [str(point) for point in points_of(1, 1, refuse_writes=True)] == [
        "killed at write 1",
        "killed at before commit 1",
        "killed at after commit 1",
        "refused commit 1",
        "refused write 1",
    ]
