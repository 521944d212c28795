"""`route_agent_request` against hand-written bindings: what is forwarded, refused, stripped, repeated."""

import logging

import pytest

from agents_runtime.errors import ConfigError, RetryableError, UsageError
from agents_runtime.local.shim.request import Request
from agents_runtime.local.shim.response import Response
from agents_runtime.routing.cors import Cors
from agents_runtime.routing.hooks import AgentRoute, Rejection, reject
from agents_runtime.routing.retry import RoutingRetryEvent
from agents_runtime.routing.route import route_agent_request, route_agent_requests

URL = "http://h/agents/chat/lobby"
APP = "https://app.example"
WEBSOCKET = {"Upgrade": "websocket"}


async def routed(*args, **options):
    response = await route_agent_request(*args, **options)
    assert response is not None
    return response


async def text_of(response):
    return response.status, await response.text()


# What a URL means


@pytest.mark.parametrize(
    ("binding", "url", "name"),
    [
        ("Chat", "http://h/agents/chat/lobby", "lobby"),
        ("Chat", "http://h/agents/chat/lobby/messages/1?x=1", "lobby"),
        ("CHAT_ROOM", "http://h/agents/chat-room/lobby", "lobby"),
        ("ChatRoom", "http://h/agents/chat-room/lobby", "lobby"),
        ("AIBot", "http://h/agents/a-i-bot/x", "x"),
        ("Chat", "http://h/agents/chat/a%20b", "a%20b"),
        ("Chat", "http://h//agents//chat//lobby", "lobby"),
        ("Ünder", "http://h/agents/%C3%9Cnder/x", "x"),
    ],
)
async def test_the_binding_and_the_raw_name_come_from_the_path(worker, binding, url, name):
    namespace = worker.bind(binding)
    request = Request(url)
    response = await routed(request, worker.env)
    assert await text_of(response) == (200, f"hello from {name}")
    assert namespace.calls == [("fetch", name, request)]


@pytest.mark.parametrize("url", ["http://h/", "http://h/agents", "http://h/agents/chat", "http://h/other/chat/lobby"])
async def test_other_urls_are_the_callers_business(worker, url):
    worker.bind("Chat")
    assert await route_agent_request(Request(url), worker.env) is None


async def test_a_prefix_may_have_several_segments(worker):
    worker.bind("Chat")
    response = await routed(Request("http://h/api/v1/chat/x"), worker.env, prefix="api/v1")
    assert await text_of(response) == (200, "hello from x")
    assert await route_agent_request(Request(URL), worker.env, prefix="api/v1") is None


async def test_a_prefix_with_a_leading_slash_never_matches_and_says_so(worker, caplog):
    worker.bind("Chat")
    assert await route_agent_request(Request(URL), worker.env, prefix="/agents/of-this-test") is None
    assert "never matches" in caplog.text


@pytest.mark.parametrize("segment", ["nothing", "Chat", "CHAT", "chat%20", "%63hat"])
async def test_an_unknown_binding_is_answered_and_logged(worker, caplog, segment):
    namespace = worker.bind("Chat")
    response = await routed(Request(f"http://h/agents/{segment}/x"), worker.env)
    assert await text_of(response) == (400, "Invalid request")
    assert namespace.calls == []
    assert segment in caplog.text
    assert "this worker has Chat" in caplog.text


async def test_values_that_are_no_bindings_are_not_reachable(worker):
    env = {"SECRET": "x", "Chat": worker.bind("Chat")}
    assert (await routed(Request("http://h/agents/secret/x"), env)).status == 400
    assert (await routed(Request(URL), env)).status == 200


@pytest.mark.parametrize(
    ("name", "problem"),
    [("x" * 1025, "may have 1024 bytes, this one has 1025"), ("a%00b", "must not contain NUL")],
)
async def test_impossible_names_are_refused_with_a_reason(worker, name, problem):
    namespace = worker.bind("Chat")
    response = await routed(Request(f"http://h/agents/chat/{name}"), worker.env)
    status, text = await text_of(response)
    assert status == 400
    assert problem in text
    assert namespace.calls == []


async def test_two_bindings_of_one_form_are_an_error_of_the_project_but_only_for_this_form(worker):
    worker.bind("ChatRoom")
    worker.bind("CHAT_ROOM")
    worker.bind("Other")
    with pytest.raises(ConfigError, match="CHAT_ROOM or ChatRoom") as caught:
        await routed(Request("http://h/agents/chat-room/x"), worker.env)
    assert caught.value.key == "durable_objects.bindings"
    assert (await routed(Request("http://h/agents/other/x"), worker.env)).status == 200


async def test_a_binding_added_later_is_found(worker):
    worker.bind("Chat")
    assert (await routed(Request("http://h/agents/late/x"), worker.env)).status == 400
    worker.bind("Late")
    assert (await routed(Request("http://h/agents/late/x"), worker.env)).status == 200


async def test_an_encoded_name_is_noted_once_per_binding(worker, caplog):
    worker.bind("NotedOnce")
    for _ in range(2):
        await routed(Request("http://h/agents/noted-once/a%20b"), worker.env)
    assert caplog.text.count("names are not decoded") == 1


# An explicit target


@pytest.mark.parametrize("spelling", ["chat-room", "ChatRoom", "CHAT_ROOM"])
async def test_a_target_needs_no_matching_url(worker, spelling):
    namespace = worker.bind("CHAT_ROOM")
    request = Request("http://h/anything")
    response = await routed(request, worker.env, {"namespace": spelling, "name": "my room"})
    assert await text_of(response) == (200, "hello from my room")
    assert namespace.calls == [("fetch", "my room", request)]


async def test_a_target_may_be_the_binding_itself_or_a_class(worker):
    class Chat:
        pass

    worker.bind("ROOMS", Chat)
    for target in (worker.env.ROOMS, Chat, "Chat"):
        response = await route_agent_requests(Request("http://h/"), worker.env, {"namespace": target, "name": "a"})
        assert response is not None
        assert response.status == 200


async def test_a_target_given_as_binding_goes_by_its_name_in_hooks(worker):
    worker.bind("OTHER")
    worker.bind("ROOMS")
    routes = []
    await routed(
        Request("http://h/"),
        worker.env,
        {"namespace": worker.env.ROOMS, "name": "a"},
        on_before_request=lambda request, route: routes.append(route),
    )
    assert routes == [AgentRoute("ROOMS", "a")]


@pytest.mark.parametrize(
    "target",
    [
        {"namespace": "nothing", "name": "x"},
        {"namespace": "chat"},
        {"namespace": "chat", "name": 5},
        {"namespace": "chat", "name": ""},
        {"namespace": "chat", "name": "x" * 1025},
        {"namespace": "chat", "name": "x", "props": {}},
        {"namespace": object(), "name": "x"},
    ],
)
async def test_a_wrong_target_is_an_error_of_the_caller(worker, target):
    worker.bind("Chat")
    with pytest.raises(UsageError):
        await routed(Request(URL), worker.env, target)


# Where and with what


async def test_jurisdiction_and_location_hint_reach_the_platform(worker):
    namespace = worker.bind("Chat")
    await routed(Request(URL), worker.env, jurisdiction="eu", location_hint="weur")
    (stub,) = namespace.stubs
    assert stub.namespace.region == "eu"
    assert stub.options == {"locationHint": "weur"}


async def test_without_them_the_platform_hears_nothing(worker):
    namespace = worker.bind("Chat")
    await routed(Request(URL), worker.env)
    (stub,) = namespace.stubs
    assert (stub.namespace.region, stub.options) == (None, None)


async def test_props_go_ahead_of_the_request_and_in_no_header(worker):
    namespace = worker.bind("Chat")
    await routed(Request(URL), worker.env, props={"user": "ada"})
    start, fetch = namespace.calls
    assert start == ("start", "lobby", {"props": {"user": "ada"}})
    assert not list(fetch[2].headers)


async def test_props_for_an_object_that_is_no_agent_are_refused(worker):
    namespace = worker.bind("Chat")
    namespace.failures = [worker.Failure('does not implement "cf_agents_internal"', "TypeError")]
    with pytest.raises(UsageError, match="Chat is not an Agent"):
        await routed(Request(URL), worker.env, props={})


# Headers from outside


@pytest.mark.parametrize("headers", [{}, WEBSOCKET])
async def test_internal_headers_are_stripped(worker, headers):
    namespace = worker.bind("Chat")
    forged = {
        "X-Agents-Lifecycle-Props": "{}",
        "x-cf-agents-subagent-url": "http://h/agents/chat/lobby/sub/admin/x",
        "X-CF-Agents-Anything": "1",
        "x-agents-lifecycle-other": "1",
    }
    seen = []
    await routed(
        Request(URL, headers={**headers, **forged, "x-kept": "yes", "x-cf-agent": "kept"}),
        worker.env,
        on_before_request=lambda request, route: seen.append(request),
        on_before_connect=lambda request, route: seen.append(request),
    )
    ((_, _, forwarded),) = namespace.calls
    for request in (forwarded, *seen):
        assert {name.lower() for name in request.headers} == {"x-kept", "x-cf-agent", *map(str.lower, headers)}


async def test_a_hook_cannot_bring_them_back_by_sending_the_original_on(worker):
    namespace = worker.bind("Chat")
    original = Request(URL, headers={"x-agents-lifecycle-props": "{}"})
    await routed(original, worker.env, on_before_request=lambda request, route: original)
    ((_, _, forwarded),) = namespace.calls
    assert "x-agents-lifecycle-props" not in forwarded.headers


async def test_stripping_leaves_the_body_unread(worker):
    namespace = worker.bind("Chat")
    await routed(Request(URL, method="POST", body="hello", headers={"x-cf-agents-a": "1"}), worker.env)
    ((_, _, forwarded),) = namespace.calls
    assert (forwarded.method, await forwarded.text()) == ("POST", "hello")


# Hooks


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("headers", [{}, WEBSOCKET, {"upgrade": "WebSocket"}])
async def test_each_kind_of_request_has_its_hook(worker, headers, is_async):
    worker.bind("CHAT")
    asked = []

    def hook(kind):
        def sync_hook(request, route):
            asked.append((kind, request.url, route))

        async def async_hook(request, route):
            sync_hook(request, route)

        return async_hook if is_async else sync_hook

    response = await routed(
        Request(URL, headers=headers), worker.env, on_before_connect=hook("connect"), on_before_request=hook("request")
    )
    assert response.status == 200
    assert asked == [("connect" if headers else "request", URL, AgentRoute("CHAT", "lobby"))]
    assert asked[0][2].class_name == "CHAT"


@pytest.mark.parametrize("headers", [{}, WEBSOCKET])
async def test_a_hook_may_answer(worker, headers):
    namespace = worker.bind("Chat")

    def answer(request, route):
        return Response("go away", status=401)

    response = await routed(
        Request(URL, headers=headers), worker.env, on_before_connect=answer, on_before_request=answer, props={"a": 1}
    )
    assert await text_of(response) == (401, "go away")
    assert namespace.calls == []


async def test_a_hook_may_send_another_request_on(worker):
    namespace = worker.bind("Chat")
    other = Request("http://h/agents/chat/elsewhere", headers={"x-user": "ada"})
    await routed(Request(URL), worker.env, on_before_request=lambda request, route: other)
    assert namespace.calls == [("fetch", "lobby", other)]


@pytest.mark.parametrize("answer", [False, True, "no", {"status": 401}])
async def test_a_hook_that_returns_something_else_lets_nobody_in(worker, answer):
    namespace = worker.bind("Chat")

    def check_token(request, route):
        return answer

    with pytest.raises(UsageError, match="check_token must return"):
        await routed(Request(URL), worker.env, on_before_request=check_token)
    assert namespace.calls == []


async def test_a_failing_hook_lets_nobody_in(worker):
    namespace = worker.bind("Chat")

    def broken(request, route):
        raise KeyError("token")

    with pytest.raises(KeyError):
        await routed(Request(URL, headers=WEBSOCKET), worker.env, on_before_connect=broken)
    assert namespace.calls == []


@pytest.mark.parametrize(
    ("code", "status"),
    [(4401, 401), (4400, 400), (4599, 599), (4399, 403), (4600, 403), (4000, 403), (1008, 403), (4999, 403)],
)
async def test_rejecting_plain_http_gives_a_status(worker, code, status):
    worker.bind("Chat")
    response = await routed(
        Request(URL), worker.env, on_before_request=lambda request, route: reject(code, "no ticket"), cors=True
    )
    assert await text_of(response) == (status, "no ticket")
    assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_rejecting_a_websocket_accepts_and_closes_it(worker):
    namespace = worker.bind("Chat")
    response = await routed(
        Request(URL, headers=WEBSOCKET), worker.env, on_before_connect=lambda request, route: reject(4403, "not yours")
    )
    assert response.status == 101
    closed = []

    class Peer:
        def send(self, data):
            closed.append(data)

        def close(self, code, reason):
            closed.append((code, reason))

    response.web_socket.attach(Peer())
    assert closed == [(4403, "not yours")]
    assert namespace.calls == []


@pytest.mark.parametrize("code", [401, 1000, 1011, 3000, 5000])
def test_codes_that_clients_try_again_are_refused(code):
    with pytest.raises(UsageError, match="try again"):
        reject(code)


def test_rejecting_means_unauthorized_unless_said_otherwise():
    assert reject() == Rejection(4401, "")


def test_a_reason_must_fit_a_close_frame():
    assert reject(reason="ü" * 61).reason == "ü" * 61
    with pytest.raises(UsageError, match="123 bytes"):
        reject(reason="ü" * 62)


# CORS


async def test_without_cors_nothing_is_added(worker):
    worker.bind("Chat")
    response = await routed(Request(URL, headers={"Origin": APP}), worker.env)
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_preflight_is_answered_without_hook_or_agent(worker):
    namespace = worker.bind("Chat")
    asked = []
    response = await routed(
        Request(URL, method="OPTIONS"), worker.env, cors=True, on_before_request=lambda *args: asked.append(args)
    )
    assert await text_of(response) == (200, "")
    assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, HEAD, OPTIONS"
    assert namespace.calls == asked == []


async def test_without_cors_options_reaches_the_agent(worker):
    namespace = worker.bind("Chat")
    await routed(Request(URL, method="OPTIONS"), worker.env)
    assert len(namespace.calls) == 1


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_a_refusal_is_readable_too(worker, method):
    worker.bind("Chat")
    request = Request("http://h/agents/nothing/x", method=method, headers={"Origin": APP})
    response = await routed(request, worker.env, cors=Cors(origins={APP}))
    assert response.status == 400
    assert response.headers["Access-Control-Allow-Origin"] == APP


async def test_headers_of_the_agent_are_replaced_and_vary_is_joined(worker):
    namespace = worker.bind("Chat")
    namespace.response = Response(
        "x", headers={"Access-Control-Allow-Origin": "https://old", "Vary": "Accept", "X-Own": "1"}
    )
    response = await routed(
        Request(URL, headers={"Origin": APP}), worker.env, cors=Cors(origins={APP}, credentials=True)
    )
    assert response.headers.get_all("Access-Control-Allow-Origin") == [APP]
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert response.headers["Vary"] == "Accept, Origin"
    assert response.headers["X-Own"] == "1"


async def test_a_hooks_answer_is_readable(worker):
    worker.bind("Chat")
    response = await routed(
        Request(URL), worker.env, cors={"X-Mine": "1"}, on_before_request=lambda *args: Response("no", status=403)
    )
    assert response.headers["X-Mine"] == "1"
    assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_hooks_answer_to_a_websocket_is_not_touched(worker):
    worker.bind("Chat")
    answer = Response("no", status=403)
    request = Request(URL, headers={**WEBSOCKET, "Origin": APP})
    response = await routed(request, worker.env, cors=True, on_before_connect=lambda *args: answer)
    assert response is answer


async def test_websocket_answers_are_not_touched(worker):
    namespace = worker.bind("Chat")
    namespace.response = Response(None, status=101, web_socket=object())
    response = await routed(Request(URL, headers={**WEBSOCKET, "Origin": APP}), worker.env, cors=True)
    assert response is namespace.response


# Retries


def lost(worker):
    return worker.Failure("Network connection lost.", retryable=True)


async def test_a_lost_connection_is_tried_again_on_a_fresh_stub(worker):
    namespace = worker.bind("Chat")
    namespace.failures = [lost(worker), lost(worker)]
    response = await routed(Request(URL), worker.env)
    assert response.status == 200
    assert len({id(stub) for stub in namespace.stubs}) == 3
    assert worker.clock.slept_s == [0.05, 0.1]


async def test_props_are_handed_over_again_on_a_retry(worker):
    namespace = worker.bind("Chat")
    namespace.failures = [lost(worker)]
    await routed(Request(URL), worker.env, props={"a": 1})
    assert [call[0] for call in namespace.calls] == ["start", "start", "fetch"]


async def test_retrying_can_be_switched_off(worker):
    namespace = worker.bind("Chat")
    namespace.failures = [lost(worker)]
    with pytest.raises(worker.Failure, match="lost"):
        await routed(Request(URL), worker.env, routing_retry=False)


async def test_three_failures_in_a_start_say_try_again(worker):
    worker.bind("Chat").failures = [lost(worker) for _ in range(3)]
    with pytest.raises(RetryableError, match=r"Network connection lost\."):
        await routed(Request(URL), worker.env, props={})


async def test_an_error_of_the_agent_is_raised_as_it_is(worker):
    namespace = worker.bind("Chat")
    namespace.failures = [worker.Failure("Traceback ...", "PythonError")]
    with pytest.raises(worker.Failure, match="PythonError"):
        await routed(Request(URL), worker.env)
    assert worker.clock.slept_s == []


async def test_a_request_whose_body_was_read_is_not_repeated(worker):
    namespace = worker.bind("Chat")
    request = Request(URL, method="POST", body="pay 5")

    async def read_then_lose(sent):
        await sent.text()
        raise lost(worker)

    stub_fetch = namespace.get

    def get(object_id, options=None):
        stub = stub_fetch(object_id, options)
        stub.fetch = read_then_lose
        return stub

    namespace.get = get
    with pytest.raises(worker.Failure):
        await routed(request, worker.env)
    assert len(namespace.stubs) == 1


async def test_on_retry_is_told_name_and_binding(worker):
    worker.bind("CHAT_ROOM").failures = [lost(worker)]
    heard: list[RoutingRetryEvent] = []
    await routed(Request("http://h/agents/chat-room/lobby"), worker.env, routing_retry={"on_retry": heard.append})
    (event,) = heard
    assert (event.name, event.class_name, event.attempt, event.delay_ms) == ("lobby", "CHAT_ROOM", 1, 50)


async def test_wrong_retry_options_fail_even_when_nothing_fails(worker):
    worker.bind("Chat")
    with pytest.raises(UsageError, match="max_attempts"):
        await routed(Request(URL), worker.env, routing_retry={"max_attempts": 0})


async def test_what_a_stranger_sends_cannot_break_a_log_line(worker, caplog):
    worker.bind("Chat")
    with caplog.at_level(logging.WARNING):
        await routed(Request("http://h/agents/a%0Ab" + "x" * 500 + "/x"), worker.env)
    (record,) = caplog.records
    assert "\n" not in record.getMessage()
    assert len(record.getMessage()) < 300
