"""The typed handle: what crosses, what never does, and how remote errors read."""

import copy
import inspect
import pprint

import pytest

from agents_runtime.errors import PeerError, RemoteError, RetryableError, UsageError
from agents_runtime.local.shim.request import Request
from agents_runtime.routing.handle import AgentHandle, error_line
from agents_runtime.routing.lookup import get_agent_by_name

TRACEBACK = """Traceback (most recent call last):
  File "/session/metadata/entry.py", line 7, in increment
    raise ValueError("too much")
ValueError: too much"""


class Counter:
    """Stands for an agent class; only its names are used."""

    state: dict[str, int] = {}

    async def increment(self, by: int = 1) -> int:
        return by

    def peek(self) -> int:
        return 0


@pytest.fixture
def namespace(worker):
    return worker.bind("Counter", Counter)


@pytest.fixture
async def handle(worker, namespace) -> AgentHandle[Counter]:
    handle = await get_agent_by_name(Counter, "a", env=worker.env)
    namespace.calls.clear()
    return handle


async def test_state_is_asked_for_when_awaited(handle, namespace):
    namespace.answers["state"] = {"count": 3}
    state = handle.state
    assert namespace.calls == []
    assert await state == {"count": 3}
    assert await handle.state == {"count": 3}
    assert namespace.calls == [("state", "a", None)] * 2


async def test_methods_are_called_by_attribute_with_keyword_arguments(handle, namespace):
    namespace.answers["call"] = 5
    assert await handle.increment(2, by=3) == 5
    assert await handle.set_state({"count": 1}) == 5
    assert namespace.calls == [
        ("call", "a", {"method": "increment", "args": [2], "kwargs": {"by": 3}}),
        ("call", "a", {"method": "set_state", "args": [{"count": 1}], "kwargs": {}}),
    ]


@pytest.mark.parametrize("method", ["increment", Counter.increment])
async def test_call_takes_a_name_or_the_method_itself(handle, namespace, method):
    namespace.answers["call"] = 7
    assert await handle.call(method, by=7) == 7
    assert namespace.calls == [("call", "a", {"method": "increment", "args": [], "kwargs": {"by": 7}})]


async def test_an_argument_may_be_named_like_anything(handle, namespace):
    await handle.call("run", method="m", name="n", handle="h", self="s")
    assert namespace.calls[0][2]["kwargs"] == {"method": "m", "name": "n", "handle": "h", "self": "s"}


async def test_looking_at_a_handle_asks_nothing(handle, namespace):
    for name in ("then", "toJSON", "_private", "_repr_html_", "_ipython_display_", "__len__", "__wrapped__"):
        with pytest.raises(AttributeError):
            getattr(handle, name)
    assert (repr(handle), str(handle)) == ("<AgentHandle Counter a>",) * 2
    assert repr(handle.increment) == "<method increment of <AgentHandle Counter a>>"
    pprint.pformat(handle)
    dir(handle)
    inspect.unwrap(handle)
    assert not inspect.isawaitable(handle)
    assert not inspect.iscoroutinefunction(handle)
    copy.copy(handle)
    assert {handle: 1}[handle] == 1
    assert namespace.calls == []


async def test_the_state_of_a_handle_cannot_be_assigned(handle):
    with pytest.raises(AttributeError):
        handle.state = {"count": 9}
    with pytest.raises(AttributeError):
        handle.other = 1


async def test_name_and_id_are_known_without_asking(handle, namespace):
    assert handle.name == "a"
    assert handle.id == namespace.idFromName("a").hex
    assert namespace.calls == []


async def test_fetch_sends_the_request_on_without_internal_headers(handle, namespace):
    response = await handle.fetch(Request("http://h/own/path", headers={"x-cf-agents-a": "1", "x-b": "2"}))
    assert await response.text() == "hello from a"
    ((_, _, request),) = namespace.calls
    assert (request.url, dict(request.headers)) == ("http://h/own/path", {"x-b": "2"})


async def test_fetch_takes_a_url_with_options(handle, namespace):
    await handle.fetch("http://h/x", method="POST", body="y")
    assert namespace.calls == [("fetch", "a", "http://h/x", {"method": "POST", "body": "y"})]


async def test_a_remote_error_is_one_line_without_a_traceback(handle, namespace, worker):
    namespace.failures = [worker.Failure(TRACEBACK, "PythonError")]
    with pytest.raises(RemoteError) as caught:
        await handle.increment()
    assert str(caught.value) == caught.value.public_message == "ValueError: too much"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_after_a_failure_a_fresh_stub_is_used(handle, namespace, worker):
    stubs = len(namespace.stubs)
    namespace.failures = [worker.Failure(TRACEBACK, "PythonError")]
    with pytest.raises(RemoteError):
        await handle.increment()
    await handle.increment()
    assert len(namespace.stubs) == stubs + 1
    namespace.failures = [worker.Failure("lost")]
    with pytest.raises(worker.Failure):
        await handle.fetch("http://h/")
    assert len(namespace.stubs) == stubs + 2


async def test_a_call_is_never_repeated_but_says_that_it_may_be(handle, namespace, worker):
    namespace.failures = [worker.Failure("Network connection lost.", retryable=True)]
    with pytest.raises(RetryableError, match=r"^Network connection lost\.$"):
        await handle.increment()
    assert len(namespace.calls) == 1


async def test_an_overload_is_no_reason_to_try_again(handle, namespace, worker):
    namespace.failures = [worker.Failure("Durable Object is overloaded.", retryable=True, overloaded=True)]
    with pytest.raises(RemoteError, match="overloaded"):
        await handle.increment()


@pytest.mark.parametrize("error", [TypeError("tuple cannot be sent over RPC"), PeerError("told here")])
async def test_errors_that_did_not_cross_stay_what_they_are(handle, namespace, error):
    namespace.failures = [error]
    with pytest.raises(type(error)) as caught:
        await handle.increment()
    assert caught.value is error


async def test_an_object_that_is_no_agent_is_named(handle, namespace, worker):
    namespace.failures = [worker.Failure('The RPC receiver does not implement the method "cf_agents_internal".')]
    with pytest.raises(UsageError, match="Counter is not an Agent"):
        await handle.increment()


async def test_an_agents_own_error_may_speak_of_anything(handle, namespace, worker):
    trace = TRACEBACK.replace("too much", "no method cf_agents_internal")
    namespace.failures = [worker.Failure(trace, "PythonError")]
    with pytest.raises(RemoteError, match="no method cf_agents_internal"):
        await handle.increment()


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (TRACEBACK, "ValueError: too much"),
        ("Traceback (most recent call last):\n" + TRACEBACK, "ValueError: too much"),
        (TRACEBACK.replace("ValueError: too", "agents_runtime.errors.UsageError: too"), "UsageError: too much"),
        (TRACEBACK + "\nwith a second line\n    and more", "ValueError: too much"),
        (TRACEBACK.replace(": too much", ""), "ValueError"),
        (f"{TRACEBACK}\n\nDuring handling of it:\n\n{TRACEBACK.replace('too', 'so')}", "ValueError: so much"),
        ("Method nope does not exist", "Method nope does not exist"),
        ("first\nsecond", "second"),
        ("", "PlatformFailure"),
        ('  File "x", line 1', '  File "x", line 1'.strip()),
    ],
)
def test_the_line_that_says_what_went_wrong(worker, message, line):
    assert error_line(worker.Failure(message)) == line


def test_errors_without_a_message_attribute_have_their_text():
    assert error_line(OSError("AbortError: gone")) == "AbortError: gone"
