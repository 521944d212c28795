"""The names and calls of the earlier Python API in stories; tests/conformance holds every host to all of them."""

import asyncio
import inspect

import pytest
from workers import Request, Response, WorkerEntrypoint

from agents_runtime import (
    Agent,
    AgentWorkflow,
    call_callable,
    callable,
    create_address_based_email_resolver,
    get_agent_by_id,
    get_agent_by_name,
    get_callable_methods,
    route_agent_email,
    route_agent_request,
    route_agent_requests,
)
from agents_runtime.errors import AgentError, UsageError


class Chat(Agent):
    initial_state = {"topic": "none"}

    @callable
    async def rename(self, topic: str) -> str:
        await self.set_state({"topic": topic})
        return self.state["topic"]

    @callable(name="sum")
    def add(self, a: int, b: int) -> int:
        return a + b

    async def on_request(self, request):
        return Response(f"{self.name} at {request.url}")


class Toolbox:
    """No agent: callables work on any object."""

    @callable
    def double(self, number: int) -> int:
        return number * 2

    @callable(name="sum")
    async def add_up(self, *numbers: int, start: int = 0) -> int:
        return sum(numbers, start)

    def hidden(self) -> None: ...


# Callable methods


def test_get_callable_methods_gives_bound_methods_by_name():
    methods = get_callable_methods(Toolbox())
    assert sorted(methods) == ["double", "sum"]
    assert methods["double"](4) == 8
    assert all(inspect.ismethod(method) for method in methods.values())


async def test_call_callable_takes_sync_and_async_methods_with_any_arguments():
    toolbox = Toolbox()
    assert await call_callable(toolbox, "double", 4) == 8
    assert await call_callable(toolbox, "sum", 1, 2, start=3) == 6


@pytest.mark.parametrize("name", ["triple", "hidden", "add_up", "__init__"])
async def test_call_callable_lists_what_there_is(name):
    with pytest.raises(UsageError, match=r"double.*sum"):
        await call_callable(Toolbox(), name)


# Agent


async def test_create_makes_a_fresh_agent_in_memory():
    agent = Chat.create(state={"topic": "tests"})
    assert isinstance(agent, Chat)
    assert agent.state == {"topic": "tests"}
    assert agent.env is not None
    assert agent.ctx is not None
    assert Chat.create().state == {"topic": "none"}
    assert Agent.create(state={"a": 1}).state == {"a": 1}


async def test_create_takes_an_environment():
    class Env:
        NAME = "value"

    env = Env()
    assert Chat.create(env=env).env.NAME == "value"


async def test_create_binds_to_the_ctx_and_env_of_an_object(runtime):
    runtime.bind(Chat)
    chat = runtime.get(Chat, "a")

    def rebuild(hosted):
        again = Chat.create(env=hosted.env, ctx=hosted.ctx)
        return again.ctx is hosted.ctx, again.env is hosted.env, again.name

    assert await runtime.run_in_agent(chat, rebuild) == (True, True, "a")


async def test_call_takes_python_and_javascript_spellings():
    agent = Chat.create()
    assert await agent.call("rename", "one") == "one"
    await agent.call("set_state", {"topic": "two"})
    assert agent.state == {"topic": "two"}
    await agent.call("setState", {"topic": "three"})
    assert agent.state == {"topic": "three"}
    with pytest.raises(AgentError, match="nothing"):
        await agent.call("nothing")


async def test_set_state_and_broadcast_may_be_awaited(runtime):
    runtime.bind(Chat)
    client = await runtime.connect(Chat, "a")
    await client.expect("cf_agent_state")

    async def work(agent):
        await agent.set_state({"topic": "news"})
        await agent.broadcast({"type": "notification", "text": "hi"})
        await agent.broadcast("as it is")
        await agent.broadcast(b"\x01\x02")

    await runtime.run_in_agent(runtime.get(Chat, "a"), work)
    assert (await client.expect("cf_agent_state"))["state"] == {"topic": "news"}
    assert await client.expect("notification") == {"type": "notification", "text": "hi"}
    assert await client.expect(lambda frame: frame == "as it is")
    assert await client.expect(lambda frame: frame == b"\x01\x02")


async def test_wait_for_approval_takes_a_mapping(runtime):
    chat = runtime.get(Chat, "a")

    async def work(agent):
        waiting = asyncio.ensure_future(agent.call("waitForApproval", {"request_id": "approval_1"}))
        await asyncio.sleep(0)
        assert [info.request_id for info in await agent.list_approvals("pending")] == ["approval_1"]
        await agent.approve("approval_1", {"by": "ada"})
        return [await waiting, await agent.wait_for_approval({"request_id": "approval_1"})]

    assert await runtime.run_in_agent(chat, work) == [{"by": "ada"}, {"by": "ada"}]


# Routing and look-up


@pytest.mark.parametrize("route", [route_agent_request, route_agent_requests])
async def test_an_explicit_target_needs_no_matching_url(runtime, route):
    runtime.bind(Chat)
    response = await route(Request("http://h/any"), runtime.env, {"namespace": "chat", "name": "assistant"})
    assert await response.text() == "assistant at http://h/any"


async def test_url_routing_takes_keyword_options(runtime):
    runtime.bind(Chat)
    request = Request("http://h/api/chat/assistant")
    response = await route_agent_request(
        request, runtime.env, prefix="api", cors=True, props={"a": 1}, routing_retry={"max_attempts": 2}
    )
    assert response is not None
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert await route_agent_request(request, runtime.env) is None


async def answer(runtime, work):
    """Run `work(env)` inside a worker that answers with its text."""

    async def entrypoint(request, env, ctx):
        return Response(str(await work(env)))

    runtime.bind(Chat, "CHAT_ROOM")
    runtime.serve(entrypoint)
    return await (await runtime.fetch("/")).text()


@pytest.mark.parametrize("spelling", ["CHAT_ROOM", "chat-room", "ChatRoom", "Chat", "chat", Chat])
async def test_get_agent_by_name_looks_in_the_current_environment(runtime, spelling):
    async def work(env):
        handle = await get_agent_by_name(spelling, "assistant")
        return handle.name, await handle.rename("found"), await handle.state

    assert await answer(runtime, work) == "('assistant', 'found', {'topic': 'found'})"


async def test_get_agent_by_name_takes_a_binding(runtime):
    async def work(env):
        handle = await get_agent_by_name(env.CHAT_ROOM, "assistant")
        await handle.set_state({"topic": "direct"})
        return (await handle.state)["topic"], await handle.call("sum", 1, 2)

    assert await answer(runtime, work) == "('direct', 3)"


async def test_get_agent_by_id_takes_64_hexadecimal_digits(runtime):
    async def work(env):
        named = await get_agent_by_name("chat", "assistant")
        await named.rename("by id")
        again = await get_agent_by_id("chat", named.id)
        return len(named.id), again.id == named.id, (await again.state)["topic"]

    assert await answer(runtime, work) == "(64, True, 'by id')"


# E-mail


class SupportAgent(Agent):
    async def on_email(self, email):
        await self.reply_to_email({"to": email.from_, "subject": "Re: your question", "text": f"{self.name} heard you"})


async def test_mail_is_routed_by_a_map_of_addresses_and_answered_with_a_dict(runtime):
    class Worker(WorkerEntrypoint):
        async def email(self, message):
            resolver = create_address_based_email_resolver({"support@example.com": "support-agent"})
            await route_agent_email(message, self.env, resolver)

    runtime.bind(SupportAgent)
    runtime.serve(Worker)
    delivery = await runtime.email("support@example.com", subject="Hi", text="?")
    assert (delivery.reply.to, delivery.reply.subject) == (("ada@example.com",), "Re: your question")
    assert delivery.reply.text.strip() == "support heard you"
    assert (await runtime.email("sales@example.com", text="?")).replies == ()


# Workflows


class Onboarding(AgentWorkflow):
    async def run(self, event, step):
        @step.do("greet")
        async def greet():
            return f"hello {event['payload']['name']}"

        return await greet()

    def colour(self, name):
        return f"{name} is green"


class Host(Agent):
    def on_workflow_complete(self, workflow_name, workflow_id, result):
        self.set_state({"result": result})


async def test_run_workflow_by_name_with_input(runtime):
    runtime.bind(Onboarding, "ONBOARDING")
    agent = runtime.get(Host, "h")
    workflow_id = await agent.run_workflow({"name": "onboarding", "input": {"name": "ada"}})
    await runtime.settle()
    assert (await agent.state) == {"result": "hello ada"}
    assert (await agent.get_workflow(workflow_id)).status == "complete"


async def test_a_workflow_is_created_and_called():
    workflow = Onboarding.create({"name": "onboarding"})
    assert isinstance(AgentWorkflow.create({"name": "onboarding"}), AgentWorkflow)
    assert await workflow.call("colour", "tea") == "tea is green"
    with pytest.raises(UsageError, match="no method 'color'"):
        await workflow.call("color", "tea")
