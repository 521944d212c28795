"""A real server process is killed with SIGKILL at each request of an authorization, before and after it takes effect.

A person who reloads the page that broke off is let in all the same. Consent is asked for again only if the process died
between the redeeming of the code and the storing of the tokens: the authorization server takes a code once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import textwrap
from dataclasses import dataclass, field

import httpx
import pytest
import websockets

from tests.crash.test_sigkill import ServerProcess
from tests.mcp.provider import Provider, Quirks

APP = "http://app.test"
STORY_S = 40.0
LIVES = 4
TOKEN_REQUEST = "/token"

WRANGLER = """
    name = "clerks"
    main = "clerks_main.py"
    compatibility_date = "2026-06-01"
    compatibility_flags = ["python_workers"]

    [[durable_objects.bindings]]
    name = "Clerk"
    class_name = "Clerk"

    [[migrations]]
    tag = "v1"
    new_sqlite_classes = ["Clerk"]
"""

MAIN = """
    from agents_runtime import Agent, callable, route_agent_request
    from workers import Response, WorkerEntrypoint

    class Clerk(Agent):
        @callable
        async def join(self, url):
            return await self.add_mcp_server("work", url, callback_host="http://app.test", id="work")

        @callable
        async def state_of(self):
            return self.get_mcp_servers()["servers"]["work"]["state"]

        @callable
        async def use(self, tool):
            return (await self.mcp.call_tool("work", tool))["content"][0]["text"]

    class Default(WorkerEntrypoint):
        async def fetch(self, request):
            return await route_agent_request(request, self.env) or Response("Not found", status=404)
"""


class Broken(Exception):
    """The server is gone."""


@dataclass
class Person:
    """Somebody with a browser, who tries again when a page does not load.

    Attributes:
        back: the page that did not load.
        consents: how often they consented.
    """

    name: str
    provider: Provider
    back: str | None = None
    consents: int = 0
    calls: list[str] = field(default_factory=list)

    async def call(self, port, method, *args):
        try:
            async with asyncio.timeout(10), websockets.connect(f"ws://127.0.0.1:{port}/agents/clerk/{self.name}") as ws:
                await ws.send(json.dumps({"type": "rpc", "id": "1", "method": method, "args": args}))
                async for text in ws:
                    frame = json.loads(text)
                    if frame["type"] == "rpc":
                        return frame.get("result") if frame["success"] else frame
        except (OSError, EOFError, websockets.WebSocketException) as error:
            raise Broken from error
        raise Broken

    async def load(self, port):
        """Load the page to which the authorization server sent the browser."""
        assert self.back is not None
        try:
            async with httpx.AsyncClient(timeout=10) as browser:
                url = self.back.replace(APP, f"http://127.0.0.1:{port}")
                answer = await browser.get(url, headers={"host": "app.test"})
        except httpx.TransportError as error:
            raise Broken from error
        assert answer.status_code == 302, answer.text
        self.back = None

    async def get_in(self, port):
        """Do what it takes to have a tool called."""
        if self.back is not None:
            await self.load(port)
        for _ in range(4):
            joined = await self.call(port, "join", self.provider.mcp_url)
            if joined.get("auth_url"):
                self.back = await self.provider.consent(joined["auth_url"])
                self.consents += 1
                await self.load(port)
            async with asyncio.timeout(10):
                while (state := await self.call(port, "state_of")) == "connecting":
                    await asyncio.sleep(0.02)
            if state == "ready":
                break
        return await self.call(port, "use", "whoami")


async def story(folder, provider, name, deadly=0, takes_effect=False):
    """One authorization, with a death at one request of the server. Gives the person, and the paths it asked for."""
    person, asked, seen = Person(name, provider), [], len(provider.seen)
    for _ in range(LIVES):
        async with ServerProcess(folder) as server:

            def death(request, server=server):
                if request.path == "/authorize":
                    return None
                asked.append(request.path)
                return (takes_effect, server.kill) if len(asked) == deadly else None

            provider.deadly = death
            with contextlib.suppress(Broken):
                assert await person.get_in(server.port) == "whoami done"
                return person, asked
    raise AssertionError(f"{name} was not let in: {[request.path for request in provider.seen[seen:]]}")


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_person_is_let_in_whenever_the_process_is_killed(tmp_path):
    (tmp_path / "wrangler.toml").write_text(textwrap.dedent(WRANGLER))
    (tmp_path / "clerks_main.py").write_text(textwrap.dedent(MAIN))
    provider = Provider(Quirks())
    async with provider.listening():
        person, asked = await story(tmp_path, provider, "undisturbed")
        assert person.consents == 1
        assert asked.count(TOKEN_REQUEST) == 1
        assert len(asked) >= 7
        for deadly in range(1, len(asked) + 1):
            for takes_effect in (False, True):
                name = f"killed-{deadly}-{takes_effect}".lower()
                person, _ = await asyncio.wait_for(story(tmp_path, provider, name, deadly, takes_effect), STORY_S)
                is_code_lost = takes_effect and asked[deadly - 1] == TOKEN_REQUEST
                assert person.consents == (2 if is_code_lost else 1), (name, asked)
