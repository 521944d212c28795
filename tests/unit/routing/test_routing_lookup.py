"""`get_agent_by_name` and `get_agent_by_id`: what names a binding, what starts, what is refused."""

import gc
import weakref

import pytest

from agents_runtime.errors import ConfigError, RemoteError, RetryableError, UsageError
from agents_runtime.local.shim.runtime import bind_environment
from agents_runtime.routing.lookup import get_agent_by_id, get_agent_by_name

ID = "0" * 64


class Chat:
    """Stands for an agent class."""


@pytest.mark.parametrize("namespace", ["CHAT_ROOM", "ChatRoom", "chat-room", "Chat", "chat", Chat])
async def test_a_binding_is_meant_by_any_spelling_or_its_class(worker, namespace):
    bound = worker.bind("CHAT_ROOM", Chat)
    worker.bind("OTHER")
    handle = await get_agent_by_name(namespace, "a", env=worker.env)
    assert (handle.name, repr(handle)) == ("a", "<AgentHandle CHAT_ROOM a>")
    assert bound.calls == [("start", "a", {"props": None})]


async def test_the_binding_itself_needs_no_environment(worker):
    bound = worker.bind("CHAT", Chat)
    handle = await get_agent_by_name(bound, "my room")
    assert repr(handle) == "<AgentHandle Chat my room>"
    assert bound.calls == [("start", "my room", {"props": None})]


async def test_names_are_looked_up_in_the_running_worker(worker):
    worker.bind("CHAT")
    bind_environment(worker.env)
    assert (await get_agent_by_name("chat", "a")).name == "a"


async def test_where_no_worker_runs_the_environment_must_be_given():
    with pytest.raises(UsageError, match="pass `env`"):
        await get_agent_by_name("chat", "a")


async def test_a_binding_name_goes_before_a_class_name(worker):
    class Other:
        pass

    first, second = worker.bind("Chat", Other), worker.bind("OTHER", Chat)
    await get_agent_by_name("Chat", "a", env=worker.env)
    assert (len(first.calls), len(second.calls)) == (1, 0)
    await get_agent_by_name(Chat, "a", env=worker.env)
    assert (len(first.calls), len(second.calls)) == (1, 1)


async def test_an_exact_name_settles_what_would_be_ambiguous(worker):
    exact, _ = worker.bind("ChatRoom"), worker.bind("CHAT_ROOM")
    await get_agent_by_name("ChatRoom", "a", env=worker.env)
    assert len(exact.calls) == 1
    with pytest.raises(ConfigError, match="CHAT_ROOM or ChatRoom"):
        await get_agent_by_name("chat-room", "a", env=worker.env)


@pytest.mark.parametrize("namespace", ["Chat", Chat])
async def test_a_class_with_two_bindings_is_ambiguous(worker, namespace):
    worker.bind("EU", Chat)
    worker.bind("US", Chat)
    with pytest.raises(ConfigError, match="EU or US"):
        await get_agent_by_name(namespace, "a", env=worker.env)


@pytest.mark.parametrize("namespace", ["nothing", int, 5, None])
async def test_what_is_no_binding_is_refused_with_the_choice(worker, namespace):
    worker.bind("CHAT", Chat)
    with pytest.raises(UsageError, match=r"this worker has CHAT|expected a binding"):
        await get_agent_by_name(namespace, "a", env=worker.env)


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 1025])
async def test_impossible_names_are_refused(worker, name):
    with pytest.raises(UsageError, match="name"):
        await get_agent_by_name(worker.bind("CHAT"), name)


async def test_options_reach_the_platform_and_props_the_start(worker):
    bound = worker.bind("CHAT")
    await get_agent_by_name(bound, "a", jurisdiction="eu", location_hint="weur", props={"user": "ada"})
    (stub,) = bound.stubs
    assert (stub.namespace.region, stub.options) == ("eu", {"locationHint": "weur"})
    assert bound.calls == [("start", "a", {"props": {"user": "ada"}})]


async def test_a_lost_connection_is_tried_again(worker):
    bound = worker.bind("CHAT")
    bound.failures = [worker.Failure("lost", retryable=True)]
    await get_agent_by_name("chat", "a", env=worker.env)
    assert worker.clock.slept_s == [0.05]
    bound.failures = [worker.Failure("lost", retryable=True)]
    with pytest.raises(RetryableError):
        await get_agent_by_name("chat", "a", env=worker.env, routing_retry=False)


async def test_a_failing_start_is_a_remote_error(worker):
    bound = worker.bind("CHAT")
    bound.failures = [worker.Failure('Traceback\n  File "x", line 1\nValueError: no start', "PythonError")]
    with pytest.raises(RemoteError, match=r"^ValueError: no start$"):
        await get_agent_by_name(bound, "a")


async def test_an_id_reaches_its_agent(worker):
    bound = worker.bind("CHAT", Chat)
    handle = await get_agent_by_id("chat", ID, env=worker.env, props={"a": 1}, location_hint="weur")
    assert (handle.id, handle.name) == (ID, None)
    assert repr(handle) == f"<AgentHandle CHAT {ID}>"
    assert bound.calls == [("start", None, {"props": {"a": 1}})]
    assert bound.stubs[0].options == {"locationHint": "weur"}


@pytest.mark.parametrize("object_id", ["", "abc", "g" * 64, "0" * 63, "0" * 65, "f" * 64])
async def test_what_is_no_id_of_the_class_is_refused(worker, object_id):
    worker.bind("CHAT")
    with pytest.raises(UsageError, match="is not the id of"):
        await get_agent_by_id("chat", object_id, env=worker.env)


async def test_looking_up_keeps_no_environment_alive(worker):
    from types import SimpleNamespace

    class Env(SimpleNamespace):
        """Can be referenced weakly."""

    env = Env(agents_namespaces=dict(worker.env.agents_namespaces), agents_host=worker.env.agents_host)
    env.agents_namespaces["CHAT"] = worker.bind("CHAT")
    await get_agent_by_name("chat", "a", env=env)
    gone = weakref.ref(env)
    del env
    gc.collect()
    assert gone() is None
