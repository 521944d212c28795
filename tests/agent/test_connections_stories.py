"""Clients that connect: greeted in order, found, told, kept across sleep, turned away, let go."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest

from agents_runtime import Agent, callable, get_current_agent
from agents_runtime.errors import SocketClosed, UsageError


def query_of(ctx):
    return parse_qs(urlsplit(ctx.request.url).query)


class Room(Agent):
    initial_state = {"topic": "none"}

    def get_connection_tags(self, connection, ctx):
        return query_of(ctx).get("tag", [])

    def should_connection_be_readonly(self, connection, ctx):
        return "readonly" in query_of(ctx)

    def should_send_protocol_messages(self, connection, ctx):
        return "quiet" not in query_of(ctx)

    def on_message(self, connection, message):
        kind = "text" if isinstance(message, str) else "bytes"
        connection.send(f"{kind} {message!r}")

    def on_close(self, connection, code, reason, was_clean):
        self.broadcast(f"left: {connection.id} {code} {reason} {was_clean} {len(self.get_connections())}")

    @callable
    def keep(self, value):
        return me().set_state(value)

    @callable
    def kept(self):
        return me().state

    @callable
    def count_visits(self):
        return me().set_state(lambda old: {"visits": (old or {}).get("visits", 0) + 1})

    @callable
    def who(self, tag: str | None = None):
        return [connection.id for connection in self.get_connections(tag)]

    @callable
    def tell(self, message, without=None):
        self.broadcast(message, without)

    @callable
    def tell_others(self, message: str):
        self.broadcast(message, without=me())

    @callable
    def set_topic(self, topic: str):
        self.set_state({"topic": topic})

    @callable
    def describe(self):
        connection = me()
        return {
            "id": connection.id,
            "uri": connection.uri,
            "tags": connection.tags,
            "open": connection.ready_state == 1,
            "readonly": self.is_connection_readonly(connection),
            "protocol": self.is_connection_protocol_enabled(connection),
        }

    @callable
    def allow(self, is_readonly: bool):
        self.set_connection_readonly(me(), is_readonly)


def me():
    return get_current_agent().connection


def types_of(client):
    return [frame["type"] if isinstance(frame, dict) else frame for frame in client.frames]


async def test_the_greeting_comes_in_order(runtime):
    client = await runtime.connect(Room, "a")
    assert types_of(client) == ["cf_agent_identity", "cf_agent_state", "cf_agent_mcp_servers"]
    assert client.frames[0] == {"type": "cf_agent_identity", "name": "a", "agent": "room", "stateFollows": True}


async def test_what_is_known_of_a_connection_survives_sleep(runtime):
    client = await runtime.connect(Room, "a", id="me", query={"tag": "red"})
    before = await client.call("describe")
    assert before["id"] == "me"
    assert before["tags"] == ["me", "red"]
    assert before["uri"].endswith("/agents/room/a?_pk=me&tag=red")
    assert (before["open"], before["readonly"], before["protocol"]) == (True, False, True)
    await runtime.evict_all()
    assert await client.call("describe") == before


async def test_an_id_is_made_where_the_client_chooses_none(runtime):
    handle = runtime.get(Room, "a")
    response = await handle.fetch("http://localhost/agents/room/a", headers={"Upgrade": "websocket"})
    assert response.status == 101
    [connection_id] = await handle.who()
    assert len(connection_id) == 21


async def test_state_of_a_connection(runtime):
    client, other = await runtime.connect(Room, "a"), await runtime.connect(Room, "a")
    assert await client.call("kept") is None
    assert await client.call("keep", {"name": "Ada"}) == {"name": "Ada"}
    await runtime.evict_all()
    assert await client.call("kept") == {"name": "Ada"}
    assert await other.call("kept") is None
    assert await client.call("keep", None) is None
    assert await client.call("count_visits") == {"visits": 1}
    assert await client.call("count_visits") == {"visits": 2}


async def test_flags_and_state_of_a_connection_do_not_mix(runtime):
    client = await runtime.connect(Room, "a", query={"readonly": "1", "quiet": "1"})
    for value in ({"_cf_readonly": False}, "text", 5, None):
        await client.call("keep", value)
        await runtime.evict_all()
        assert await client.call("kept") == value
        described = await client.call("describe")
        assert (described["readonly"], described["protocol"]) == (True, False)


async def test_a_connections_state_that_is_too_large_is_refused(runtime):
    client = await runtime.connect(Room, "a")
    await client.call("keep", "small")
    with pytest.raises(Exception, match="must fit into 16,384 bytes"):
        await client.call("keep", "x" * 17_000)
    assert await client.call("kept") == "small"


async def test_connections_are_found_by_tag_and_id_newest_first(runtime):
    one = await runtime.connect(Room, "a", id="one", query={"tag": "red"})
    await runtime.connect(Room, "a", id="two", query={"tag": "red"})
    await runtime.connect(Room, "a", id="three")
    assert await one.call("who") == ["three", "two", "one"]
    assert await one.call("who", "red") == ["two", "one"]
    assert await one.call("who", "three") == ["three"]
    assert await one.call("who", "nobody") == []


async def test_two_connections_with_one_id_are_told_apart(runtime):
    old, new = await runtime.connect(Room, "a", id="same"), await runtime.connect(Room, "a", id="same")
    handle = runtime.get(Room, "a")

    async def look(agent):
        await agent.cf_agents_internal("start", None)
        newest, oldest = agent.get_connections("same")
        assert agent.get_connection("same") is newest
        agent.broadcast("not to the newest", without=newest)
        agent.broadcast("to none of that id", without=["same"])
        return newest is not oldest

    assert await runtime.run_in_agent(handle, look)
    assert "not to the newest" in old.frames
    assert "not to the newest" not in new.frames
    assert "to none of that id" not in [*old.frames, *new.frames]
    await new.close()
    assert await old.call("who") == ["same"]


async def test_broadcasts(runtime):
    one, two = await runtime.connect(Room, "a", id="one"), await runtime.connect(Room, "a", id="two")
    quiet = await runtime.connect(Room, "a", id="quiet", query={"quiet": "1"})
    await one.call("tell", "text")
    await one.call("tell", {"type": "note", "n": 1.0})
    await one.call("tell", "not to one", ["one"])
    await one.call("tell", "not to one either", "one")
    await one.call("tell_others", "from one")
    await runtime.run_in_agent(runtime.get(Room, "a"), lambda agent: agent.broadcast(b"\0\1"))
    await runtime.settle()
    common = ["text", {"type": "note", "n": 1}, b"\0\1"]
    special = ["not to one", "not to one either", "from one"]
    assert [frame for frame in one.frames if frame in common] == common
    for client in (two, quiet):
        assert [frame for frame in client.frames if frame in [*common, *special]] == [*common[:2], *special, common[2]]
    assert not [frame for frame in one.frames if frame in special]


async def test_a_list_is_no_message(runtime):
    with pytest.raises(UsageError, match=r"a message is .* not a list"):
        await runtime.run_in_agent(runtime.get(Room, "a"), lambda agent: agent.broadcast([1]))


async def test_a_readonly_connection_changes_no_state(runtime):
    reader = await runtime.connect(Room, "a", query={"readonly": "1"})
    writer = await runtime.connect(Room, "a")
    await reader.set_state({"topic": "mine"})
    assert (await reader.expect("cf_agent_state_error"))["error"] == "Connection is readonly"
    await runtime.settle()
    assert reader.state == {"topic": "none"}, "the true state came back"
    with pytest.raises(Exception, match=r"^Connection is readonly$"):
        await reader.call("set_topic", "mine")
    await writer.call("set_topic", "ours")
    await runtime.settle()
    assert reader.state == {"topic": "ours"}
    await reader.call("allow", False)
    await runtime.evict_all()
    await reader.call("set_topic", "mine now")
    assert writer.state == {"topic": "mine now"}


async def test_a_suppressed_connection_gets_no_frames_of_the_agent_and_may_still_write(runtime):
    quiet, other = await runtime.connect(Room, "a", query={"quiet": "1"}), await runtime.connect(Room, "a")
    assert quiet.frames == []
    await quiet.set_state({"topic": "quiet"})
    await runtime.settle()
    assert other.state == {"topic": "quiet"}
    await other.call("set_topic", "loud")
    await runtime.settle()
    assert quiet.frames == []
    assert (await quiet.call("describe"))["protocol"] is False


@pytest.mark.parametrize(
    "message", ["hello", "", "{broken", "null", "[1,2]", '{"type":"unknown"}', '{"type":7}', b"\0\xff", b""]
)
async def test_everything_else_is_a_message(runtime, message):
    client = await runtime.connect(Room, "a")
    await client.send(message)
    kind = "text" if isinstance(message, str) else "bytes"
    await client.expect(lambda frame: frame == f"{kind} {message!r}")


async def test_json_that_nests_too_deep_is_a_message(runtime):
    client = await runtime.connect(Room, "a")
    text = '{"type":"rpc","id":"1","method":"kept","args":' + "[" * 50_000
    await client.send(text)
    await client.expect(lambda frame: isinstance(frame, str) and frame.startswith("text "))


async def test_a_message_hook_that_raises_leaves_the_connection_open(runtime):
    class Fragile(Agent):
        def on_message(self, connection, message):
            if message == "bad":
                raise ValueError("no")
            connection.send("fine")

        def on_error(self, connection, error):
            connection.send(f"error: {error}")

    client = await runtime.connect(Fragile, "a")
    await client.send("bad")
    await client.expect(lambda frame: frame == "error: no")
    await client.send("good")
    await client.expect(lambda frame: frame == "fine")


async def test_a_close_is_told_and_answered(runtime):
    leaving, staying = await runtime.connect(Room, "a", id="leaving"), await runtime.connect(Room, "a")
    assert await leaving.close(4000, "had enough") == (4000, "had enough")
    await staying.expect(lambda frame: frame == "left: leaving 4000 had enough True 1")


async def test_a_client_that_vanishes_is_let_go(runtime):
    leaving, staying = await runtime.connect(Room, "a", id="leaving"), await runtime.connect(Room, "a")
    leaving.vanish()
    await staying.expect(lambda frame: isinstance(frame, str) and frame.startswith("left: leaving 1006"))


async def test_a_close_hook_that_raises_still_answers_the_close(runtime):
    class Fragile(Agent):
        def on_close(self, connection, code, reason, was_clean):
            raise ValueError("no")

        def on_error(self, error):
            self.set_state(str(error))

    client = await runtime.connect(Fragile, "a")
    assert await client.close(4001, "bye") == (4001, "bye")
    assert await runtime.get(Fragile, "a").state == "no"


async def test_the_agent_closes_a_connection(runtime):
    class Bouncer(Agent):
        def on_connect(self, connection, ctx):
            connection.send("sorry")
            connection.close(4403, "members only")
            with pytest.raises(SocketClosed):
                connection.send("too late")
            assert self.get_connections() == []

    client = await runtime.connect(Bouncer, "a")
    assert await client.wait_closed() == (4403, "members only")
    assert client.frames[-1] == "sorry"
    assert await runtime.run_in_agent(runtime.get(Bouncer, "a"), lambda agent: agent.get_connections()) == []


class Shy(Agent):
    """Turns clients away at each step of the accept sequence."""

    def step(self, ctx, name):
        if query_of(ctx).get("at") == [name]:
            raise RuntimeError("the secret of the house")

    def get_connection_tags(self, connection, ctx):
        self.step(ctx, "tags")
        return ["t"] * 3 if "many" not in query_of(ctx) else [str(i) for i in range(10)]

    def should_connection_be_readonly(self, connection, ctx):
        self.step(ctx, "readonly")
        return False

    async def on_connect(self, connection, ctx):
        connection.send("never seen")
        self.step(ctx, "connect")

    def on_close(self, connection, code, reason, was_clean):
        self.set_state("on_close was called")

    def on_error(self, connection, error):
        pass


@pytest.mark.parametrize(
    "query",
    [{"at": "tags"}, {"at": "readonly"}, {"at": "connect"}, {"many": "1"}],
    ids=lambda query: "-".join(f"{key}-{value}" for key, value in query.items()),
)
@pytest.mark.parametrize("evicts", [True, False])
async def test_a_client_that_is_turned_away_sees_only_the_close_and_leaves_no_trace(runtime_factory, query, evicts):
    runtime = runtime_factory(evict_before_every_event=evicts)
    client = await runtime.connect(Shy, "a", query=query)
    assert await client.wait_closed() == (1011, "Uncaught exception during session setup")
    assert client.frames == []
    await runtime.settle()
    handle = runtime.get(Shy, "a")
    assert await runtime.run_in_agent(handle, lambda agent: agent.get_connections()) == []
    assert await handle.state is None


async def test_the_capnweb_transport_is_refused_for_good(runtime):
    client = await runtime.connect(Room, "a", query={"__agents_transport": "capnweb"})
    code, reason = await client.wait_closed()
    assert 4000 <= code <= 4999, "the JS clients do not come back"
    assert "capnweb" in reason
    assert client.frames == []


async def test_an_id_that_cannot_be_a_tag_is_refused_for_good(runtime):
    client = await runtime.connect(Room, "a", id="x" * 257)
    assert (await client.wait_closed())[0] == 4400


async def test_a_connection_is_not_used_before_it_is_accepted(runtime):
    class Hasty(Agent):
        def get_connection_tags(self, connection, ctx):
            with pytest.raises(UsageError, match="not accepted yet"):
                connection.send("hello")
            with pytest.raises(UsageError, match="not accepted yet"):
                connection.set_state(1)
            return []

    client = await runtime.connect(Hasty, "a")
    assert client.identified


async def test_nothing_is_handled_before_on_connect_is_done(runtime):
    class Slow(Agent):
        async def on_connect(self, connection, ctx):
            connection.send("one")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            connection.send("two")

        def on_message(self, connection, message):
            connection.send(f"got {message}")

    client = await runtime.connect(Slow, "a")
    await client.send("early")
    await client.expect(lambda frame: frame == "got early")
    assert [frame for frame in client.frames if isinstance(frame, str)] == ["one", "two", "got early"]


async def test_ping_is_answered_without_waking_the_agent(runtime):
    class Quiet(Agent):
        pass

    class Listening(Agent):
        def on_message(self, connection, message):
            connection.send(f"heard {message}")

    class Beating(Listening):
        options = {"ping_response": ["are you there?", "yes"]}

    for cls, ping, answer in [
        (Quiet, "ping", "pong"),
        (Listening, "ping", "heard ping"),
        (Beating, "are you there?", "yes"),
    ]:
        client = await runtime.connect(cls, "a")
        await client.send(ping)
        await client.expect(lambda frame, answer=answer: frame == answer)


async def test_sockets_the_agent_did_not_accept_are_left_alone(runtime):
    from agents_runtime.local.sockets import WebSocketPair

    class Mixed(Agent):
        @callable
        def add_a_raw_one(self):
            pair = WebSocketPair()
            self.ctx.acceptWebSocket(pair.server, ["raw"])
            return len(self.ctx.getWebSockets())

        @callable
        def count(self):
            return len(self.get_connections())

    client = await runtime.connect(Mixed, "a")
    assert await client.call("add_a_raw_one") == 2
    await runtime.evict_all()
    assert await client.call("count") == 1
