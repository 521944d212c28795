"""Stories of agents inside agents. Parent and children are evicted before each of their events."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from workers import Request, Response

from agents_runtime import (
    Agent,
    callable,
    get_agent_by_name,
    get_sub_agent_by_name,
    reject,
    route_sub_agent_request,
    task,
)
from agents_runtime._platform.child.identity import owner_key
from agents_runtime.errors import RemoteError, UsageError

NAMES = ["a/b", "a:b", "a%2Fb", "Kid:x/Kid:y", "..", "sub", "naïve 😀", "a b+c", "x" * 250]


class Kid(Agent):
    initial_state = {"n": 0}
    options = {"keep_alive_interval_ms": 5_000}

    def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS notes (what TEXT)")

    def note(self, what: Any, item: Any = None) -> None:
        self.sql("INSERT INTO notes VALUES (?)", str(what))

    def notes(self) -> list[str]:
        return [row["what"] for row in self.sql("SELECT what FROM notes ORDER BY rowid")]

    @callable
    async def add(self, by: int = 1) -> int:
        self.set_state({"n": self.state["n"] + by})
        return self.state["n"]

    def fail(self) -> None:
        raise ValueError("it cannot")

    def who(self) -> list[Any]:
        return [self.name, self.self_path, self.parent_path]

    async def plan(self, seconds: float, what: str) -> str:
        return (await self.schedule(seconds, self.note, what)).id

    async def plan_slowly(self, seconds: float, lasting: float) -> None:
        await self.schedule(seconds, self.work_slowly, lasting)

    async def work_slowly(self, lasting: float, item: Any = None) -> None:
        await self._platform.clock.sleep(lasting)
        self.note("slow")

    async def empty(self) -> None:
        await self.ctx.storage.deleteAll()

    async def plan_every(self, seconds: float, what: str) -> None:
        await self.schedule_every(seconds, self.note, what)

    async def unplan(self, schedule_id: str) -> bool:
        return await self.cancel_schedule(schedule_id)

    async def enqueue(self, *payloads: str) -> None:
        for payload in payloads:
            await self.queue(self.note, payload)

    @task
    async def work(self, step, what):
        await step.do("first", self.note, f"{what} 1")
        await step.sleep("pause", 60)
        await step.do("second", self.note, f"{what} 2")

    async def begin(self, what: str) -> None:
        await self.tasks.run("work", what)

    async def begin_fiber(self) -> None:
        await self.start_fiber("index", self.index, fiber_id="f")

    async def index(self, fiber: Any) -> None:
        self.stash({"page": 7})
        await asyncio.sleep(3_600)

    async def on_fiber_recovered(self, fiber: Any) -> Any:
        self.note(f"recovered {fiber.name} {fiber.snapshot}")
        return {"status": "completed"}

    async def finish(self) -> str:
        await self.destroy()
        return "gone"

    async def speak_slowly(self) -> None:
        self.broadcast("before")
        await asyncio.sleep(0.05)
        self.broadcast("after")

    async def speak_oddly(self) -> Any:
        self.broadcast("odd")
        return {"unsendable": object()}

    async def speak_at_length(self, count: int, size: int) -> None:
        for number in range(count):
            self.broadcast(f"{number}" * size)

    async def say(self, text: str) -> int:
        self.broadcast(text)
        return len(self.get_connections())

    async def ask_parent(self, cls: str) -> Any:
        return await (await self.parent_agent(cls)).call("who")

    async def ask_parent_at_once(self, cls: str) -> list[Any]:
        return list(await asyncio.gather(self.ask_parent(cls), self.ask_parent(cls)))

    async def ask_parent_later(self, cls: str) -> None:
        """Ask once this call is over, although the parent may still be starting."""

        async def ask() -> None:
            await asyncio.sleep(0.01)
            self.note((await self.ask_parent(cls))[0])

        self.asking = asyncio.ensure_future(self.keep_alive_while(ask()))

    async def below(self, path: list[str], method: str, *args: Any) -> Any:
        """Call a method of the kid at the end of a path of kids; an empty path is this one."""
        if not path:
            return await self.call(method, *args)
        kid = await self.sub_agent(Kid, path[0])
        return await kid.below(path[1:], method, *args)

    def kids(self) -> list[str]:
        return [info.name for info in self.list_sub_agents()]

    async def drop(self, name: str) -> None:
        await self.delete_sub_agent(Kid, name)

    def on_connect(self, connection, ctx):
        connection.set_state({"from": ctx.request.url})

    def on_message(self, connection, message):
        if isinstance(message, bytes):
            connection.send(message[::-1])
        elif message == "who":
            connection.send(f"{connection.id} {connection.state['from']} {len(self.get_connections())}")
        elif message == "bye":
            connection.close(4001, "as asked")
        else:
            self.broadcast(f"{connection.id}: {message}")

    def on_close(self, connection, code, reason, was_clean):
        self.note(f"close {connection.id} {code}")

    async def on_request(self, request):
        return Response(f"{self.name} {request.method.value} {request.url} {await request.text()}")


class Other(Agent):
    """A class whose children are not those of Kid."""

    def notes(self) -> list[str]:
        return []


class BadStart(Agent):
    def on_start(self):
        raise ValueError("never")

    def on_error(self, *details):
        """Expected here."""


class Top(Kid):
    async def dismiss(self, name: str) -> list[Any]:
        await self.dynamic_agents.delete(Kid, name)
        return [self.dynamic_agents.has(Kid, name), self.has_sub_agent("Kid", name)]

    async def twice(self, name: str) -> list[int]:
        first, second = await asyncio.gather(self.sub_agent(Kid, name), self.sub_agent(Kid, name))
        return sorted([await first.add(), await second.add()])

    async def refused(self, cls: str, name: str) -> str:
        try:
            await self.sub_agent(cls, name)
        except (UsageError, RemoteError) as error:
            return str(error)
        return "created"

    async def stale(self) -> str:
        kid = await self.sub_agent(Kid, "k")
        await self.delete_sub_agent(Kid, "k")
        try:
            await kid.add()
        except UsageError as error:
            return str(error)
        return "it answers"

    async def interrupt(self, name: str) -> str:
        kid = await self.sub_agent(Kid, name)
        waiting = asyncio.ensure_future(kid.wait_for_ever())
        await asyncio.sleep(0.01)
        await self.abort_sub_agent(Kid, name, "enough of it")
        try:
            await waiting
        except Exception as error:
            return str(error)
        return "it answered"

    def keep_for(self, path: list[Any], capability: str, payload: dict[str, Any], seconds: float) -> None:
        """Store a job as the JavaScript SDK does for one of its sub-agents."""
        _ = self._queue, self._schedules  # so that there is a table
        owner = {"owner_path": json.dumps(path), "owner_path_key": owner_key(path)}
        due_ms = self._platform.clock.now_ms() + round(seconds * 1000)
        job_id = f"{capability}-{len(path)}"
        self._jobs.push(capability, "note", due_ms, job_id=job_id, payload={**payload, **owner})

    async def impatient(self, name: str) -> None:
        """Give up waiting for a kid that says something in the meantime."""
        kid = await self.sub_agent(Kid, name)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await kid.speak_slowly()

    async def emptied(self, name: str) -> list[str]:
        """Call a kid again after it has emptied its storage, and has left memory."""
        kid = await self.sub_agent(Kid, name)
        await kid.empty()
        await kid.plan(60, "later")
        return [step["name"] for step in (await kid.who())[1]]

    async def odd(self, name: str) -> list[str]:
        """Call a kid whose result the platform cannot carry, after it has said something."""
        kid = await self.sub_agent(Kid, name)
        try:
            await kid.speak_oddly()
        except (RemoteError, TypeError) as error:
            return [type(error).__name__]
        return []


class Guarded(Kid):
    """A parent that lets only some children be reached by URL."""

    async def on_before_sub_agent(self, request, child):
        self.note(f"gate {child.class_name} {child.name}")
        if child.name == "secret":
            return Response("no", status=403)
        if child.name == "rejected":
            return reject(4402, "pay first")
        if child.name == "marked":
            return Request("http://elsewhere/ignored", headers={**dict(request.headers.items()), "x-mark": "by gate"})
        if child.name == "broken":
            raise ValueError("the gate fell")
        return None

    def on_error(self, *details):
        self.note(f"error {details[-1]}")


class Few(Kid):
    options = {"max_sub_agents": 2}


class Eager(Kid):
    """A parent whose kids have a question while it starts."""

    async def on_start(self):  # pyright: ignore[reportIncompatibleMethodOverride] - a hook may be either
        super().on_start()
        kid: Any = None
        for path in (["a"], ["a", "b"], ["at once"]):
            kid = await self.sub_agent(Kid, path[0])
            try:
                if path == ["at once"]:
                    await kid.ask_parent_at_once("Eager")
                else:
                    await kid.below(path[1:], "ask_parent", "Eager" if len(path) == 1 else "Kid")
            except RemoteError as error:
                self.note(error)
        await kid.ask_parent_later("Eager")


async def test_children_have_a_state_and_tables_of_their_own(runtime):
    top = runtime.get(Top, "t")
    assert [await top.below(["a"], "add", 2) for _ in range(2)] == [2, 4]
    assert await top.below(["b"], "add", 1) == 1
    assert await top.state == {"n": 0}
    await top.below(["a"], "note", "of a")
    assert [await top.notes(), await top.below(["a"], "notes"), await top.below(["b"], "notes")] == [[], ["of a"], []]
    assert await runtime.get(Top, "u").below(["a"], "notes") == []


async def test_a_child_knows_who_it_is(runtime):
    top = runtime.get(Top, "t")
    path = [{"className": "Top", "name": "t"}, {"className": "Kid", "name": "a"}, {"className": "Kid", "name": "b"}]
    assert await top.who() == ["t", path[:1], []]
    assert await top.below(["a", "b"], "who") == ["b", path, path[:2]]


async def test_a_child_whose_storage_was_emptied_learns_anew_who_it_is(runtime):
    assert await runtime.get(Top, "t").emptied("k") == ["t", "k"]


async def test_children_are_listed_and_deleted(runtime):
    top = runtime.get(Top, "t")
    for name in ("b", "a"):
        await top.below([name], "note", "old")
        await runtime.advance(seconds=1)
    assert await top.kids() == ["b", "a"]
    assert await top.dismiss("b") == [False, False]
    assert await top.dismiss("b") == [False, False], "deleting again is fine"
    assert await top.kids() == ["a"]
    assert await top.below(["b"], "notes") == []
    assert await top.below(["a"], "notes") == ["old"]


async def test_a_deleted_child_is_not_made_again_by_an_old_handle(runtime):
    top = runtime.get(Top, "t")
    assert "deleted or never created" in await top.stale()
    assert await top.kids() == []


async def test_two_creations_at_once_make_one_child(runtime):
    assert await runtime.get(Top, "t").twice("k") == [1, 2]


@pytest.mark.parametrize("name", NAMES)
async def test_any_text_can_be_a_name(runtime, name):
    top = runtime.get(Top, "t")
    await top.below([name], "plan", 10, "planned")
    assert (await top.below([name], "who"))[0] == name
    await runtime.advance(seconds=11)
    assert await top.below([name], "notes") == ["planned"]
    assert await top.kids() == [name]


@pytest.mark.parametrize(
    ("cls", "name", "problem"),
    [
        ("Nobody", "x", "has no Agent class 'Nobody'"),
        ("Agent", "x", "has no Agent class"),
        ("DurableObject", "x", "has no Agent class"),
        ("Sub", "x", "cannot be a sub-agent"),
        ("Kid", "", "not empty"),
        ("Kid", "a\0b", "NUL"),
        ("Kid", "\ud800", "Unicode"),
        ("Kid", "x" * 300, "255 bytes"),
        ("BadStart", "x", "ValueError: never"),
    ],
)
async def test_what_cannot_be_a_sub_agent_is_refused(runtime, cls, name, problem):
    runtime.expect_errors()
    top = runtime.get(Top, "t")
    assert problem in await top.refused(cls, name)
    assert await top.kids() == []


async def test_there_may_be_so_many_and_so_deep(runtime):
    few = runtime.get(Few, "f")
    for name in "ab":
        await few.below([name], "add")
    with pytest.raises(RemoteError, match="has 2 sub-agents already"):
        await few.below(["c"], "add")
    assert await few.kids() == ["a", "b"]
    assert await few.below(["a", "b", "c"], "add") == 1
    with pytest.raises(RemoteError, match="nest 3 deep at most"):
        await few.below(["a", "b", "c", "d"], "add")


async def test_an_exception_of_a_child_keeps_its_text(runtime):
    with pytest.raises(RemoteError, match="ValueError: it cannot"):
        await runtime.get(Top, "t").below(["a"], "fail")


async def test_a_child_that_calls_an_agent_that_is_starting_is_told_so_at_once(runtime_factory):
    eager = runtime_factory(evict_before_every_event=False).get(Eager, "e")
    async with asyncio.timeout(5):
        notes = await eager.notes()
    assert len(notes) == 3
    for note, cls in zip(notes, ("Eager", "Kid", "Eager"), strict=True):
        assert f"the {cls} around this agent is starting and waits for it" in note
    await asyncio.sleep(0.2)  # without an event that evicts it
    assert await eager.below(["at once"], "notes") == ["e"], "what was left running is not refused"
    assert (await eager.below(["a"], "ask_parent", "Eager"))[0] == "e", "later it can be called"


async def test_a_child_calls_the_agent_around_it(runtime):
    top = runtime.get(Top, "t")
    assert (await top.below(["a"], "ask_parent", "Top"))[0] == "t"
    assert (await top.below(["a", "b"], "ask_parent", "Kid"))[0] == "a"
    with pytest.raises(RemoteError, match="is a Kid, not a Top"):
        await top.below(["a", "b"], "ask_parent", "Top")
    with pytest.raises(RemoteError, match="nobody's sub-agent"):
        await top.ask_parent("Top")


# Work that is due later


@pytest.mark.parametrize("path", [["a"], ["a", "b"], ["a", "b", "c"]], ids=len)
async def test_schedules_run_in_a_child(runtime, path):
    top = runtime.get(Top, "t")
    await top.below(path, "plan", 60, "late")
    await top.below(path, "plan_every", 25, "again")
    await runtime.advance(seconds=59)
    assert await top.below(path, "notes") == ["again"] * 2
    await runtime.advance(seconds=20)
    assert await top.below(path, "notes") == ["again"] * 2 + ["late", "again"]
    assert await top.notes() == []


async def test_what_a_child_has_planned_does_not_wait_for_its_busy_sibling(runtime):
    top = runtime.get(Top, "t")
    await top.below(["busy"], "plan_slowly", 1, 20)
    await top.below(["quick"], "plan", 3, "in time")
    await runtime.advance(seconds=4)
    assert await top.below(["quick"], "notes") == ["in time"]
    await runtime.advance(seconds=20)
    assert await top.below(["busy"], "notes") == ["slow"]


async def test_schedules_survive_a_crash_and_a_restart(runtime):
    top = runtime.get(Top, "t")
    await top.below(["a", "b"], "plan", 60, "late")
    await runtime.restart(crash=True)
    await runtime.advance(seconds=61)
    assert await runtime.get(Top, "t").below(["a", "b"], "notes") == ["late"]


async def test_a_child_cannot_cancel_what_its_sibling_planned(runtime):
    top = runtime.get(Top, "t")
    schedule_id = await top.below(["a"], "plan", 10, "mine")
    assert await top.below(["b"], "unplan", schedule_id) is False
    assert await top.below(["a"], "unplan", schedule_id) is True
    await runtime.advance(seconds=11)
    assert await top.below(["a"], "notes") == []


async def test_queue_and_tasks_run_in_a_child(runtime):
    top = runtime.get(Top, "t")
    await top.below(["a", "b"], "enqueue", "1", "2", "3")
    await runtime.advance(seconds=1)
    assert await top.below(["a", "b"], "notes") == ["1", "2", "3"]
    await top.below(["a", "b"], "begin", "task")
    await runtime.advance(seconds=30)
    await runtime.restart(crash=True)
    await runtime.advance(seconds=31)
    assert (await runtime.get(Top, "t").below(["a", "b"], "notes"))[3:] == ["task 1", "task 2"]


async def test_a_fiber_of_a_child_is_recovered_after_a_crash(runtime):
    await runtime.get(Top, "t").below(["a"], "begin_fiber")
    await runtime.advance(seconds=1)
    await runtime.restart(crash=True)
    await runtime.advance(seconds=10)
    assert await runtime.get(Top, "t").below(["a"], "notes") == ["recovered index {'page': 7}"]


async def test_a_deleted_child_takes_its_work_along(runtime):
    top = runtime.get(Top, "t")
    for path in (["a"], ["a", "b"], ["ab"]):
        await top.below(path, "plan", 10, "late")
    assert len((await runtime.introspect(top)).jobs) == 3
    await top.drop("a")
    assert len((await runtime.introspect(top)).jobs) == 1
    await runtime.advance(seconds=11)
    assert await top.kids() == ["ab"]
    assert await top.below(["ab"], "notes") == ["late"]
    assert await top.below(["a", "b"], "notes") == []


async def test_a_deleted_grandchild_takes_its_work_along(runtime):
    top = runtime.get(Top, "t")
    await top.below(["a", "b"], "plan", 10, "late")
    await top.below(["a"], "drop", "b")
    assert (await runtime.introspect(top)).jobs == ()
    assert await top.below(["a"], "kids") == []


@pytest.mark.parametrize("path", [["a"], ["a", "b"]], ids=len)
async def test_a_child_destroys_itself(runtime, path):
    top = runtime.get(Top, "t")
    await top.below(path, "note", "old")
    await top.below(path, "plan", 100, "late")
    client = await runtime.connect("/agents/top/t" + "".join(f"/sub/kid/{name}" for name in path))
    assert await top.below(path, "finish") == "gone"
    assert (await client.wait_closed())[0] == 1001
    await runtime.settle()
    assert await top.below(path[:-1], "kids") == []
    assert (await runtime.introspect(top)).jobs == ()
    assert await top.below(path, "notes") == []


async def test_an_agent_that_is_destroyed_takes_its_children_along(runtime):
    top = runtime.get(Top, "t")
    await top.below(["a", "b"], "plan", 10, "late")
    await top.finish()
    await runtime.advance(seconds=20)
    assert await top.kids() == []
    assert await top.below(["a", "b"], "notes") == []


async def test_what_a_javascript_root_kept_for_a_child_is_handed_over_when_due(runtime):
    top = runtime.get(Top, "t")
    await top.below(["a", "b"], "add")
    path = [{"className": "Top", "name": "t"}, {"className": "Kid", "name": "a"}, {"className": "Kid", "name": "b"}]
    gone = [*path[:1], {"className": "Kid", "name": "gone"}]
    await top.keep_for(path, "scheduler", {"type": "cron", "cron": "* * * * *", "payload": "each minute"}, 30)
    await top.keep_for(path, "queue", {"payload": "queued"}, 20)
    await top.keep_for(gone, "scheduler", {"type": "scheduled", "payload": "lost"}, 10)
    await runtime.restart(crash=True)
    await runtime.advance(seconds=150)
    top = runtime.get(Top, "t")
    assert await top.below(["a", "b"], "notes") == ["queued", "each minute", "each minute", "each minute"]
    assert await top.notes() == []
    assert {job.kind for job in (await runtime.introspect(top)).jobs} == {"sub_agent"}
    assert await top.kids() == ["a"]


# HTTP


async def test_http_reaches_a_child_without_the_way_to_it(runtime):
    runtime.bind(Top)
    url = "/agents/top/t/x/sub/kid/a%2Fb/sub/kid/c/path/more?q=1"
    response = await runtime.fetch(url, method="POST", body="hello")
    assert await response.text() == "c POST http://localhost:8787/path/more?q=1 hello"
    assert await runtime.get(Top, "t").kids() == ["a/b"]


@pytest.mark.parametrize(
    "path",
    ["sub/nobody/x", "sub/agent/x", "sub/kid", "sub/kid/", "sub/kid/%ff", "sub/sub/x", "sub/Kid/x", "subs/kid/x"],
)
async def test_a_url_that_names_no_class_is_the_parents_own(runtime, path):
    runtime.bind(Top)
    response = await runtime.fetch(f"/agents/top/t/{path}")
    assert (await response.text()).startswith(f"t GET http://localhost:8787/agents/top/t/{path}")
    assert await runtime.get(Top, "t").kids() == []


async def test_a_name_with_nul_is_a_bad_request(runtime):
    runtime.bind(Top)
    assert (await runtime.fetch("/agents/top/t/sub/kid/a%00b")).status == 400
    assert (await runtime.fetch(f"/agents/top/t/sub/kid/{'x' * 300}")).status == 400
    assert (await runtime.fetch("/agents/top/t/sub/kid/a/sub/kid/b/sub/kid/c/sub/kid/d")).status == 404
    assert await runtime.get(Top, "t").kids() == ["a"]


async def test_the_gate_decides_about_requests(runtime):
    runtime.bind(Guarded)
    runtime.expect_errors()
    answers = [await runtime.fetch(f"/agents/guarded/g/sub/kid/{name}/p") for name in ("open", "secret", "rejected")]
    assert [answer.status for answer in answers] == [200, 403, 402]
    assert (await runtime.fetch("/agents/guarded/g/sub/kid/broken")).status == 500
    marked = await runtime.fetch("/agents/guarded/g/sub/kid/marked/p?q")
    assert (await marked.text()).startswith("marked GET http://localhost:8787/p?q")
    guarded = runtime.get(Guarded, "g")
    assert sorted(await guarded.kids()) == ["marked", "open"]
    assert "error the gate fell" in await guarded.notes()


async def test_the_gate_is_asked_at_each_hop(runtime):
    runtime.bind(Guarded)
    response = await runtime.fetch("/agents/guarded/g/sub/guarded/open/sub/kid/secret")
    assert response.status == 403
    client = await runtime.connect("/agents/guarded/g/sub/guarded/open/sub/kid/secret")
    assert await client.wait_closed() == (4403, "Sub-agent connection rejected (403)")


async def test_forged_headers_lead_nowhere(runtime):
    runtime.bind(Guarded)
    forged = {"x-cf-agents-subagent-url": "http://x/agents/guarded/g/sub/kid/secret", "x-agents-lifecycle-props": "{}"}
    client = await runtime.connect("/agents/guarded/g", headers=forged)
    await client.expect("cf_agent_identity")
    assert (await runtime.fetch("/agents/guarded/g/sub/kid/secret", headers=forged)).status == 403
    assert await runtime.get(Guarded, "g").kids() == []


# WebSockets


async def test_a_client_of_a_child_is_the_childs_alone(runtime):
    top = runtime.get(Top, "t")
    client = await runtime.connect("/agents/top/t/sub/kid/a/room?x=1", id="ada")
    identity = await client.expect("cf_agent_identity")
    assert [identity["name"], identity["agent"]] == ["a", "kid"]
    assert (await client.expect("cf_agent_state"))["state"] == {"n": 0}
    await client.expect("cf_agent_mcp_servers")
    assert await client.call("add", 2) == 2
    assert (await client.expect("cf_agent_state"))["state"] == {"n": 2}
    await client.send("who")
    assert await client.expect(lambda frame: isinstance(frame, str)) == ("ada http://localhost:8787/room?x=1&_pk=ada 1")
    assert await top.say("to nobody") == 0
    assert await top.below(["a"], "say", "to ada") == 1
    assert await client.expect(lambda frame: isinstance(frame, str)) == "to ada"
    assert client.unread == []


@pytest.mark.parametrize("path", [["a"], ["a", "b", "c"]], ids=len)
async def test_broadcasts_reach_all_clients_of_a_child(runtime, path):
    top = runtime.get(Top, "t")
    url = "/agents/top/t" + "".join(f"/sub/kid/{name}" for name in path)
    clients = [await runtime.connect(url, id=f"c{number}") for number in range(3)]
    own = await runtime.connect(Top, "t")
    for client in (*clients, own):
        await client.expect("cf_agent_state")
        await client.expect("cf_agent_mcp_servers")
    await clients[0].send("hello")
    for client in clients:
        assert await client.expect(lambda frame: isinstance(frame, str)) == "c0: hello"
    await clients[1].send(b"abc")
    assert await clients[1].expect(lambda frame: isinstance(frame, bytes)) == b"cba"
    await top.below(path, "add", 5)
    for client in clients:
        assert (await client.expect("cf_agent_state"))["state"] == {"n": 5}
    await clients[2].set_state({"n": 6})
    for client in clients[:2]:
        assert (await client.expect("cf_agent_state"))["state"] == {"n": 6}
    await runtime.settle()
    unread = [frame for client in (*clients, own) for frame in client.unread]
    assert {frame["type"] for frame in unread} == {"cf_agent_identity"}, "but for what was not waited for"


async def test_nothing_that_a_child_says_is_lost_with_its_answer(runtime):
    top = runtime.get(Top, "t")
    client = await runtime.connect("/agents/top/t/sub/kid/a")
    await top.impatient("a")
    await asyncio.sleep(0.1)
    assert await top.odd("a") != []
    await top.below(["a"], "say", "last")
    for text in ("before", "after", "odd", "last"):
        assert await client.expect(lambda frame: isinstance(frame, str)) == text


async def test_many_large_frames_arrive_in_order(runtime):
    top = runtime.get(Top, "t")
    client = await runtime.connect("/agents/top/t/sub/kid/a/sub/kid/b")
    await top.below(["a", "b"], "speak_at_length", 8, 1_500_000)
    for number in range(8):
        frame = await client.expect(lambda frame: isinstance(frame, str))
        assert (frame[0], len(frame)) == (str(number), 1_500_000)
    with pytest.raises(RemoteError, match="may have 4,000,000 characters"):
        await top.below(["a", "b"], "speak_at_length", 1, 4_000_001)


async def test_closing_is_told_on_both_sides(runtime):
    top = runtime.get(Top, "t")
    one = await runtime.connect("/agents/top/t/sub/kid/a", id="one")
    two = await runtime.connect("/agents/top/t/sub/kid/a", id="two")
    assert await one.close(4000, "enough") == (4000, "enough")
    await two.send("bye")
    assert await two.wait_closed() == (4001, "as asked")
    await runtime.settle()
    notes = await top.below(["a"], "notes")
    assert notes[0] == "close one 4000"
    assert await top.below(["a"], "say", "anyone?") == 0


async def test_the_gate_decides_about_connections(runtime):
    runtime.bind(Guarded)
    runtime.expect_errors()
    ends = {}
    for name in ("secret", "rejected", "broken"):
        client = await runtime.connect(f"/agents/guarded/g/sub/kid/{name}")
        ends[name] = await client.wait_closed()
    assert ends["secret"] == (4403, "Sub-agent connection rejected (403)")
    assert ends["rejected"] == (4402, "pay first")
    assert ends["broken"][0] == 1011
    client = await runtime.connect("/agents/guarded/g/sub/kid/open")
    await client.expect("cf_agent_identity")
    for _ in range(3):
        await client.send("frame")
    await runtime.settle()
    gates = [note for note in await runtime.get(Guarded, "g").notes() if note == "gate Kid open"]
    assert len(gates) == 1, "once for a connection, not for its frames"
    assert await runtime.get(Guarded, "g").kids() == ["open"]


async def test_deletion_closes_the_clients_of_a_child(runtime):
    top = runtime.get(Top, "t")
    urls = ["/sub/kid/a", "/sub/kid/a/sub/kid/b", "/sub/kid/ab"]
    clients = [await runtime.connect(f"/agents/top/t{url}") for url in urls]
    await top.drop("a")
    assert [await client.wait_closed() for client in clients[:2]] == [(1001, "Sub-agent deleted")] * 2
    await clients[2].send("still here")
    await clients[2].expect(lambda frame: isinstance(frame, str))
    assert await top.kids() == ["ab"]


async def test_late_frames_do_not_bring_a_deleted_child_back(runtime):
    top = runtime.get(Top, "t")
    client = await runtime.connect("/agents/top/t/sub/kid/a")
    async with asyncio.TaskGroup() as group:
        group.create_task(top.drop("a"))
        for _ in range(5):
            group.create_task(_send(client))
    await runtime.settle()
    assert await top.kids() == []


async def _send(client: Any) -> None:
    with suppress(Exception):  # it may be closed already
        await client.send("late")


async def test_a_crash_leaves_no_ghosts_among_the_connections(runtime):
    runtime.bind(Top)
    await runtime.connect("/agents/top/t/sub/kid/a", id="old")
    assert await runtime.get(Top, "t").below(["a"], "say", "x") == 1
    await runtime.restart(crash=True)
    assert await runtime.get(Top, "t").below(["a"], "say", "x") == 0
    await runtime.connect("/agents/top/t/sub/kid/a", id="new")
    assert await runtime.get(Top, "t").below(["a"], "say", "x") == 1


# From elsewhere


async def test_sub_agents_are_called_from_outside(runtime):
    runtime.bind(Top)
    parent = runtime.get(Top, "t")
    kid = await get_sub_agent_by_name(parent, Kid, "a")
    assert await kid.add(by=3) == 3
    assert await kid.state == {"n": 3}
    with pytest.raises(RemoteError, match="ValueError: it cannot"):
        await kid.fail()
    with pytest.raises(UsageError, match="only calls methods"):
        await kid.fetch("http://x/")
    with pytest.raises(RemoteError, match="no Agent class"):
        await get_sub_agent_by_name(parent, "Nobody", "a")
    assert await parent.kids() == ["a"]


async def test_the_worker_routes_to_a_sub_agent_of_its_choice(runtime):
    async def worker(request, env, ctx):
        parent = await get_agent_by_name(env.Guarded, "g")
        path = "/sub/kid/open/there" if "mapped" in request.url else None
        return await route_sub_agent_request(request, parent, from_path=path)

    runtime.bind(Guarded)
    runtime.serve(worker)
    assert await (await runtime.fetch("/mapped?q=1")).text() == "open GET http://localhost:8787/there?q=1 "
    assert (await runtime.fetch("/api/sub/kid/secret")).status == 403
    assert (await runtime.fetch("/api/nothing")).status == 400
