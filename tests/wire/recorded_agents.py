"""The agents of record/worker.js in Python: same names, same methods, so the same frames must come back."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs, urlsplit

from workers import Response, WorkerEntrypoint

from agents_runtime import Agent, StreamingResponse, callable, route_agent_request


def query_of(request):
    return parse_qs(urlsplit(request.url).query, keep_blank_values=True)


class Talker(Agent):
    @callable
    def inherited(self):
        return "from the base class"

    @callable
    def overridden(self) -> str:
        return "from the base class"

    def on_message(self, connection, message):
        if message == "explode":
            raise RuntimeError("secret of the house")
        connection.send(f"heard {message}" if isinstance(message, str) else f"heard {len(message)} bytes")


class Basic(Talker):
    initial_state = {"count": 0}

    def validate_state_change(self, next_state, source):
        if next_state.get("count", 0) < 0:
            raise ValueError("count must not be negative")

    @callable
    def add(self, a, b):
        return a + b

    @callable
    def nothing(self):
        pass

    @callable
    def null(self):
        return None

    @callable
    def echo(self, value):
        return value

    @callable
    def raises(self):
        raise RuntimeError("kaboom")

    @callable
    def unserialisable(self):
        loop = {}
        loop["loop"] = loop
        return loop

    @callable
    def increment(self, by=1):
        self.set_state({"count": self.state["count"] + by})
        return self.state["count"]

    @callable
    def twice(self):
        self.set_state({"count": 1})
        self.set_state({"count": 2})
        return "done"

    @callable(name="reject")
    def set_what_is_refused(self):
        self.set_state({"count": -1})

    @callable
    async def after(self, ms, value):
        await asyncio.sleep(ms / 1000)
        return value

    @callable
    def shout(self, text):
        self.broadcast(text)

    @callable(name="shoutToOthers")
    def shout_to_others(self, text, mine):
        self.broadcast(text, [mine])
        return len(list(self.get_connections()))

    def hidden(self):
        return "nobody may call this"

    @callable(streaming=True, name="countTo")
    def count_to(self, stream: StreamingResponse, n):
        for i in range(1, n + 1):
            stream.send(i)
        stream.end()

    @callable(streaming=True, name="countWithResult")
    def count_with_result(self, stream: StreamingResponse, n):
        for i in range(1, n + 1):
            stream.send(i)
        stream.end({"total": n})

    @callable(streaming=True, name="countThenRaise")
    def count_then_raise(self, stream: StreamingResponse, n):
        for i in range(1, n + 1):
            stream.send(i)
        raise RuntimeError("midway")

    @callable(streaming=True, name="softError")
    def soft_error(self, stream: StreamingResponse):
        stream.error("soft")
        sent = stream.send("late")
        self.broadcast(f"late send: {str(sent).lower()}")

    @callable(streaming=True, name="neverEnds")
    def never_ends(self, stream: StreamingResponse):
        stream.send("only")


class Plain(Talker):
    def overridden(self) -> str:
        return "not decorated again"


class Watched(Talker):
    initial_state = {"count": 0}

    def on_state_changed(self, state, source):
        who = "the agent" if source == "server" else source.id
        self.broadcast(f"{who} made it {state['count']}")

    @callable
    def increment(self, by=1):
        self.set_state({"count": self.state["count"] + by})
        return self.state["count"]

    @callable(name="incrementAndShout")
    def increment_and_shout(self):
        self.set_state({"count": self.state["count"] + 1})
        self.broadcast("after setting it")

    @callable(name="incrementAndWait")
    async def increment_and_wait(self):
        self.set_state({"count": self.state["count"] + 1})
        await asyncio.sleep(0.02)
        return self.state["count"]

    @callable
    async def vanish(self):
        await self.destroy()


class Nameless(Talker):
    options = {"send_identity_on_connect": False}
    initial_state = {"count": 0}


class Greeter(Talker):
    initial_state = {"greeted": 0}

    def get_connection_tags(self, connection, ctx):
        return [tag for tag in query_of(ctx.request).get("tags", [""])[0].split(",") if tag]

    def on_connect(self, connection, ctx):
        connection.set_state({"at": "door"})
        connection.send(f"hello {connection.id}")
        self.set_state({"greeted": self.state["greeted"] + 1})

    def on_close(self, connection, code, reason, was_clean):
        self.broadcast(f"left {connection.id} {code} {reason}")

    @callable
    def whoami(self):
        [me] = self.get_connections()
        return {"id": me.id, "tags": list(me.tags), "state": me.state}

    @callable
    def tagged(self, tag):
        return sorted(connection.id for connection in self.get_connections(tag))

    @callable(name="moveTo")
    def move_to(self, place):
        for connection in self.get_connections():
            connection.set_state({"at": place})

    @callable
    def dismiss(self, code, reason):
        for connection in self.get_connections():
            connection.close(code, reason)


class Guarded(Talker):
    initial_state = {"count": 0}

    def should_connection_be_readonly(self, connection, ctx):
        return "readonly" in query_of(ctx.request)

    def should_send_protocol_messages(self, connection, ctx):
        return "quiet" not in query_of(ctx.request)

    @callable
    def increment(self, by=1):
        self.set_state({"count": self.state["count"] + by})
        return self.state["count"]

    @callable
    def get(self):
        return self.state["count"]

    @callable(name="setReadonly")
    def set_readonly(self, connection_id, readonly):
        [connection] = self.get_connections(connection_id)
        self.set_connection_readonly(connection, readonly)


class Broken(Talker):
    def on_connect(self, connection, ctx):
        raise RuntimeError("secret of the house")

    def on_request(self, request):
        raise RuntimeError("secret of the house")


class Web(Talker):
    async def on_request(self, request):
        url = urlsplit(request.url)
        path = url.path + (f"?{url.query}" if url.query else "")
        seen = {"name": self.name, "method": request.method, "path": path, "body": await request.text()}
        body = json.dumps(seen, separators=(",", ":"))
        return Response(body, status=201, headers={"content-type": "application/json", "x-seen": "yes"})


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        answer = await route_agent_request(request, self.env, cors="cors" in query_of(request))
        return answer or Response("no agent here", status=404)
