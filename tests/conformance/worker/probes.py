"""Objects that show how a host treats them. They run unchanged on every host."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from workers import DurableObject, Response, wait_until

from agents_runtime import stream_response
from agents_runtime._platform.base import platform_of
from agents_runtime.connections.traffic import answer_close
from agents_runtime.errors import FetchFailed

RELAYED = {
    "none": None,
    "yes": True,
    "int": 7,
    "float": 2.5,
    "whole": 2.0,
    "text": "é😀",
    "list": [1, [None]],
    "dict": {"a": None},
}
UNSENDABLE: dict[str, Any] = {"object": object(), "function result": range(3), "complex": 1j, "frozenset": frozenset()}
UNCONVERTIBLE: dict[str, Any] = {"tuple": (1, 2), "bytearray": bytearray(b"x"), "nested tuple": {"a": [(1,)]}}


PLAIN = {"dict", "list", "str", "int", "float", "bool", "bytes", "NoneType"}


def walk(value: Any) -> Iterator[Any]:
    """A value and everything in it."""
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(item)


class Note(Exception):
    """An exception of the user's own."""


def caught(error: BaseException) -> dict[str, Any]:
    """What a program sees of an exception."""
    name = getattr(error, "name", None)
    return {
        "type": type(error).__name__,
        "name": name if isinstance(name, str) else None,
        "last": str(error).strip().splitlines()[-1] if str(error).strip() else "",
        "is_exception": isinstance(error, Exception),
    }


class Probe(DurableObject):
    """What user code may do with the platform itself."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.sql = ctx.storage.sql
        self.seen = 0
        self.sql.exec("CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, what TEXT)")

    def note(self, what: str) -> None:
        self.sql.exec("INSERT INTO log (what) VALUES (?)", what)

    def notes(self) -> list[str]:
        return [row.what for row in self.sql.exec("SELECT what FROM log ORDER BY id")]

    # Memory

    def count(self) -> int:
        """How many times this life of the object was asked."""
        self.seen += 1
        return self.seen

    def who(self) -> list[Any]:
        return [self.ctx.id.name, len(self.ctx.id.toString())]

    def settings(self) -> list[Any]:
        return [self.env.GREETING, getattr(self.env, "NOTHING", "absent"), type(self.env.SETTINGS).__name__ != "str"]

    def javascript_globals(self) -> list[str]:
        """Names of the library's modules that stand for JavaScript objects. On Workers only."""
        from pyodide.ffi import JsProxy

        return [
            f"{module}.{name}"
            for module, loaded in list(sys.modules.items())
            if module.startswith("agents_runtime")
            for name, value in vars(loaded).items()
            if isinstance(value, JsProxy) and name != "js"
        ]

    def log_at(self, name: str, level: str) -> None:
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.info("an informative record")

    # RPC

    def echo(self, *values: Any) -> Any:
        return list(values)

    def describe(self, *values: Any) -> list[str]:
        return [type(value).__name__ for value in values]

    def take(self, a: Any, b: Any = None) -> list[Any]:
        return [a, b]

    async def relay(self, peer: str) -> dict[str, Any]:
        """Send values to another object and back."""
        stub = self.env.PROBE.getByName(peer)
        return {key: (await stub.echo(value))[0] for key, value in RELAYED.items()}

    async def relay_types(self, peer: str) -> list[str]:
        stub = self.env.PROBE.getByName(peer)
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        return await stub.describe(None, True, 1, 2.0, 2.5, "x", [1], {"a": 1}, b"x", {1}, moment)

    async def relay_refused(self, peer: str) -> dict[str, Any]:
        """Which values cannot be sent, and how that looks."""
        stub = self.env.PROBE.getByName(peer)
        found = {}
        for key, value in {**UNSENDABLE, **UNCONVERTIBLE}.items():
            try:
                await stub.echo(value)
                found[key] = "sent"
            except Exception as error:
                found[key] = "TypeError" if isinstance(error, TypeError) else caught(error)["name"]
        return found

    async def relay_keywords(self, peer: str) -> Any:
        """What arrives of keyword arguments."""
        try:
            return await self.env.PROBE.getByName(peer).take(1, b=2)
        except TypeError as error:
            return str(error)

    async def ask(self, peer: str, method: str, *args: Any) -> Any:
        """Call another object and tell what it raised."""
        try:
            return {"value": await getattr(self.env.PROBE.getByName(peer), method)(*args)}
        except Exception as error:
            return caught(error)

    async def copies(self) -> list[Any]:
        """Whether a call to oneself hands over copies."""
        value = {"list": [1]}
        (back,) = await self.env.PROBE.getByName(self.ctx.id.name).echo(value)
        back["list"].append(2)
        return [value, back]

    def fail(self, text: str) -> None:
        raise ValueError(text)

    def fail_with_own(self) -> None:
        raise Note("mine")

    async def fail_after_write(self) -> None:
        self.note("written before the failure")
        raise ValueError("late")

    def _hidden(self) -> str:
        return "underscore methods are reachable"

    attribute = "not a method"

    @property
    def prop(self) -> str:
        return "not a method"

    # Gates

    def increment(self) -> int:
        value = (self.ctx.storage.kv.get("n") or 0) + 1
        self.ctx.storage.kv.put("n", value)
        return value

    async def increment_through_storage(self) -> int:
        value = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", value)
        return value

    async def increment_through_sleep(self) -> int:
        value = (self.ctx.storage.kv.get("n") or 0) + 1
        await asyncio.sleep(0.05)
        self.ctx.storage.kv.put("n", value)
        return value

    async def increment_blocked(self) -> int:
        async def work():
            return await self.increment_through_sleep()

        return await self.ctx.blockConcurrencyWhile(work)

    async def block_and_fail(self) -> None:
        async def work():
            self.note("written in the blocked part")
            raise ValueError("blocked part failed")

        await self.ctx.blockConcurrencyWhile(work)

    async def steps(self, label: str) -> None:
        """Leave a trace before and after giving up control."""
        self.note(f"{label} begins")
        await asyncio.sleep(0.02)
        self.note(f"{label} ends")

    # Background work

    async def later(self, what: str) -> str:
        async def work():
            await asyncio.sleep(0.05)
            self.note(what)

        wait_until(asyncio.create_task(work()))
        return "answered"

    async def later_bare(self, what: str) -> str:
        async def work():
            self.note(what)

        wait_until(work())
        return "answered"

    async def task(self, what: str) -> str:
        async def work():
            await asyncio.sleep(0.05)
            self.note(what)

        self.background = asyncio.create_task(work())
        return "answered"

    # Time

    def clock(self) -> float:
        return time.time()

    # Alarms

    async def set_alarm(self, after_ms: int) -> Any:
        await self.ctx.storage.setAlarm(int(time.time() * 1000) + after_ms)
        return await self.ctx.storage.getAlarm()

    async def get_alarm(self) -> Any:
        return await self.ctx.storage.getAlarm()

    async def plan(self, plan: dict[str, Any], after_ms: int = 1) -> None:
        """Set an alarm and say what its handler is to do."""
        await self.ctx.storage.put("plan", plan)
        await self.set_alarm(after_ms)

    async def alarm(self, info=None):
        plan = await self.ctx.storage.get("plan") or {}
        self.note(f"alarm retry={info.retryCount} {str(bool(info.isRetry)).lower()} set={await self.get_alarm()}")
        if plan.get("rearm"):
            await self.ctx.storage.put("plan", {})
            await self.set_alarm(1)
        if plan.get("rearm_and_abort"):
            await self.ctx.storage.put("plan", {})
            await self.set_alarm(300)
            await self.ctx.storage.sync()
            self.ctx.abort("planned")
        if info.retryCount < plan.get("failures", 0):
            raise ValueError("planned")
        if plan.get("sleep"):
            await asyncio.sleep(plan["sleep"])
            self.note("alarm slept")

    # The end

    async def abort(self, reason: str) -> None:
        self.note("written before the abort")
        self.ctx.abort(reason)

    async def abort_catching(self) -> str:
        with contextlib.suppress(Exception):
            self.ctx.abort("not to be caught")
        return "caught as an Exception"

    async def delete_everything(self) -> list[Any]:
        await self.set_alarm(60_000)
        await self.ctx.storage.deleteAll()
        tables = [
            row.name for row in self.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'")
        ]
        return [tables, await self.get_alarm(), self.count()]

    # HTTP

    async def fetch(self, request):
        path = request.url.split("?")[0].rsplit("/", 1)[-1]
        if path == "boom":
            raise ValueError("secret words")
        if path == "body":
            return Response.json({"method": str(request.method.value), "text": await request.text()})
        if path == "headers":
            return Response(request.headers.get("x-test") or "", headers={"X-Back": "yes"}, status=201)
        if path == "ticks":
            return stream_response(self.ticks())
        return Response("no such probe", status=404)

    async def ticks(self):
        for number in range(3):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.05)
        self.note("ticks ended")


class BrokenProbe(DurableObject):
    """An object whose constructor fails the first time."""

    mended: set[str] = set()

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        if ctx.id.name not in self.mended:
            self.mended.add(ctx.id.name)
            ctx.storage.kv.put("tried", True)
            raise ValueError("broken from the start")

    def has_tried(self) -> bool:
        return bool(self.ctx.storage.kv.get("tried"))


class Ports(DurableObject):
    """The port that agents are built on, used directly."""

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.port = platform_of(ctx, env)
        self.messages = 0

    # Storage

    def sql(self, query: str, params: list[Any]) -> Any:
        try:
            return self.port.sql.execute(query, *params)
        except ValueError as error:
            return f"ValueError: {error}"
        except Exception as error:
            return str(error)

    def sql_types(self) -> list[Any]:
        """How values of every kind are stored and come back."""
        execute = self.port.sql.execute
        execute("CREATE TABLE t (i INTEGER, x)")
        values: list[Any] = [None, True, False, 5, 2.0, 2.5, "é", b"\x00\xff", memoryview(b"mv"), 2**53 - 2]
        for number, value in enumerate(values):
            execute("INSERT INTO t (i, x) VALUES (?, ?)", number, value)
        rows = execute("SELECT typeof(i) AS i, typeof(x) AS kind, x FROM t ORDER BY i")
        return [[row["i"], row["kind"], type(row["x"]).__name__, repr(row["x"])] for row in rows]

    def sql_refused(self) -> list[str]:
        """What cannot be bound."""
        found = []
        for value in (2**53, -(2**53), (1,), [1], {"a": 1}, object()):
            try:
                self.port.sql.execute("SELECT ?", value)  # type: ignore[arg-type] # the point of it
                found.append("bound")
            except ValueError as error:
                found.append(str(error).split(" at 0x")[0])
        return found

    def transact(self) -> list[Any]:
        """Nested transactions, one of them rolled back by an exception that stays the same object."""
        execute, kv = self.port.sql.execute, self.port.kv
        execute("CREATE TABLE t (a)")
        error = KeyError("mine")

        def failing():
            execute("INSERT INTO t VALUES (2)")
            kv.put("k", 2)
            raise error

        def outer():
            execute("INSERT INTO t VALUES (1)")
            kv.put("k", 1)
            try:
                self.port.sql.transaction(failing)
            except KeyError as caught_error:
                return caught_error is error
            return None

        same = self.port.sql.transaction(outer)
        return [same, [row["a"] for row in execute("SELECT a FROM t")], kv.get("k")]

    def keys(self) -> list[Any]:
        kv = self.port.kv
        kv.put("a", {"list": [1, None, {"b": None}], "text": "é", "yes": True, "float": 1.5})
        kv.put("b", None)
        kv.put("big", 1_800_000_000_000)
        return [kv.get("a"), kv.get("b"), kv.get("missing"), kv.get("big"), kv.delete("a"), kv.delete("a"), kv.get("a")]

    def keys_by_prefix(self) -> list[list[str]]:
        kv = self.port.kv
        for key in ("/a/2", "/a/1", "/a/é", "/a", "/b/1", "/a/10"):
            kv.put(key, {"none": None})
        return [list(kv.keys("/a/")), list(kv.keys("/b/1")), list(kv.keys("/c"))]

    def foreign_types(self) -> list[str]:
        """Types that are not Python's own, of what the port gives back."""
        self.port.kv.put("k", {"null": None, "list": [None, {"deep": None}], "whole": 2.0, "big": 2**40})
        found = [self.port.kv.get("k"), self.port.kv.get("missing")]
        found += self.port.sql.execute("SELECT NULL AS a, x'00ff' AS b, 1 AS c, 2.5 AS d, 'x' AS e")
        return sorted({type(value).__name__ for value in walk(found)} - PLAIN)

    # Identity and bindings

    def who(self) -> list[Any]:
        return [self.port.id.name, len(self.port.id.hex), sorted(self.port.namespaces())]

    def chance(self) -> list[Any]:
        entropy = self.port.entropy
        return [
            len(entropy.random_bytes(16)),
            entropy.random_bytes(8) != entropy.random_bytes(8),
            0 <= entropy.random() < 1,
        ]

    async def clock(self) -> list[Any]:
        before = self.port.clock.now_ms()
        await self.port.clock.sleep(0.03)
        return [isinstance(before, int), 25 <= self.port.clock.now_ms() - before < 5_000]

    # Outgoing requests

    async def request(self, method: str, url: str, headers: dict[str, str], body: str | None, timeout_s: float) -> Any:
        """Send a request and tell what came back, or what went wrong."""
        content = None if body is None else body.encode()
        try:
            answer = await self.port.fetch(method, url, headers=headers, body=content, timeout_s=timeout_s)
            kept = {
                name: value for name, value in answer.headers.items() if name in ("location", "x-back", "set-cookie")
            }
            return [answer.status, kept, (await answer.read(10_000)).decode()]
        except FetchFailed as error:
            return ["failed", error.is_timeout, str(error)]

    async def stream(self, url: str, count: int) -> Any:
        """Read so many chunks of an answer, then give it up."""
        found = []
        try:
            answer = await self.port.fetch("GET", url, timeout_s=5)
            async for chunk in answer.chunks():
                found.append(chunk.decode())
                if len(found) == count:
                    break
            await answer.close()
            await answer.close()
        except FetchFailed:
            found.append("failed")
        return found

    # The alarm

    def arm(self, after_ms: int | None) -> Any:
        """Set the alarm and read it back in the same turn."""
        when_ms = None if after_ms is None else self.port.clock.now_ms() + after_ms
        self.port.alarm.set_ms(when_ms)
        return self.port.alarm.get_ms() == when_ms

    def armed(self) -> bool:
        return self.port.alarm.get_ms() is not None

    def armed_in_transaction(self) -> bool:
        return self.port.sql.transaction(lambda: self.port.alarm.get_ms() is not None)

    def arm_and_fail(self) -> None:
        self.port.alarm.set_ms(self.port.clock.now_ms() + 50)
        raise ValueError("the alarm stays")

    async def alarm(self, info=None):
        fired = (self.port.kv.get("fired") or 0) + 1
        self.port.kv.put("fired", fired)
        self.port.kv.put("armed while firing", self.port.alarm.get_ms() is not None)

    def fired(self) -> list[Any]:
        return [self.port.kv.get("fired"), self.port.kv.get("armed while firing")]

    # Background work, gates, the end

    async def spawn(self) -> str:
        async def work():
            await self.port.clock.sleep(0.03)
            self.port.kv.put("spawned", True)

        async def failing():
            raise ValueError("nobody awaits this")

        self.port.spawn(work())
        self.port.spawn(failing())
        return "answered"

    def stored(self, key: str) -> Any:
        return self.port.kv.get(key)

    def store(self, key: str, value: Any) -> None:
        self.port.kv.put(key, value)

    async def block(self) -> Any:
        async def work():
            value = self.port.kv.get("n") or 0
            await self.port.clock.sleep(0.03)
            self.port.kv.put("n", value + 1)
            return value + 1

        return await self.port.block_concurrency(work)

    async def commit(self) -> str:
        self.port.kv.put("committed", True)
        await self.port.committed()
        return "committed"

    async def wipe(self) -> list[Any]:
        self.port.sql.execute("CREATE TABLE wiped (a)")
        self.port.kv.put("wiped", 1)
        self.port.alarm.set_ms(self.port.clock.now_ms() + 60_000)
        await self.port.delete_all()
        rows = self.port.sql.execute("SELECT name FROM sqlite_master WHERE name = 'wiped'")
        return [rows, self.port.kv.get("wiped"), self.port.alarm.get_ms()]

    async def abort(self) -> None:
        self.port.abort("aborted on purpose", retry_alarm=False)

    # WebSockets

    async def fetch(self, request):
        query = request.url.partition("?")[2]
        tags = [tag for tag in query.split(",") if tag]
        socket, response = self.port.sockets.accept(tags, '{"n":0}')
        socket.send("welcome")
        return response

    async def webSocketMessage(self, ws, message):
        socket = self.port.sockets.wrap(ws)
        if message == "keep a number":
            answer = ws.serializeAttachment(7)
        elif isinstance(message, str):
            verb, _, rest = message.partition(":")
            answer = getattr(self, f"ws_{verb}")(socket, rest)
        else:
            answer = bytes(message.to_bytes())[::-1]
        if answer is not None:
            socket.send(answer)

    def ws_echo(self, socket, rest):
        return rest

    def ws_tags(self, socket, rest):
        return ",".join(socket.tags)

    def ws_write(self, socket, rest):
        try:
            socket.write_attachment(rest if rest != "long" else "é" * 8_193)
        except ValueError as error:
            return f"ValueError: {error}"
        return "written"

    def ws_read(self, socket, rest):
        return socket.read_attachment() or ""

    def ws_list(self, socket, rest):
        sockets = self.port.sockets.all(rest or None)
        return ",".join("me" if other.key == socket.key else "other" for other in sockets)

    def ws_all(self, socket, rest):
        for other in self.port.sockets.all():
            other.send(rest)

    def ws_auto(self, socket, rest):
        self.port.sockets.set_auto_response("ping", rest)
        return "set"

    def ws_close(self, socket, rest):
        code, _, reason = rest.partition(":")
        for _ in range(2):
            socket.close(int(code), reason)
        try:
            socket.send("too late")
        except Exception as error:
            self.port.kv.put("send after close", type(error).__name__)

    def ws_fail(self, socket, rest):
        raise ValueError("in a handler")

    def ws_life(self, socket, rest):
        self.messages += 1
        return str(self.messages)

    async def webSocketClose(self, ws, code, reason, was_clean):
        socket = self.port.sockets.wrap(ws)
        others = len(self.port.sockets.all())
        self.port.kv.put("closed", [code, reason, bool(was_clean), socket.is_open, others])
        answer_close(socket, code, reason)
