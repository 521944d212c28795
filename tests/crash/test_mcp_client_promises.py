"""What was said about an MCP server holds, wherever the agent dies: added servers stay, removed ones are gone."""

from __future__ import annotations

from agents_runtime import Agent, callable
from tests.mcp.scripted_server import ScriptedServer

URL = "http://tools.test/mcp"


class User(Agent):
    @callable
    async def add(self, name, **options):
        return (await self.add_mcp_server(name, URL + "/" + name, retry={"max_attempts": 1}, **options))["id"]

    @callable
    async def use(self, name):
        return (await self.mcp.call_tool(name, "echo", {"a": 1}))["content"][0]["text"]

    @callable
    async def names(self):
        await self.mcp.wait_for_connections(60)
        return {server["name"]: server["state"] for server in self.mcp.list_servers()}


def world(runtime):
    runtime.serve_http("tools.test", ScriptedServer())
    return runtime.get(User, "u")


async def test_an_added_server_stays_and_can_be_used(runtime):
    async def story(runtime):
        agent = world(runtime)
        await agent.add("one")
        yield "one"
        await agent.add("two", id="second")
        yield "two"
        await agent.use("one")
        await agent.add("two", id="deuce")
        yield "deuce"

    async def holds(runtime, acknowledged):
        agent = world(runtime)
        names = await agent.names()
        assert set(names.values()) <= {"ready"}
        assert {"one", "two"} & set(acknowledged) <= set(names)
        for name in names:
            assert await agent.use(name) == "{'a': 1}"
        if "deuce" in acknowledged:
            assert await agent.use("deuce") == "{'a': 1}"

    report = await runtime.crash_sweep(story, holds)
    assert report.runs > 20


async def test_a_removed_server_is_gone(runtime):
    async def story(runtime):
        agent = world(runtime)
        await agent.add("one", id="one")
        await agent.add("two", id="two")
        yield "added"
        await agent.remove_mcp_server("one")
        yield "removed"

    async def holds(runtime, acknowledged):
        agent = world(runtime)
        names = await agent.names()
        if "added" in acknowledged:
            assert "two" in names
        if "removed" in acknowledged:
            assert list(names) == ["two"]

            def leftovers(me):
                return [*me._platform.kv.keys("/u/one/"), *me._platform.kv.keys("cf_agents_py:mcp_catalogue:one")]

            assert await runtime.run_in_agent(agent, leftovers) == []

    await runtime.crash_sweep(story, holds)
