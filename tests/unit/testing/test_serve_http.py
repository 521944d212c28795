"""Outgoing requests in a test: answered by a handler of the test, sent to this machine, or refused."""

from __future__ import annotations

import pytest
from workers import Response, fetch

from agents_runtime import Agent, callable, get_current_agent
from agents_runtime.errors import RemoteError


class Asker(Agent):
    @callable
    async def ask(self, url, limit=1000):
        answer = await self._platform.fetch("POST", url, headers={"x-a": "b"}, body=b"hello", timeout_s=1)
        return [answer.status, answer.headers.get("x-back"), (await answer.read(limit)).decode()]

    @callable
    async def plain(self, url):
        return await (await fetch(url)).text()


async def echo(request):
    assert get_current_agent().agent is None
    text = f"{request.method.value} {request.url} {request.headers.get('x-a')} {await request.text()}"
    return Response(text, headers={"X-Back": "1"}, status=201)


async def test_a_handler_answers_for_a_host(runtime):
    runtime.serve_http("api.example.com", echo)
    agent = runtime.get(Asker, "a")
    assert await agent.ask("https://api.example.com/x?y=1") == [
        201,
        "1",
        "POST https://api.example.com/x?y=1 b hello",
    ]
    assert await agent.plain("https://api.example.com/z") == "GET https://api.example.com/z None "
    await runtime.restart()
    assert (await agent.ask("https://api.example.com/"))[0] == 201


@pytest.mark.parametrize("url", ["https://example.com/", "http://93.184.216.34/", "https://api.example.com/"])
async def test_other_hosts_are_refused_with_a_remedy(runtime, url):
    runtime.serve_http("api.example.com:444", echo)
    with pytest.raises(RemoteError, match=r"NetworkRefused: .*serve_http"):
        await runtime.get(Asker, "a").ask(url)


async def test_a_handler_that_fails_or_sends_too_much(runtime):
    runtime.expect_errors()

    async def broken(request):
        raise RuntimeError("the test is wrong")

    async def large(request):
        return Response(b"x" * 2000)

    runtime.serve_http("broken.test", broken)
    runtime.serve_http("large.test", large)
    agent = runtime.get(Asker, "a")
    with pytest.raises(RemoteError, match="the test is wrong"):
        await agent.ask("http://broken.test/")
    with pytest.raises(RemoteError, match="more than 1,000 bytes"):
        await agent.ask("http://large.test/")
