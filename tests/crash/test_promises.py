"""Durable first: what a call acknowledged survives a death at any instant, and nothing is said before it is stored.

Every story is killed at every write, before and after every commit, has every commit and every write refused, and is
told with and without eviction before every event.
"""

import json

import pytest
from workers import Response

from agents_runtime import Agent, callable, get_agent_by_name, stream_response


class Bank(Agent):
    """An account that keeps its balance in the state and each booking in a table."""

    initial_state = {"balance": 0}

    async def on_start(self, props=None):
        self.sql("CREATE TABLE IF NOT EXISTS bookings (amount INTEGER NOT NULL)")
        self.plan = (props or {}).get("plan")

    @callable
    async def book(self, amount: int) -> int:
        self.ctx.storage.transactionSync(lambda: self._book(amount))
        return self.state["balance"]

    def _book(self, amount):
        self.sql("INSERT INTO bookings VALUES (?)", amount)
        self.set_state({"balance": self.state["balance"] + amount})

    @callable(streaming=True)
    async def book_each(self, amounts: list):
        for amount in amounts:
            yield await self.book(amount)

    @callable
    async def transfer(self, other: str, amount: int) -> list:
        target = await get_agent_by_name(self.env.Bank, other)
        received = await target.book(amount)
        return [await self.book(-amount), received]

    async def on_message(self, connection, message):
        """Keep a name with the connection; an empty message asks for it."""
        if message:
            connection.set_state({"name": message})
        connection.send({"type": "you", "are": connection.state})

    @callable
    async def audit(self) -> list:
        [row] = self.sql("SELECT coalesce(sum(amount), 0) AS total FROM bookings")
        return [self.state["balance"], row["total"], self.plan]

    async def on_request(self, request):
        if "stream" not in request.url:
            return Response(str(await self.book(1)))

        async def book_while_answering():
            for _ in range(3):
                yield f"{await self.book(1)}\n"

        return stream_response(book_while_answering())


@pytest.fixture(params=[True, False], ids=["evicting", "staying"])
def runtime(request, runtime_factory):
    return runtime_factory(evict_before_every_event=request.param)


def balances_in(frames):
    """Every balance that a client was told, in whatever kind of frame."""
    for frame in frames:
        if isinstance(frame, dict) and frame.get("type") == "cf_agent_state":
            yield frame["state"]["balance"]
        elif isinstance(frame, dict) and frame.get("type") == "rpc" and isinstance(frame.get("result"), int):
            yield frame["result"]


async def audit(world, name="a"):
    balance, total, plan = await world.get(Bank, name).audit()
    assert balance == total, "the state and the table tell different stories"
    return balance, plan


async def at_least_what_was_acknowledged(world, acknowledged):
    balance, _ = await audit(world)
    assert balance >= max(acknowledged, default=0)


async def test_calls_over_http_and_from_other_objects(runtime):
    async def story(world):
        account = world.get(Bank, "a")
        yield await account.book(1)
        yield int(await (await account.fetch("/")).text())
        yield await account.call(Bank.book, 1)

    report = await runtime.crash_sweep(story, at_least_what_was_acknowledged, refuse_writes=True)
    assert report.commits >= 3


async def test_calls_and_broadcasts_over_websockets(runtime):
    clients = []

    async def story(world):
        clients.clear()
        clients.append(await world.connect(Bank, "a"))
        clients.append(await world.connect(Bank, "a"))
        for _ in range(2):
            yield await clients[0].call("book", 1)

    async def nobody_was_told_more_than_is_stored(world, acknowledged):
        told = max((balance for client in clients for balance in balances_in(client.frames)), default=0)
        balance, _ = await audit(world)
        assert balance >= told
        assert told >= max(acknowledged, default=0)

    await runtime.crash_sweep(story, nobody_was_told_more_than_is_stored, refuse_writes=True)


async def test_states_written_by_a_client(runtime):
    witnesses = []

    async def story(world):
        witnesses.clear()
        writer, witness = await world.connect(Bank, "a"), await world.connect(Bank, "a")
        witnesses.append(witness)
        for balance in (5, 9):
            await writer.set_state({"balance": balance})
            frame = await witness.expect(lambda frame, balance=balance: frame["state"]["balance"] == balance)
            yield frame["state"]["balance"]

    async def what_the_witness_saw_is_stored(world, acknowledged):
        state = await world.get(Bank, "a").state
        seen = [balance for witness in witnesses for balance in balances_in(witness.frames)]
        assert state["balance"] >= max([0, *seen, *acknowledged])

    await runtime.crash_sweep(story, what_the_witness_saw_is_stored, refuse_writes=True)


async def test_each_chunk_of_a_stream(runtime):
    async def over_websocket(world):
        client = await world.connect(Bank, "a")
        async for balance in client.stream("book_each", [1, 1]):
            yield balance

    await runtime.crash_sweep(over_websocket, at_least_what_was_acknowledged, refuse_writes=True)

    async def over_http(world):
        response = await world.get(Bank, "a").fetch("/stream")
        async for chunk in response.body:
            yield int(bytes(chunk))

    report = await runtime.crash_sweep(over_http, at_least_what_was_acknowledged)
    assert report.commits >= 3


async def test_a_transfer_between_two_accounts_never_makes_money(runtime):
    async def story(world):
        await world.get(Bank, "a").book(10)
        yield await world.get(Bank, "a").transfer("b", 4)

    async def acknowledged_transfers_are_complete(world, acknowledged):
        (left, _), (right, _) = await audit(world, "a"), await audit(world, "b")
        assert (left, right) in ((0, 0), (10, 0), (10, 4), (6, 4))
        if acknowledged:
            assert (left, right) == (6, 4)

    await runtime.crash_sweep(story, acknowledged_transfers_are_complete, refuse_writes=True)


async def test_start_props(runtime):
    async def story(world):
        world.bind(Bank)
        await get_agent_by_name(world.env.Bank, "a", props={"plan": "pro"})
        yield "pro"
        await get_agent_by_name(world.env.Bank, "a", props={"plan": "team"})
        yield "team"

    async def the_last_props_come_back(world, acknowledged):
        _, plan = await audit(world)
        order = [None, "pro", "team"]
        assert order.index(plan) >= order.index(acknowledged[-1] if acknowledged else None)

    await runtime.crash_sweep(story, the_last_props_come_back, refuse_writes=True)


async def test_destruction_is_whole(runtime):
    async def story(world):
        account = world.get(Bank, "a")
        await account.book(7)
        await account.destroy()
        yield "destroyed"

    async def all_or_nothing_is_left(world, acknowledged):
        balance, _ = await audit(world)
        assert balance in ((0,) if acknowledged else (0, 7))
        assert await world.get(Bank, "a").book(1) == balance + 1

    await runtime.crash_sweep(story, all_or_nothing_is_left)


async def test_what_is_kept_with_a_connection_outlives_every_eviction(runtime):
    client = await runtime.connect(Bank, "a")
    assert await who_is(client, "Ann") == {"name": "Ann"}
    for _ in range(2):
        await runtime.evict(runtime.get(Bank, "a"))
        assert await who_is(client) == {"name": "Ann"}
    assert client.closed is None


async def who_is(client, name=""):
    await client.send(name)
    return (await client.expect("you"))["are"]


async def test_what_is_kept_with_a_connection_is_lost_with_it_and_never_mixed_up(runtime):
    ann, ben = await runtime.connect(Bank, "a", id="ann"), await runtime.connect(Bank, "a", id="ben")
    await who_is(ann, "Ann")
    await who_is(ben, "Ben")
    await runtime.evict_all()
    assert [await who_is(ann), await who_is(ben)] == [{"name": "Ann"}, {"name": "Ben"}]
    await ann.close()
    assert await who_is(await runtime.connect(Bank, "a", id="ann")) is None


async def test_the_name_comes_back_when_an_alarm_wakes_the_object_first(runtime):
    async def story(world):
        account = world.get(Bank, "a")
        yield await account.book(1)

    async def it_knows_its_name(world, acknowledged):
        for object_id in world.list_ids(Bank) if acknowledged else ():
            handle = world.get_by_id(object_id)
            assert await world.run_in_agent(handle, lambda agent: agent.name) == "a"

    await runtime.crash_sweep(story, it_knows_its_name)


async def test_frames_leave_in_the_order_they_were_sent(runtime):
    """A commit in between holds back what came after it, not what came before."""
    client = await runtime.connect(Bank, "a")
    await runtime.run_in_agent(runtime.get(Bank, "a"), send_around_a_write)
    kinds = [json.dumps(frame) if isinstance(frame, str) else frame["type"] for frame in client.frames]
    assert kinds[-3:] == ["before", "cf_agent_state", "after"]


def send_around_a_write(agent):
    agent.broadcast({"type": "before"})
    agent.set_state({"balance": 3})
    agent.broadcast({"type": "after"})
