"""Routing through the front door: a worker, its hooks and real agents, evicted before every event."""

import pytest
from workers import Request, Response

from agents_runtime import (
    Agent,
    Cors,
    callable,
    get_agent_by_id,
    get_agent_by_name,
    name_for,
    reject,
    route_agent_request,
)
from agents_runtime.errors import RemoteError, UsageError
from agents_runtime.testing import ConnectRefused

APP = "https://app.example"


class Counter(Agent):
    initial_state = {"count": 0, "plan": None}

    async def on_start(self, props=None):
        if props:
            self.set_state({**self.state, "plan": props["plan"]})

    @callable
    async def increment(self, by: int = 1) -> int:
        self.set_state({**self.state, "count": self.state["count"] + by})
        return self.state["count"]

    @callable
    def fail(self) -> None:
        raise ValueError("too\nmuch")

    def _secret(self) -> str:
        return "hidden"

    async def on_request(self, request):
        return Response(f"{self.name} {request.method} {request.url}")


class Friend(Agent):
    @callable
    async def ask(self, name: str) -> int:
        counter = await get_agent_by_name(Counter, name)
        return await counter.increment(by=10)

    @callable
    async def ask_for_failure(self) -> str:
        counter = await get_agent_by_name("counter", "a")
        await counter.fail()
        return "unreachable"


def serve(runtime, **options):
    runtime.bind(Counter)
    runtime.bind(Friend, "MY_FRIEND")

    async def entrypoint(request, env, ctx):
        return await route_agent_request(request, env, **options) or Response("not an agent's", status=404)

    runtime.serve(entrypoint)


# From a URL


async def test_a_request_reaches_its_agent_with_the_whole_url(runtime):
    serve(runtime)
    response = await runtime.fetch("/agents/counter/a/deep/path?x=1", method="POST", body="b")
    assert await response.text() == "a POST http://localhost:8787/agents/counter/a/deep/path?x=1"
    assert (await runtime.fetch("/elsewhere")).status == 404


async def test_a_websocket_reaches_the_same_agent_as_a_request(runtime):
    serve(runtime)
    client = await runtime.connect("/agents/counter/a")
    assert await client.call("increment", 2) == 2
    assert (client.agent, client.name) == ("counter", "a")
    assert await runtime.get(Counter, "a").state == {"count": 2, "plan": None}


async def test_a_name_in_a_url_is_not_decoded(runtime):
    serve(runtime)
    client = await runtime.connect("/agents/counter/my%20room")
    await client.call("increment")
    assert client.name == "my%20room"
    counter = await get_agent_by_name("counter", name_for("my room"), env=runtime.env)
    assert (await counter.state)["count"] == 1
    other = await get_agent_by_name("counter", "my room", env=runtime.env)
    assert (await other.state)["count"] == 0


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/agents/nothing/a", "Invalid request"),
        ("/agents/Counter/a", "Invalid request"),
        ("/agents/counter/" + "x" * 1025, "1024 bytes, this one has 1025"),
        ("/agents/counter/a%00b", "must not contain NUL"),
    ],
)
async def test_what_no_agent_answers_is_refused_and_creates_nothing(runtime, path, reason):
    serve(runtime)
    response = await runtime.fetch(path)
    assert response.status == 400
    assert reason in await response.text()
    with pytest.raises(ConnectRefused, match=reason):
        await runtime.connect(path)
    assert runtime.list_ids(Counter) == []


async def test_a_jurisdiction_has_agents_of_its_own(runtime):
    serve(runtime, jurisdiction="eu")
    client = await runtime.connect("/agents/counter/a")
    await client.call("increment", 5)
    here = await get_agent_by_name("counter", "a", env=runtime.env)
    in_europe = await get_agent_by_name("counter", "a", env=runtime.env, jurisdiction="eu")
    assert ((await here.state)["count"], (await in_europe.state)["count"]) == (0, 5)


# Props


async def test_props_reach_on_start_and_clients_cannot_send_any(runtime):
    serve(runtime, props={"plan": "free"})
    forged = {"x-agents-lifecycle-props": '{"plan": "gold"}'}
    await runtime.fetch("/agents/counter/a", headers=forged)
    assert (await runtime.get(Counter, "a").state)["plan"] == "free"
    await runtime.connect("/agents/counter/b", headers=forged)
    assert (await runtime.get(Counter, "b").state)["plan"] == "free"


async def test_without_props_a_forged_header_reaches_nobody(runtime):
    serve(runtime)
    await runtime.fetch("/agents/counter/a", headers={"X-Agents-Lifecycle-Props": '{"plan": "gold"}'})
    assert (await runtime.get(Counter, "a").state)["plan"] is None


async def test_props_come_with_a_handle_too(runtime):
    serve(runtime)
    counter = await get_agent_by_name("counter", "a", env=runtime.env, props={"plan": "team"})
    assert (await counter.state)["plan"] == "team"


# Hooks


async def test_a_rejected_websocket_is_told_why_and_wakes_nobody(runtime):
    async def check(request, route):
        return reject(4403, f"no ticket for {route.binding}/{route.name}")

    serve(runtime, on_before_connect=check, on_before_request=check)
    client = await runtime.connect("/agents/counter/a")
    assert await client.wait_closed() == (4403, "no ticket for Counter/a")
    response = await runtime.fetch("/agents/counter/a")
    assert (response.status, await response.text()) == (403, "no ticket for Counter/a")
    assert runtime.list_ids(Counter) == []


async def test_a_hook_may_send_another_request_on(runtime):
    def rewrite(request, route):
        return Request("http://inside/other", method="PUT")

    serve(runtime, on_before_request=rewrite)
    response = await runtime.fetch("/agents/counter/a")
    assert await response.text() == "a PUT http://inside/other"


# CORS


async def test_a_page_of_an_allowed_origin_may_read(runtime):
    serve(runtime, cors=Cors(origins={APP}, credentials=True))
    response = await runtime.fetch("/agents/counter/a", headers={"Origin": APP})
    assert response.headers["Access-Control-Allow-Origin"] == APP
    response = await runtime.fetch("/agents/counter/a", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in response.headers
    assert response.headers["Vary"] == "Origin"


async def test_a_preflight_wakes_nobody(runtime):
    serve(runtime, cors=True)
    response = await runtime.fetch("/agents/counter/a", method="OPTIONS", headers={"Origin": APP})
    assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert runtime.list_ids(Counter) == []


# Handles


async def test_a_handle_calls_reads_and_writes(runtime):
    serve(runtime)
    counter = await get_agent_by_name(Counter, "a", env=runtime.env)
    assert await counter.increment(by=2) == 2
    assert await counter.call(Counter.increment, 3) == 5
    assert await counter.call("increment") == 6
    await counter.set_state({"count": 1, "plan": None})
    assert await counter.state == {"count": 1, "plan": None}
    assert await (await counter.fetch("http://h/x")).text() == "a GET http://h/x"


async def test_a_state_read_through_a_handle_is_a_copy(runtime):
    serve(runtime)
    counter = await get_agent_by_name(Counter, "a", env=runtime.env)
    (await counter.state)["count"] = 99
    assert (await counter.state)["count"] == 0


async def test_an_id_reaches_an_agent_that_was_named_before(runtime):
    serve(runtime)
    named = await get_agent_by_name(Counter, "a", env=runtime.env)
    await named.increment()
    by_id = await get_agent_by_id("counter", named.id, env=runtime.env)
    assert await by_id.increment() == 2
    other = await get_agent_by_name("my-friend", "a", env=runtime.env)
    with pytest.raises(UsageError, match="is not the id of a Counter"):
        await get_agent_by_id(Counter, other.id, env=runtime.env)


async def test_an_id_that_was_never_named_starts_no_agent(runtime):
    serve(runtime)
    unique = runtime.env.Counter.newUniqueId().toString()
    with pytest.raises(RemoteError, match="name"):
        await get_agent_by_id("counter", unique, env=runtime.env)


async def test_an_agent_may_ask_another_agent(runtime):
    serve(runtime)
    client = await runtime.connect("/agents/my-friend/f")
    assert await client.call("ask", "a") == 10
    assert (await runtime.get(Counter, "a").state)["count"] == 10


async def test_an_error_crosses_as_one_line(runtime):
    serve(runtime)
    counter = await get_agent_by_name(Counter, "a", env=runtime.env)
    with pytest.raises(RemoteError) as caught:
        await counter.fail()
    assert str(caught.value) == "ValueError: too"


@pytest.mark.parametrize("method", ["nothing", "_secret", "__init__", "cf_agents_internal", "on_start"])
async def test_only_callables_and_verbs_are_reachable(runtime, method):
    serve(runtime)
    counter = await get_agent_by_name(Counter, "a", env=runtime.env)
    with pytest.raises(RemoteError, match=method):
        await counter.call(method)


async def test_no_traceback_reaches_a_client_through_two_agents(runtime):
    serve(runtime)
    client = await runtime.connect("/agents/my-friend/f")
    with pytest.raises(Exception, match="too") as caught:
        await client.call("ask_for_failure")
    assert "File" not in str(caught.value).partition("\n")[0]
    assert not [frame for frame in client.frames if "Traceback" in str(frame)]
