"""Calls of clients: answered once, checked, streamed, limited, cancelled; nothing private is reached or told."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Literal

import pytest
from pydantic import BaseModel

from agents_runtime import Agent, RpcError, StreamingResponse, call_callable, callable, get_callable_methods
from agents_runtime.errors import SqlError, UsageError
from agents_runtime.testing import CallFailed


class Item(BaseModel):
    name: str
    amount: int = 1


class Desk(Agent):
    @callable
    def add(self, a: int, b: int = 1) -> int:
        return a + b

    @callable(name="sum", description="Adds numbers.")
    async def total(self, *numbers: float) -> float:
        return sum(numbers)

    @callable
    def typed(self, names: list[str], kind: Literal["a", "b"] = "a", limit: int | None = None, day: date | None = None):
        return [names, kind, limit, day.year if day else None]

    @callable
    def order(self, item: Item) -> dict:
        return {"kind": type(item).__name__, "amount": item.amount}

    @callable
    def anything(self, value):
        return value

    @callable
    def fails(self, how: str):
        if how == "rpc":
            raise RpcError("not enough credits")
        if how == "sql":
            self.sql("SELECT secret FROM nowhere")
        if how == "empty":
            raise ValueError
        raise ValueError("the secret detail")

    @callable
    def unsendable(self):
        return {"values": {1, 2}}

    @callable
    async def wait(self, gate: str):
        await self.gate(gate).wait()
        return f"{gate} opened"

    @callable
    def open(self, gate: str):
        self.gate(gate).set()

    def gate(self, name):
        gates = vars(self).setdefault("gates", {})
        return gates.setdefault(name, asyncio.Event())

    def plain(self):
        return "not for clients"

    def _private(self):
        return "for nobody"


@pytest.fixture
def desk(runtime_factory):
    """Waiting calls keep an agent in memory anyway."""
    return runtime_factory(evict_before_every_event=False)


async def test_arguments_and_defaults(runtime):
    client = await runtime.connect(Desk, "a")
    assert await client.call("add", 1, 2) == 3
    assert await client.call("add", 1) == 2
    assert await client.call("add", 1.0, 2) == 3, "JavaScript has one kind of number"
    assert await client.call("sum", 1, 2.5) == 3.5
    assert await client.call("sum") == 0
    assert await client.call("typed", ["x"], "b", None, "2026-02-03") == [["x"], "b", None, 2026]
    assert await client.call("order", {"name": "tea", "amount": 2}) == {"kind": "Item", "amount": 2}


@pytest.mark.parametrize(
    ("method", "args", "error"),
    [
        ("add", [], "Method add: argument 'a' is missing"),
        ("add", [1, 2, 3], "Method add: takes at most 2 arguments, 3 were sent"),
        ("add", ["1"], "Method add: argument 'a' must be int, not str"),
        ("add", [1, None], "Method add: argument 'b' must be int, not None"),
        ("add", [True], "Method add: argument 'a' must be int, not bool"),
        ("add", [1.5], "Method add: argument 'a' must be int, not float"),
        ("sum", [1, "x"], "Method sum: argument '2' must be float, not str"),
        ("typed", [["a", 5]], "Method typed: argument 'names'[1] must be str, not int"),
        ("typed", [[], "c"], "Method typed: argument 'kind' must be one of 'a', 'b', not 'c'"),
        ("typed", [[], "a", "many"], "Method typed: argument 'limit' must be int | None, not str"),
        ("order", [{"amount": 2}], "Method order: argument 'item'.name is not valid: Field required"),
        ("plain", [], "Method plain is not callable"),
        ("_private", [], "Method _private is not callable"),
        ("set_state", [{}], "Method set_state is not callable"),
        ("setState", [{}], "Method setState is not callable"),
        ("constructor", [], "Method constructor is not callable"),
        ("total", [], "Method total is not callable"),
        ("nothing", [], "Method nothing does not exist"),
        ("unsendable", [], "result.values is a set, which JSON has no form for; use a list"),
        ("fails", ["rpc"], "not enough credits"),
        ("fails", ["other"], "the secret detail"),
        ("fails", ["sql"], "Storage error"),
        ("fails", ["empty"], "Unknown error occurred"),
    ],
)
async def test_what_a_caller_is_told(runtime, method, args, error):
    client = await runtime.connect(Desk, "a")
    with pytest.raises(CallFailed) as failed:
        await client.call(method, *args)
    assert str(failed.value) == error
    assert await client.call("add", 1, 1) == 2, "the connection goes on"


async def test_redacted_errors_tell_only_what_is_meant_for_clients(runtime):
    class Discreet(Desk):
        options = {"redact_errors": True}

    client = await runtime.connect(Discreet, "a")
    for how, error in [("rpc", "not enough credits"), ("other", "Unknown error occurred")]:
        with pytest.raises(CallFailed) as failed:
            await client.call("fails", how)
        assert str(failed.value) == error
    with pytest.raises(CallFailed, match="argument 'a' must be int"):
        await client.call("add", "x")


async def test_the_traceback_of_another_agent_never_reaches_a_client(runtime):
    class Front(Agent):
        @callable
        async def ask(self):
            return await self.env.Desk.getByName("b").fails("other")

    runtime.bind(Desk)
    client = await runtime.connect(Front, "a")
    with pytest.raises(CallFailed) as failed:
        await client.call("ask")
    assert str(failed.value) == "the secret detail"


async def test_calls_run_concurrently_and_are_answered_as_they_finish(desk):
    client = await desk.connect(Desk, "a")
    slow = client.stream("wait", "slow")
    fast = client.stream("wait", "fast")
    await client.call("open", "fast")
    assert [chunk async for chunk in fast] == []
    assert fast.result == "fast opened"
    await client.call("open", "slow")
    assert [chunk async for chunk in slow] == []
    assert slow.result == "slow opened"


async def test_too_many_waiting_calls_of_one_connection_are_refused(runtime_factory):
    class Narrow(Desk):
        options = {"max_calls_per_connection": 2}

    runtime = runtime_factory(evict_before_every_event=False)
    client, other = await runtime.connect(Narrow, "a"), await runtime.connect(Narrow, "a")
    waiting = [client.stream("wait", "x"), client.stream("wait", "x")]
    await runtime.settle()
    with pytest.raises(CallFailed, match=r"Too many calls in flight.* 2 answers"):
        await client.call("wait", "x")
    assert await client.call("add", 1) == 2, "what does not wait is answered"
    await other.call("open", "x")
    for stream in waiting:
        assert [chunk async for chunk in stream] == []


async def test_an_answer_to_a_client_that_left_is_dropped(desk):
    client, other = await desk.connect(Desk, "a"), await desk.connect(Desk, "a")
    client.stream("wait", "x")
    await desk.settle()
    await client.close()
    await other.call("open", "x")
    await desk.settle()
    assert await other.call("add", 1) == 2


class Timed(Agent):
    @callable(timeout_s=5)
    async def hang(self):
        try:
            await asyncio.Event().wait()
        finally:
            self.broadcast("let go")

    @callable(timeout_s=5)
    async def quick(self):
        return "done"


async def test_a_call_that_takes_too_long_is_cancelled_and_answered(runtime):
    client = await runtime.connect(Timed, "a")
    assert await client.call("quick") == "done"
    call = client.stream("hang")
    await runtime.settle()
    await runtime.advance(seconds=6)
    with pytest.raises(CallFailed, match=r"^Method hang timed out after 5 s$"):
        await call.__anext__()
    await client.expect(lambda frame: frame == "let go")


class Streams(Agent):
    @callable(streaming=True)
    def count(self, stream: StreamingResponse, n: int):
        for i in range(n):
            stream.send(i)
        stream.end({"total": n})

    @callable(streaming=True)
    async def forgets_to_end(self, stream):
        stream.send("only")

    @callable(streaming=True)
    async def ends_twice(self, stream):
        said = [stream.end(), stream.end(), stream.send(1), stream.error("late"), stream.is_closed]
        self.broadcast({"said": said})

    @callable
    async def generate(self, n: int):
        for i in range(n):
            yield {"i": i}

    @callable
    def generate_plainly(self, n: int):
        yield from range(n)

    @callable
    async def breaks(self):
        yield 1
        raise RpcError("midway")

    @callable
    async def endless(self):
        try:
            yield "first"
            await asyncio.Event().wait()
        finally:
            self.sql("CREATE TABLE IF NOT EXISTS cleaned (x)")

    @callable(streaming=True)
    async def bad_chunk(self, stream):
        stream.send({1, 2})

    @callable
    def is_cleaned(self):
        return bool(self.sql("SELECT 1 FROM sqlite_master WHERE name = 'cleaned'"))


async def chunks_of(stream):
    return [chunk async for chunk in stream], stream.result


async def test_streams(runtime):
    client = await runtime.connect(Streams, "a")
    assert await chunks_of(client.stream("count", 3)) == ([0, 1, 2], {"total": 3})
    assert await chunks_of(client.stream("forgets_to_end")) == (["only"], None)
    assert await chunks_of(client.stream("generate", 2)) == ([{"i": 0}, {"i": 1}], None)
    assert await chunks_of(client.stream("generate_plainly", 2)) == ([0, 1], None)
    assert await chunks_of(client.stream("generate", 0)) == ([], None)


async def test_a_stream_ends_once(runtime):
    client = await runtime.connect(Streams, "a")
    assert await chunks_of(client.stream("ends_twice")) == ([], None)
    said = await client.expect(lambda frame: isinstance(frame, dict) and "said" in frame)
    assert said["said"] == [True, False, False, False, True]


@pytest.mark.parametrize(
    ("method", "args", "error"),
    [("breaks", [], "midway"), ("bad_chunk", [], "chunk is a set"), ("count", ["x"], "argument 'n' must be int")],
)
async def test_a_stream_that_fails_ends_with_the_error(runtime, method, args, error):
    client = await runtime.connect(Streams, "a")
    with pytest.raises(CallFailed, match=error):
        await chunks_of(client.stream(method, *args))


async def test_a_stream_ends_with_its_connection(runtime):
    client = await runtime.connect(Streams, "a")
    stream = client.stream("endless")
    assert await stream.__anext__() == "first"
    await client.close()
    await runtime.settle()
    other = await runtime.connect(Streams, "a")
    assert await other.call("is_cleaned") is True


async def test_calls_end_with_their_connection_where_the_class_wants_it(runtime):
    class Impatient(Agent):
        options = {"cancel_calls_on_disconnect": True}

        @callable
        async def hang(self):
            try:
                await asyncio.Event().wait()
            finally:
                self.sql("CREATE TABLE cleaned (x)")

        @callable
        def tables(self):
            return [row["name"] for row in self.sql("SELECT name FROM sqlite_master WHERE name = 'cleaned'")]

    client = await runtime.connect(Impatient, "a")
    client.stream("hang")
    await runtime.settle()
    client.vanish()
    await runtime.settle()
    other = await runtime.connect(Impatient, "a")
    assert await other.call("tables") == ["cleaned"]


async def test_a_method_that_is_cancelled_from_inside_is_answered(runtime):
    class Nested(Agent):
        @callable
        async def cancelled(self):
            task = asyncio.create_task(asyncio.Event().wait())
            task.cancel()
            await task

    client = await runtime.connect(Nested, "a")
    with pytest.raises(CallFailed, match="Method cancelled was cancelled"):
        await client.call("cancelled")


async def test_inherited_callables_and_overrides(runtime):
    class Base(Agent):
        @callable
        def kept(self):
            return "base"

        @callable
        def hidden(self) -> str:
            return "base"

        @callable
        def replaced(self) -> str:
            return "base"

    class Child(Base):
        def hidden(self) -> str:
            return "child"

        @callable
        def replaced(self) -> str:
            return super().replaced() + " and child"

    client = await runtime.connect(Child, "a")
    assert await client.call("kept") == "base"
    assert await client.call("replaced") == "base and child"
    with pytest.raises(CallFailed, match="is not callable"):
        await client.call("hidden")


async def test_an_agent_lists_its_callables(runtime):
    def listed(agent):
        return {name: metadata.description for name, metadata in agent.get_callable_methods().items()}

    names = await runtime.run_in_agent(runtime.get(Desk, "a"), listed)
    assert names["sum"] == "Adds numbers."
    assert "total" not in names
    assert "plain" not in names
    assert list(names) == sorted(names)


async def test_call_reaches_verbs_and_methods_in_both_spellings():
    agent = Desk.create(state={"n": 1})
    assert await agent.call("add", 1, b=5) == 6
    assert await agent.call("sum", 1, 2) == 3
    assert await agent.call("plain") == "not for clients"
    await agent.call("setState", {"n": 2})
    assert agent.state == {"n": 2}
    await agent.call("set_state", {"n": 3})
    assert agent.state == {"n": 3}
    with pytest.raises(UsageError, match="no method 'ad'; did you mean 'add'"):
        await agent.call("ad")
    for hidden in ("_private", "fetch", "on_start", "cf_agents_internal", "call", "alarm"):
        with pytest.raises(UsageError, match="no method"):
            await agent.call(hidden)


async def test_callables_of_any_object():
    class Calculator:
        @callable
        def add(self, a, b):
            return a + b

        @callable(name="negate")
        async def minus(self, a):
            return -a

        def hidden(self):
            return 0

    calculator = Calculator()
    assert list(get_callable_methods(calculator)) == ["add", "negate"]
    assert get_callable_methods(calculator)["add"](1, 2) == 3
    assert await call_callable(calculator, "add", 1, b=2) == 3
    assert await call_callable(calculator, "negate", 5) == -5
    with pytest.raises(UsageError, match="no callable 'hidden'; its callables are: add, negate"):
        await call_callable(calculator, "hidden")


async def test_sql_errors_carry_the_statement_and_the_cause(runtime):
    def ask(agent):
        with pytest.raises(SqlError, match=r"^SQL query failed: .*no such table: nowhere") as failed:
            agent.sql("SELECT * FROM nowhere WHERE id = ?", 5)
        return failed.value.query

    assert await runtime.run_in_agent(runtime.get(Desk, "a"), ask) == "SELECT * FROM nowhere WHERE id = ?"


async def test_sql_binds_what_python_has(runtime):
    def ask(agent):
        agent.sql("CREATE TABLE t (a INTEGER, b TEXT, c BLOB, d REAL, e INTEGER)")
        agent.sql("INSERT INTO t VALUES (?, ?, ?, ?, ?)", True, "ü", b"\0\1", 1.5, None)
        with pytest.raises(UsageError):
            agent.sql("INSERT INTO t (a) VALUES (?)", 2**60)
        return agent.sql("SELECT * FROM t")

    rows = await runtime.run_in_agent(runtime.get(Desk, "a"), ask)
    assert rows == [{"a": 1, "b": "ü", "c": b"\0\1", "d": 1.5, "e": None}]
