"""The test runtime: objects, time, sleep, crashes, restarts and faults, as a test sees them."""

import asyncio
import runpy
from datetime import UTC, datetime, timedelta

import pytest
from workers import DurableObject, Request, Response, WorkerEntrypoint

from agents_runtime import Agent
from agents_runtime.errors import UsageError
from agents_runtime.testing import ConnectRefused, RunawayTimers


class Notebook(DurableObject):
    """Keeps lines, rings when an alarm fires, and talks over WebSockets."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.calls = 0

    async def add(self, line):
        self.calls += 1
        lines = [*await self.lines(), line]
        self.ctx.storage.kv.put("lines", lines)
        return len(lines)

    async def lines(self):
        return self.ctx.storage.kv.get("lines") or []

    async def count_calls(self):
        return self.calls

    async def ring_at(self, when_ms, again_after_ms=None):
        self.ctx.storage.kv.put("again_after_ms", again_after_ms)
        await self.ctx.storage.setAlarm(when_ms)

    async def alarm(self, info=None):
        await self.add(f"rang at {self.ctx.agents_platform.clock.now_ms()}")
        again_after_ms = self.ctx.storage.kv.get("again_after_ms")
        if again_after_ms is not None:
            await self.ctx.storage.setAlarm(self.ctx.agents_platform.clock.now_ms() + again_after_ms)

    async def nap(self, seconds):
        await self.ctx.agents_platform.clock.sleep(seconds)
        return self.ctx.agents_platform.clock.now_ms()

    async def half_done(self):
        async def work(transaction):
            self.ctx.storage.kv.put("lines", ["uncommitted"])
            await asyncio.Event().wait()

        await self.ctx.storage.transaction(work)

    async def fail(self, text):
        raise ValueError(text)

    async def fetch(self, request):
        if request.headers.get("Upgrade") != "websocket":
            return Response(f"{request.method} {request.url}")
        if "refuse" in request.url:
            return Response("not today", status=403)
        socket, response = self.ctx.agents_platform.sockets.accept(["notebook"], "hello")
        socket.send(f"welcome to {self.ctx.id.name} as {request.headers.get('X-User') or 'nobody'}")
        return response

    async def webSocketMessage(self, socket, message):
        if message == "crash":
            raise ValueError("handler went wrong")
        if message == "close":
            socket.close(4000, "as you wish")
            return
        socket.send(f"{message}, attachment {socket.read_attachment()}, call {await self.add(str(message))}")

    async def webSocketClose(self, socket, code, reason, was_clean):
        await self.add(f"closed {code} {reason}")
        socket.close(code, reason)


class Other(DurableObject):
    async def ask(self, name):
        return await self.env.Notebook.getByName(name).lines()


# Objects


async def test_the_first_use_binds_a_class(runtime):
    notebook = runtime.get(Notebook, "a")
    assert await notebook.add("x") == 1
    assert await runtime.get(Notebook, "a").lines() == ["x"]
    assert await runtime.get(Notebook, "b").lines() == []
    assert await runtime.env.Notebook.getByName("a").lines() == ["x"]
    assert (notebook.name, notebook.id) == ("a", str(runtime.env.Notebook.idFromName("a")))


async def test_a_class_may_have_a_binding_of_another_name(runtime):
    runtime.bind(Notebook, "NOTES")
    assert await runtime.get(Notebook, "a").add("x") == 1
    assert await runtime.env.NOTES.getByName("a").lines() == ["x"]


async def test_objects_reach_each_other_through_the_environment(runtime):
    runtime.bind(Notebook)
    await runtime.get(Notebook, "a").add("x")
    assert await runtime.get(Other, "o").ask("a") == ["x"]


async def test_a_call_can_name_the_method_by_class(runtime):
    notebook = runtime.get(Notebook, "a")
    assert await notebook.call(Notebook.add, "x") == 1
    assert await notebook.call(Notebook.lines) == ["x"]


async def test_a_failing_call_shows_where_it_failed(runtime):
    with pytest.raises(Exception, match="it broke") as failure:
        await runtime.get(Notebook, "a").fail("it broke")
    assert "in fail" in str(failure.value) + "".join(getattr(failure.value, "__notes__", ()))


async def test_an_object_without_state_says_so(runtime):
    with pytest.raises(UsageError, match="is no agent"):
        await runtime.get(Notebook, "a").state


async def test_run_in_agent_sees_the_instance_and_keeps_exceptions(runtime):
    notebook = runtime.get(Notebook, "a")
    assert await runtime.run_in_agent(notebook, lambda instance: instance.ctx.id.name) == "a"
    assert await runtime.run_in_agent(notebook, Notebook.lines) == []
    with pytest.raises(ValueError, match="it broke"):
        await runtime.run_in_agent(notebook, lambda instance: instance.fail("it broke"))


async def test_ids_of_a_class_are_listed(runtime):
    await runtime.get(Notebook, "a").add("x")
    await runtime.get(Notebook, "b").add("x")
    ids = runtime.list_ids(Notebook)
    assert {object_id.name for object_id in ids} == {"a", "b"}
    assert await runtime.get_by_id(ids[0]).lines() == ["x"]


async def test_two_runtimes_share_nothing(runtime_factory):
    one, other = runtime_factory(), runtime_factory()
    await one.get(Notebook, "a").add("x")
    assert await other.get(Notebook, "a").lines() == []


async def test_the_same_class_from_a_second_import_is_the_same(runtime, tmp_path):
    path = tmp_path / "twice.py"
    path.write_text("from workers import DurableObject\nclass Twin(DurableObject):\n    async def hi(self): return 1\n")
    twins = [runpy.run_path(str(path), run_name=name)["Twin"] for name in ("one", "other")]
    assert twins[0] is not twins[1]
    assert await runtime.get(twins[0], "a").hi() == await runtime.get(twins[1], "a").hi() == 1


# Requests


async def test_fetch_on_a_handle_goes_straight_to_the_object(runtime):
    response = await runtime.get(Notebook, "a").fetch("/notes?x=1", method="POST", body="hi")
    assert await response.text() == "POST http://localhost:8787/notes?x=1"


async def test_fetch_without_an_entrypoint_routes_to_agents(runtime):
    runtime.bind(Notebook)
    response = await runtime.fetch("/agents/notebook/a/page")
    assert await response.text() == "GET http://localhost:8787/agents/notebook/a/page"
    assert (await runtime.fetch("/elsewhere")).status == 404


async def test_fetch_goes_through_the_entrypoint(runtime_factory):
    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            return Response(f"{self.env.GREETING} {request.url}")

    runtime = runtime_factory(env={"GREETING": "hello"})
    runtime.serve(Default)
    assert await (await runtime.fetch("/x")).text() == "hello http://localhost:8787/x"
    assert await (await runtime.fetch(Request("https://example.com/y"))).text() == "hello https://example.com/y"


async def test_a_project_folder_is_loaded_with_everything_it_names(runtime, tmp_path):
    (tmp_path / "wrangler.toml").write_text(
        'name = "shop"\nmain = "shop_entry.py"\ncompatibility_date = "2026-06-01"\n'
        'compatibility_flags = ["python_workers"]\n[vars]\nGREETING = "welcome"\n'
        '[[durable_objects.bindings]]\nname = "TILL"\nclass_name = "Till"\n'
        '[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Till"]\n'
    )
    (tmp_path / "shop_entry.py").write_text(
        "from workers import DurableObject, Response, WorkerEntrypoint\n"
        "class Till(DurableObject):\n"
        "    async def open(self): return f'till {self.ctx.id.name} open'\n"
        "class Default(WorkerEntrypoint):\n"
        "    async def fetch(self, request):\n"
        "        return Response(self.env.GREETING + ', ' + await self.env.TILL.getByName('t').open())\n"
    )
    runtime.load(tmp_path)
    assert await (await runtime.fetch("/")).text() == "welcome, till t open"
    await runtime.restart()
    assert await (await runtime.fetch("/")).text() == "welcome, till t open"


# WebSockets


async def test_connect_by_class_handle_and_path(runtime):
    for target in ((Notebook, "a"), (runtime.get(Notebook, "a"),), ("/agents/notebook/a",)):
        client = await runtime.connect(*target, headers={"X-User": "ann"})
        assert await client.expect(lambda frame: True) == "welcome to a as ann"


async def test_a_refused_upgrade_carries_status_and_text(runtime):
    with pytest.raises(ConnectRefused, match="403: not today") as failure:
        await runtime.connect(Notebook, "a", query={"token": "refuse"})
    assert (failure.value.status, failure.value.body) == (403, "not today")


async def test_a_client_outlives_eviction_of_its_object(runtime_factory):
    runtime = runtime_factory(evict_before_every_event=False)
    notebook = runtime.get(Notebook, "a")
    client = await runtime.connect(notebook)
    await client.send("one")
    assert await client.expect(lambda frame: frame.startswith("one")) == "one, attachment hello, call 1"
    assert await notebook.count_calls() == 1
    await runtime.evict(notebook)
    assert await notebook.count_calls() == 0
    await client.send("two")
    assert await client.expect(lambda frame: frame.startswith("two")) == "two, attachment hello, call 2"
    assert client.closed is None


async def test_frames_are_delivered_in_order(runtime):
    client = await runtime.connect(Notebook, "a")
    for number in range(20):
        await client.send(str(number))
    await runtime.settle()
    assert [frame.partition(",")[0] for frame in client.frames[1:]] == [str(number) for number in range(20)]


async def test_closing_from_either_side(runtime):
    client = await runtime.connect(Notebook, "a")
    assert await client.close(4001, "bye") == (4001, "bye")
    other = await runtime.connect(Notebook, "a")
    await other.send("close")
    assert await other.wait_closed() == (4000, "as you wish")
    third = await runtime.connect(Notebook, "a")
    third.vanish()
    await runtime.settle()
    lines = await runtime.get(Notebook, "a").lines()
    assert ("closed 4001 bye" in lines, "closed 1006 " in lines) == (True, True)


async def test_an_exception_in_a_handler_is_kept(runtime):
    errors = runtime.expect_errors()
    client = await runtime.connect(Notebook, "a")
    await client.send("crash")
    await runtime.settle()
    [error] = errors
    assert (error.where, error.event, str(error.error)) == ("<Notebook 'a'>", "webSocketMessage", "handler went wrong")
    assert "in webSocketMessage" in error.describe()


# Time


async def test_time_stands_still_unless_moved(runtime):
    start = runtime.now_ms
    assert datetime.fromtimestamp(start / 1000, UTC) == datetime(2026, 1, 1, tzinfo=UTC)
    await runtime.get(Notebook, "a").add("x")
    await asyncio.sleep(0.01)
    assert runtime.now_ms == start
    await runtime.advance(timedelta(days=1), minutes=5, milliseconds=7)
    assert runtime.now_ms == start + 86_400_000 + 300_007
    await runtime.advance_to(datetime(2026, 2, 1, tzinfo=UTC))
    assert runtime.now_ms == round(datetime(2026, 2, 1, tzinfo=UTC).timestamp() * 1000)
    with pytest.raises(UsageError, match="cannot go back"):
        await runtime.advance(seconds=-1)


async def test_a_runtime_can_start_at_another_time(runtime_factory):
    when = datetime(2030, 5, 6, 7, 8, tzinfo=UTC)
    assert runtime_factory(start=when).now_ms == when.timestamp() * 1000
    assert runtime_factory(start=when.replace(tzinfo=None)).now_ms == when.timestamp() * 1000


async def test_alarms_ring_in_order_each_at_its_own_time(runtime):
    start = runtime.now_ms
    for name, delay_ms in (("late", 3000), ("early", 1000), ("never", 9000)):
        await runtime.get(Notebook, name).ring_at(start + delay_ms)
    await runtime.advance(seconds=5)
    assert await runtime.get(Notebook, "early").lines() == [f"rang at {start + 1000}"]
    assert await runtime.get(Notebook, "late").lines() == [f"rang at {start + 3000}"]
    assert await runtime.get(Notebook, "never").lines() == []


async def test_a_repeating_alarm_rings_each_time(runtime):
    start = runtime.now_ms
    await runtime.get(Notebook, "a").ring_at(start + 60_000, 60_000)
    await runtime.advance(minutes=5)
    assert await runtime.get(Notebook, "a").lines() == [f"rang at {start + n * 60_000}" for n in range(1, 6)]


async def test_a_runaway_alarm_is_stopped_and_named(runtime):
    await runtime.get(Notebook, "mad").ring_at(runtime.now_ms, 0)
    with pytest.raises(RunawayTimers, match=r"all due at the same moment.*Armed now: <Notebook 'mad'> at 2026-01-01"):
        await runtime.advance(seconds=1)


async def test_the_number_of_timers_is_bounded(runtime):
    await runtime.get(Notebook, "a").ring_at(runtime.now_ms, 1000)
    with pytest.raises(RunawayTimers, match=r"pass `limit=`"):
        await runtime.advance(hours=1, limit=20)


async def test_run_alarm_runs_it_now(runtime):
    notebook = runtime.get(Notebook, "a")
    assert await runtime.run_alarm(notebook) is False
    await notebook.ring_at(runtime.now_ms + 1_000_000)
    assert await runtime.run_alarm(notebook) is True
    assert await notebook.lines() == [f"rang at {runtime.now_ms}"]
    assert await runtime.run_alarm(notebook) is False


async def test_sleeping_objects_wake_when_time_passes(runtime):
    napping = asyncio.ensure_future(runtime.get(Notebook, "a").nap(90))
    await runtime.settle()
    assert not napping.done()
    await runtime.advance(minutes=2)
    assert await napping == runtime.now_ms - 30_000


# Sleep, crash, restart


async def test_evicting_a_busy_object_is_refused(runtime):
    notebook = runtime.get(Notebook, "a")
    napping = asyncio.ensure_future(notebook.nap(1))
    await runtime.settle()
    with pytest.raises(UsageError, match="cannot be evicted"):
        await runtime.evict(notebook)
    await runtime.advance(seconds=1)
    await napping
    await runtime.evict(notebook)


async def test_eviction_may_close_websockets(runtime):
    client = await runtime.connect(Notebook, "a")
    await runtime.evict_all()
    assert client.closed is None
    await runtime.evict_all(websockets="close")
    assert client.closed is not None
    assert client.closed[0] == 1012


async def test_a_crash_loses_memory_and_what_was_not_committed(runtime):
    notebook = runtime.get(Notebook, "a")
    await notebook.add("x")
    client = await runtime.connect(notebook)
    interrupted = asyncio.ensure_future(notebook.half_done())
    await runtime.settle()
    runtime.crash(notebook)
    with pytest.raises(Exception, match="crashed"):
        await interrupted
    assert client.closed == (1006, "")
    assert await notebook.lines() == ["x"]


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("on_disk", [False, True])
async def test_a_restart_keeps_what_was_committed_and_the_alarms(runtime_factory, tmp_path, crash, on_disk):
    runtime = runtime_factory(env={"KEY": "kept"}, data=tmp_path / "data" if on_disk else None)
    notebook = runtime.get(Notebook, "a")
    await notebook.add("x")
    await notebook.ring_at(runtime.now_ms + 1000)
    client = await runtime.connect(notebook)
    await runtime.restart(crash=crash)
    assert client.closed is not None
    assert client.closed[0] == (1006 if crash else 1012)
    assert await notebook.lines() == ["x"]
    assert runtime.env.KEY == "kept"
    await runtime.advance(seconds=1)
    assert await notebook.lines() == ["x", f"rang at {runtime.now_ms}"]


# Faults


async def test_a_refused_write_fails_the_call_and_only_that(runtime):
    notebook = runtime.get(Notebook, "a")
    await notebook.add("one")
    runtime.fail_write()
    with pytest.raises(Exception, match="the test let this fail: refused write"):
        await notebook.add("two")
    assert await notebook.lines() == ["one"]
    assert await notebook.add("three") == 2


async def test_a_refused_commit_lets_nothing_out(runtime):
    notebook = runtime.get(Notebook, "a")
    client = await runtime.connect(notebook)
    runtime.expect_errors()
    runtime.fail_commit()
    await client.send("one")
    await runtime.settle()
    assert client.frames == ["welcome to a as nobody"]
    assert client.closed is not None
    assert await notebook.lines() == []


async def test_the_nth_commit_is_counted_from_now(runtime):
    notebook = runtime.get(Notebook, "a")
    runtime.expect_errors()
    await notebook.add("one")
    runtime.fail_commit(2)
    await notebook.add("two")
    with pytest.raises(Exception, match="refused commit"):
        await notebook.add("three")
    assert await notebook.lines() == ["one", "two"]


# The end


async def test_describe_tells_time_next_timer_and_seed(runtime_factory):
    runtime = runtime_factory(seed=7)
    assert runtime.describe() == "Virtual time 2026-01-01T00:00:00.000Z, seed 7."
    await runtime.get(Notebook, "a").ring_at(runtime.now_ms + 3_723_500)
    assert runtime.describe().splitlines()[1] == (
        "The next alarm or timer is due at 2026-01-01T01:02:03.500Z: "
        "`await runtime.advance(hours=1, minutes=2, seconds=3.5)`."
    )


async def test_a_closed_runtime_says_so(runtime):
    await runtime.aclose()
    with pytest.raises(UsageError, match="has ended with its test"):
        await runtime.get(Notebook, "a").lines()


async def test_ids_come_from_the_seed(runtime_factory):
    def unique_id(seed):
        runtime = runtime_factory(seed=seed)
        runtime.bind(Notebook)
        return str(runtime.env.Notebook.newUniqueId())

    assert unique_id(1) == unique_id(1) != unique_id(2)


async def test_running_in_a_cold_agent_starts_it_first(runtime):
    class Cold(Agent):
        def on_start(self):
            self.total_so_far = 40

        def total(self):
            return self.total_so_far

    assert await runtime.run_in_agent(runtime.get(Cold, "a"), lambda agent: agent.total() + 2) == 42
