"""Every call of the earlier Python API, written as its users write it. Each method says what came of its calls."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from workers import Response

from agents_runtime import (
    Agent,
    AgentWorkflow,
    McpAgent,
    McpServer,
    call_callable,
    call_tool,
    callable,
    create_address_based_email_resolver,
    create_mcp_handler,
    get_agent_by_id,
    get_agent_by_name,
    get_callable_methods,
    get_tool_methods,
    register_mcp_tools,
    route_agent_email,
    route_agent_request,
    route_agent_requests,
    tool,
)
from agents_runtime.errors import AgentError, ApprovalRejected


class Toolbox:
    """No agent: callables and tools work on any object."""

    @callable
    def double(self, number: int) -> int:
        return number * 2

    @callable(name="sum")
    async def add_up(self, *numbers: int, start: int = 0) -> int:
        return sum(numbers, start)

    @tool
    def greet(self, name: str) -> str:
        """Greet somebody."""
        return f"Hello, {name}"

    @tool(name="look_up", description="Look an order up", input_schema={"order_id": "string"})
    async def find(self, order_id):
        return {"order_id": order_id, "status": "sent"}

    @tool(name=None, description=None, input_schema=None)
    def raw(self):
        """Give content as it is."""
        return {"content": [{"type": "text", "text": "as it is"}]}


class Chat(Agent):
    initial_state: dict[str, Any] = {"topic": "none"}

    @callable
    async def rename(self, topic: str) -> str:
        await self.set_state({"topic": topic})
        return self.state["topic"]

    @callable(name="sum")
    def add(self, a: int, b: int) -> int:
        return a + b

    async def on_request(self, request):
        return Response(f"{self.name} at {request.url.partition('/EARLIER')[2]}")

    def on_task(self, payload, schedule):
        self.sql("CREATE TABLE IF NOT EXISTS tasks (payload TEXT)")
        self.sql("INSERT INTO tasks (payload) VALUES (?)", payload["type"])

    def tasks_done(self) -> list[str]:
        self.sql("CREATE TABLE IF NOT EXISTS tasks (payload TEXT)")
        return [row["payload"] for row in self.sql("SELECT payload FROM tasks")]

    def on_workflow_complete(self, workflow_name, workflow_id, result):
        self.set_state({"topic": result})

    # Agent

    async def try_create(self):
        agent = Chat.create(state={"topic": "tests"}, env=self.env, ctx=self.ctx)
        return [isinstance(agent, Chat), agent.ctx is self.ctx, agent.env is self.env, await agent.call("sum", 1, 2)]

    async def try_create_alone(self):
        try:
            agent = Chat.create(state={"topic": "tests"})
        except AgentError as error:
            return str(error)
        return [agent.state, await agent.call("rename", "alone"), agent.state, self.state]

    async def try_properties(self):
        return [self.state, self.env.GREETING, self.ctx.id.name == self.name]

    async def try_call(self):
        said = [await self.call("rename", "one"), self.state]
        await self.call("set_state", {"topic": "two"})
        said.append(self.state)
        await self.call("setState", {"topic": "three"})
        said.append(self.state)
        made = await self.call("schedule_every", {"type": "sync"}, "10 minutes")
        assert await self.call("cancelSchedule", made.id) is True
        try:
            await self.call("nothing")
        except AgentError as error:
            said.append(str(error))
        return said

    async def try_schedule(self):
        await self.schedule({"type": "email-digest"}, "2026-01-01T00:00:00Z")
        later = await self.schedule({"type": "later"}, "2099-01-01T00:00:00Z")
        named = await self.schedule(3600, "on_task", {"type": "by name"})
        listed = [
            [each.payload, each.callback] for each in await self.get_schedules() if each.id in (later.id, named.id)
        ]
        gone = [await self.cancel_schedule(later.id), await self.cancel_schedule(later.id)]
        return [listed, gone, await self.cancel_schedule(named.id)]

    async def try_schedule_every(self):
        made = [
            await self.schedule_every({"type": "refresh-cache"}, "5 minutes"),
            await self.schedule_every({"type": "refresh-cache"}, 300),
            await self.schedule_every({"type": "refresh-cache"}, timedelta(minutes=5)),
            await self.schedule_every(300, "on_task", {"type": "refresh-cache"}),
        ]
        listed = [[each.payload, each.interval_seconds] for each in await self.get_schedules()]
        return [listed, [await self.cancel_schedule(each.id) for each in made], len(await self.get_schedules())]

    async def try_queue(self):
        said: list[Any] = [await self.dequeue()]
        await self.queue({"job": "index", "doc_id": "doc_42"})
        second = await self.queue({"job": "index", "doc_id": "doc_43"})
        third = await self.queue({"job": "index", "doc_id": "doc_44"})
        found = await self.get_queue(second)
        said += [await self.get_queue(), found and found.payload]
        said += [await self.dequeue(third), await self.dequeue(third), await self.dequeue()]
        said += [await self.dequeue_all(), await self.get_queue()]
        await self.queue("on_task", {"type": "queued"})
        return said

    async def try_broadcast(self):
        await self.broadcast({"type": "notification", "text": "hi"})
        await self.broadcast("as it is")
        await self.broadcast(b"\x01\x02")

    async def try_run_workflow(self):
        return await self.run_workflow({"name": "onboarding", "input": {"name": "ada"}})

    async def try_run_workflow_by_binding(self):
        return await self.run_workflow("ONBOARDING", {"name": "grace"})

    async def try_wait_for_approval(self):
        try:
            return await self.wait_for_approval({"request_id": "approval_1"})
        except ApprovalRejected as error:
            return f"rejected: {error.reason}"

    async def waiting(self):
        return [info.request_id for info in await self.list_approvals("pending")]

    async def try_approve(self):
        await self.approve("approval_1", {"by": "ada"})

    async def try_reject(self):
        await self.reject("approval_1", "too dear")

    async def try_mcp(self, url):
        given: list[Any] = [await self.add_mcp_server({"name": "docs", "transport": "http", "url": url})]
        known = (await self.get_mcp_servers())["servers"]
        given.append([[each["name"], each["server_url"] == url, each["state"]] for each in known.values()])
        await self.remove_mcp_server("docs")
        again = await self.add_mcp_server("docs", url)
        await self.remove_mcp_server(again["id"])
        return [given[0]["state"], given[1], list(self.get_mcp_servers()["servers"])]

    # Any object

    async def try_callables(self):
        toolbox = Toolbox()
        methods = get_callable_methods(toolbox)
        said = [sorted(methods), methods["double"](4), await call_callable(toolbox, "double", 4)]
        said.append(await call_callable(toolbox, "sum", 1, 2, start=3))
        try:
            await call_callable(toolbox, "triple", 4)
        except AgentError as error:
            said.append(str(error))
        return said

    async def try_tools(self):
        toolbox = Toolbox()
        said: list[Any] = [sorted(get_tool_methods(toolbox)), get_tool_methods(toolbox)["greet"]("Ada")]
        said += [await call_tool(toolbox, "greet", {"name": "Ada"}), await call_tool(toolbox, "raw")]
        said.append(await call_tool(toolbox, "look_up", {"order_id": "42"}))
        try:
            await call_tool(toolbox, "nothing", arguments={})
        except AgentError as error:
            said.append(str(error))
        return said

    # Look-up

    async def try_get_by_name(self, name):
        handles = [
            await get_agent_by_name(spelling, name) for spelling in ("chat", "CHAT", "Chat", Chat, self.env.CHAT)
        ]
        said = [await handle.call("sum", 1, number) for number, handle in enumerate(handles)]
        assert await handles[0].state == {"topic": "none"}
        return [said, len({handle.id for handle in handles}), await handles[0].rename("found"), await handles[1].state]

    async def try_get_by_id(self, name):
        named = await get_agent_by_name("chat", name)
        await named.set_state({"topic": "by id"})
        again = await get_agent_by_id("chat", named.id)
        return [len(named.id), await again.state]

    # Workflows

    async def try_workflow(self):
        workflow = Onboarding.create({"name": "onboarding"})
        assert isinstance(Onboarding.create(), Onboarding)
        said = [isinstance(AgentWorkflow.create({"name": "onboarding"}), AgentWorkflow)]
        said += [await workflow.call("colour", "tea"), await workflow.call("aloud", "tea")]
        return said


class DocsServer(McpAgent):
    @tool
    def search(self, query: str) -> str:
        """Search."""
        return f"found {query}"

    async def try_create(self):
        agent = DocsServer.create(state={"searches": 0}, env=self.env, ctx=self.ctx)
        return [isinstance(agent, McpAgent), agent.ctx is self.ctx, await call_tool(agent, "search", {"query": "tea"})]


class SupportAgent(Agent):
    @tool(input_schema={"order_id": "string"})
    async def lookup_order(self, order_id):
        """Look an order up."""
        return {"order_id": order_id, "by": self.name}

    async def on_email(self, email):
        await self.reply_to_email({"to": email.from_, "subject": "Re: your question", "text": f"{self.name} heard you"})


class Onboarding(AgentWorkflow):
    async def run(self, event, step):
        @step.do("greet")
        async def greet():
            return f"hello {event['payload']['name']}"

        return await greet()

    def colour(self, name):
        return f"{name} is green"

    async def aloud(self, name):
        return name.upper()


orders = McpServer("orders")
register_mcp_tools(orders, Toolbox())
mcp_of_server = create_mcp_handler(orders, route="/EARLIER/server", allowed_hosts="*")
mcp_of_factory = create_mcp_handler(lambda: orders, route="/EARLIER/factory", allowed_hosts="*")
mcp_of_agent = create_mcp_handler({"agent": "support-agent"}, route="/EARLIER/agent", allowed_hosts="*")
HANDLERS = {"server": mcp_of_server, "factory": mcp_of_factory, "agent": mcp_of_agent}


async def earlier_fetch(request, env, ctx):
    """What a worker does with requests."""
    path = request.url.partition("/EARLIER/")[2]
    if path in HANDLERS:
        return await HANDLERS[path](request, env, ctx)
    if path == "create":
        try:
            return Response(repr(Chat.create(state={"topic": "none"}, env=env, ctx=ctx)))
        except AgentError as error:
            return Response(f"{type(error).__name__}: {error}")
    if path.startswith("explicit/"):
        target = {"namespace": "chat", "name": path.removeprefix("explicit/")}
        return await route_agent_request(request, env, target)
    if path.startswith("alias/"):
        target = {"namespace": "chat", "name": path.removeprefix("alias/")}
        return await route_agent_requests(request, env, target)
    found = await route_agent_request(request, env, prefix="EARLIER/agents", cors=True)
    return found or Response("Not found", status=404)


async def earlier_email(message, env):
    """What a worker does with mails to its domain."""
    resolver = create_address_based_email_resolver({"support@example.com": "support-agent"})
    await route_agent_email(message, env, resolver)
