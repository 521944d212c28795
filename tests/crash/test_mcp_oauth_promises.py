"""What an authorization at an MCP server promises, killed at every write and every commit.

An address that was handed out leads back. A person who was sent on has let the agent in. Nothing half done stays.
"""

from __future__ import annotations

import pytest

from agents_runtime import Agent
from agents_runtime.errors import AgentError
from tests.mcp.provider import HOST, Provider

URL = f"https://{HOST}/mcp"
APP = "https://app.test"
PROVIDERS = {}


class Clerk(Agent):
    async def join(self):
        return await self.add_mcp_server("work", URL, callback_host=APP, id="work")

    async def use(self, tool):
        return (await self.mcp.call_tool("work", tool))["content"][0]["text"]

    async def pending(self):
        keys = [key for key, _ in self.ctx.storage.kv.list({"prefix": "/ada/work/"})]
        return [key for key in keys if "/state/" in key or "/code_verifier/" in key]


def provided(runtime):
    """The provider of a story: it outlives the agent's host."""
    provider = PROVIDERS["now"]
    provider.now_s = lambda: runtime.now_ms / 1000
    runtime.serve_http(HOST, provider.serve)
    return provider


async def come_back(runtime, url):
    answer = await runtime.fetch(url)
    await runtime.settle()
    return answer.status


async def consent(runtime):
    """A person lets the agent in. Tells the address they were given, that they were sent on, and that it was used."""
    PROVIDERS["now"] = Provider()
    provider = provided(runtime)
    agent = runtime.get(Clerk, "ada")
    auth_url = (await agent.join())["auth_url"]
    yield auth_url
    back = await provider.consent(auth_url)
    assert await come_back(runtime, back) == 302
    yield "sent on"
    assert await agent.use("whoami") == "whoami done"
    yield "used"


async def is_let_in(runtime, acknowledged):
    provider = provided(runtime)
    agent = runtime.get(Clerk, "ada")
    consents = 0
    if acknowledged[1:]:
        await runtime.settle()
        assert (await agent.join())["state"] == "ready", "who was sent on has let the agent in"
    elif acknowledged:
        # The code may have been redeemed before the death; the address that was handed out still tells who asks.
        await come_back(runtime, await provider.consent(acknowledged[0]))
        consents += 1
    for _ in range(3):
        joined = await agent.join()
        if joined["state"] != "authenticating":
            break
        await come_back(runtime, await provider.consent(joined["auth_url"]))
        consents += 1
    assert await agent.use("whoami") == "whoami done"
    assert consents <= 2
    assert await agent.pending() == []


async def refreshed(runtime):
    """A token expires and is renewed."""
    PROVIDERS["now"] = Provider()
    provider = provided(runtime)
    agent = runtime.get(Clerk, "ada")
    auth_url = (await agent.join())["auth_url"]
    await come_back(runtime, await provider.consent(auth_url))
    yield auth_url
    yield "sent on"
    await runtime.advance(seconds=3601)
    assert await agent.use("whoami") == "whoami done"
    yield "used"


async def is_usable(runtime, acknowledged):
    provider = provided(runtime)
    agent = runtime.get(Clerk, "ada")
    joined = await agent.join()
    if joined["state"] == "authenticating":
        await come_back(runtime, await provider.consent(joined["auth_url"]))
    try:
        assert await agent.use("whoami") == "whoami done"
    except AgentError:
        # The refresh token was used and what it gave was lost with the process: the person is asked again.
        joined = await agent.join()
        await come_back(runtime, await provider.consent(joined["auth_url"]))
        assert await agent.use("whoami") == "whoami done"


@pytest.mark.parametrize(("story", "invariant"), [(consent, is_let_in), (refreshed, is_usable)])
async def test_an_authorization_killed_everywhere(runtime, story, invariant):
    report = await runtime.crash_sweep(story, invariant, refuse_writes=True)
    assert report.runs > 20
