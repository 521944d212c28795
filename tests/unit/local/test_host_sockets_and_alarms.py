"""WebSockets and alarms of the local host, on a plain Durable Object."""

from __future__ import annotations

import asyncio

import pytest

from agents_runtime._platform.base import DurableObject
from agents_runtime.local.clock import VirtualClock
from agents_runtime.local.entropy import SeededEntropy
from agents_runtime.local.host import Host
from agents_runtime.local.options import HostOptions
from agents_runtime.local.shim.response import Response
from agents_runtime.local.sockets import AutoResponse, WebSocketPair
from agents_runtime.local.store import MemoryStore
from agents_runtime.local.values import ArrayBuffer, JsException


class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.seen = 0
        ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS log (line TEXT)")

    async def fetch(self, request):
        pair = WebSocketPair()
        self.ctx.acceptWebSocket(pair.server, ["guest"])
        self.ctx.setWebSocketAutoResponse(AutoResponse("ping", "pong"))
        return Response(None, status=101, web_socket=pair.client)

    async def webSocketMessage(self, ws, message):
        self.seen += 1
        if message == "boom":
            raise ValueError("boom")
        if message == "close":
            ws.close(4001, "go away")
            return
        if message == "write":
            self.ctx.storage.sql.exec("INSERT INTO log VALUES ('written')")
        if message == "attach":
            ws.serializeAttachment({"mine": 1})
        if message == "slow":
            await asyncio.sleep(0.01)
        kind = "bytes" if isinstance(message, ArrayBuffer) else "text"
        ws.send(f"{kind} {self.seen} {ws.deserializeAttachment()}")

    async def webSocketClose(self, ws, code, reason, was_clean):
        self.ctx.storage.sql.exec("INSERT INTO log VALUES (?)", f"closed {code} {reason} {was_clean}")
        if code not in (1005, 1006):
            ws.close(code, reason)

    async def alarm(self, info):
        self.ctx.storage.sql.exec("INSERT INTO log VALUES (?)", f"alarm {info.retryCount} {info.isRetry}")
        if self.log().count("alarm") < self.failures():
            if self.failures() == 50:
                await self.ctx.storage.setAlarm(info.scheduledTime + 60_000)
            raise ValueError("alarm failed")

    async def broadcast(self, text):
        for socket in self.ctx.getWebSockets("guest"):
            socket.send(text)
        return len(self.ctx.getWebSockets())

    async def set_alarm(self, when_ms, failures=0):
        self.ctx.storage.kv.put("failures", failures)
        await self.ctx.storage.setAlarm(when_ms)

    async def get_alarm(self):
        return await self.ctx.storage.getAlarm()

    def failures(self):
        return self.ctx.storage.kv.get("failures") or 0

    def log(self):
        return " | ".join(row["line"] for row in self.ctx.storage.sql.exec("SELECT line FROM log"))


class Browser:
    """A peer that keeps what it was sent."""

    def __init__(self):
        self.frames = []
        self.closed = None

    def send(self, data):
        self.frames.append(data)

    def close(self, code, reason):
        self.closed = (code, reason)


class WatchedHost(Host):
    """Keeps what nobody else would see."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.errors: list[tuple[str, str]] = []


@pytest.fixture
async def host():
    host = WatchedHost(HostOptions(), clock=VirtualClock(), entropy=SeededEntropy(1))
    host.bind(Room)
    host.on_error = lambda actor, event, error: host.errors.append((event, str(error)))
    await host.start()
    yield host
    await host.stop(grace_s=1)


async def connect(host, name="a"):
    response = await host.env.Room.getByName(name).fetch("http://x/", headers={"Upgrade": "websocket"})
    browser = Browser()
    response.web_socket.attach(browser)
    return response.web_socket, browser


def room(host, name="a"):
    return host.env.Room.getByName(name)


async def test_frames_arrive_in_order_as_text_and_bytes(host):
    socket, browser = await connect(host)
    socket.receive("one")
    socket.receive(b"two")
    await host.settle()
    assert browser.frames == ["text 1 None", "bytes 2 None"]
    assert socket.backlog == 0


async def test_a_socket_outlives_the_memory_of_its_object(host):
    socket, browser = await connect(host)
    socket.receive("attach")
    await host.evict(room(host).id)
    assert not host.is_live(room(host).id)
    socket.receive("again")
    await host.settle()
    assert browser.frames == ["text 1 {'mine': 1}", "text 1 {'mine': 1}"]


async def test_an_automatic_answer_does_not_wake_the_object(host):
    socket, browser = await connect(host)
    await host.evict(room(host).id)
    socket.receive("ping")
    assert browser.frames == ["pong"]
    assert not host.is_live(room(host).id)


async def test_a_failing_handler_is_reported_and_the_socket_stays_open(host):
    socket, browser = await connect(host)
    socket.receive("boom")
    socket.receive("hello")
    await host.settle()
    assert browser.frames == ["text 2 None"]
    assert host.errors == [("webSocketMessage", "boom")]


async def test_the_object_closes_a_socket(host):
    socket, browser = await connect(host)
    socket.receive("close")
    await host.settle()
    assert browser.closed == (4001, "go away")
    assert await room(host).broadcast("x") == 0
    socket.receive_close(4001, "go away", True)
    await host.settle()
    assert await room(host).log() == "closed 4001 go away True"


async def test_a_close_by_the_client_reaches_the_object_and_is_answered(host):
    socket, browser = await connect(host)
    socket.receive_close(1000, "bye", True)
    await host.settle()
    assert browser.closed == (1000, "bye")
    assert await room(host).log() == "closed 1000 bye True"
    assert await room(host).broadcast("x") == 0


async def test_a_lost_connection_reaches_the_object(host):
    socket, _ = await connect(host)
    await host.evict(room(host).id)
    socket.receive_close(1006, "lost", False)
    await host.settle()
    assert await room(host).log() == "closed 1006 lost False"


async def test_a_broadcast_hands_the_same_text_to_every_socket(host):
    browsers = [(await connect(host))[1] for _ in range(3)]
    text = "x" * 100
    assert await room(host).broadcast(text) == 3
    assert len({id(browser.frames[0]) for browser in browsers}) == 1


async def test_no_frame_leaves_before_the_commit_and_none_if_it_fails():
    class FullDisk:
        full = False

        def before_write(self):
            pass

        def before_commit(self):
            if self.full:
                raise OSError("disk full")

        def after_commit(self):
            pass

    faults = FullDisk()
    host = Host(clock=VirtualClock(), faults=faults)
    host.bind(Room)
    host.on_error = lambda actor, event, error: None
    await host.start()
    socket, browser = await connect(host)
    socket.receive("write")
    await host.settle()
    assert browser.frames == ["text 1 None"]
    faults.full = True
    socket.receive("write")
    await host.settle()
    assert browser.frames == ["text 1 None"]
    assert browser.closed is not None
    faults.full = False
    assert await room(host).log() == "written"
    await host.stop()


async def test_tags_and_automatic_answers_are_limited(host):
    ctx = await host.run_in(room(host).id, lambda instance: instance.ctx)
    for tags in (["t"] * 11, ["x" * 257]):
        with pytest.raises(JsException, match="tag"):
            ctx.acceptWebSocket(WebSocketPair().server, tags)
    with pytest.raises(ValueError, match="2048"):
        AutoResponse("x" * 2049, "y")


async def test_an_attachment_is_limited(host):
    await connect(host)
    sockets = await host.run_in(room(host).id, lambda instance: instance.ctx.getWebSockets())
    with pytest.raises(JsException, match="16384"):
        sockets[0].serializeAttachment("x" * 16_400)
    with pytest.raises(ValueError, match="16384"):
        sockets[0].write_attachment("x" * 16_385)


async def test_handles_compare_equal_and_cannot_be_dictionary_keys(host):
    await connect(host)
    first, second = await host.run_in(
        room(host).id, lambda instance: [*instance.ctx.getWebSockets(), *instance.ctx.getWebSockets()]
    )
    assert first == second
    with pytest.raises(TypeError, match="unhashable"):
        hash(first)


def advance(host, ms):
    until = host.clock.now_ms() + ms
    while host.clock.step(until):
        pass


async def test_an_alarm_fires_once_at_its_time_and_never_early(host):
    due = host.clock.now_ms() + 5_000
    await room(host).set_alarm(due)
    advance(host, 4_999)
    await host.settle()
    assert await room(host).log() == ""
    advance(host, 1)
    await host.settle()
    assert await room(host).log() == "alarm 0 False"
    assert await room(host).get_alarm() is None
    advance(host, 3_600_000)
    await host.settle()
    assert await room(host).log() == "alarm 0 False"


async def test_an_alarm_wakes_an_evicted_object(host):
    await room(host).set_alarm(host.clock.now_ms() + 60_000)
    await host.evict(room(host).id)
    advance(host, 60_000)
    await host.settle()
    assert await room(host).log() == "alarm 0 False"


async def test_a_failing_alarm_is_retried_with_growing_delays_and_then_given_up(host):
    await room(host).set_alarm(host.clock.now_ms() + 1_000, 99)
    for _ in range(20):
        advance(host, 200_000)
        await host.settle()
    assert (await room(host).log()).count("alarm") == 7
    assert "alarm 6 True" in await room(host).log()
    assert await room(host).get_alarm() is None


async def test_a_retried_alarm_keeps_its_time_until_it_succeeds(host):
    due = host.clock.now_ms() + 1_000
    await room(host).set_alarm(due, 2)
    advance(host, 1_000)
    await host.settle()
    assert await room(host).get_alarm() == due
    advance(host, 1_999)
    await host.settle()
    assert await room(host).log() == "alarm 0 False"
    advance(host, 10_000)
    await host.settle()
    assert await room(host).log() == "alarm 0 False | alarm 1 True"
    assert await room(host).get_alarm() is None


async def test_an_alarm_set_by_a_failing_handler_replaces_the_retry(host):
    due = host.clock.now_ms() + 1_000
    await room(host).set_alarm(due, 50)
    advance(host, 1_000)
    await host.settle()
    assert await room(host).get_alarm() == due + 60_000
    advance(host, 59_000)
    await host.settle()
    assert await room(host).log() == "alarm 0 False"
    advance(host, 1_000)
    await host.settle()
    assert await room(host).log() == "alarm 0 False | alarm 0 False"


@pytest.mark.parametrize("kind", ["memory", "disk"])
async def test_an_overdue_alarm_fires_after_a_restart(kind, tmp_path):
    clock, store = VirtualClock(), MemoryStore()
    options = HostOptions(data=tmp_path) if kind == "disk" else HostOptions()

    async def start():
        host = Host(options, clock=clock, store=None if kind == "disk" else store)
        host.bind(Room)
        await host.start()
        return host

    host = await start()
    await room(host).set_alarm(clock.now_ms() + 1_000)
    await host.stop()
    advance(host, 3_600_000)
    host = await start()
    advance(host, 0)
    await host.settle()
    assert await room(host).log() == "alarm 0 False"
    await host.stop()


async def test_a_rolled_back_alarm_does_not_fire(host):
    await room(host).set_alarm(host.clock.now_ms() + 5_000)

    def replace_and_crash(instance):
        instance.ctx.storage.kv.put("x", 1)
        instance.ctx.agents_platform.alarm.set_ms(host.clock.now_ms() + 1_000)
        instance.ctx.abort("crash")

    with pytest.raises(JsException, match="crash"):
        await host.run_in(room(host).id, replace_and_crash)
    advance(host, 4_999)
    await host.settle()
    assert await room(host).log() == ""
    advance(host, 1)
    await host.settle()
    assert await room(host).log() == "alarm 0 False"


async def test_stopping_closes_sockets_so_that_clients_reconnect():
    host = Host(clock=VirtualClock())
    host.bind(Room)
    await host.start()
    _, browser = await connect(host)
    await host.stop()
    assert browser.closed == (1012, "Service restart")
