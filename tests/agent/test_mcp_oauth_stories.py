"""An agent is let in at an MCP server by a person, and stays in: every event finds an agent that has just woken."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from workers import Response

from agents_runtime import Agent, McpOAuthClient, callable, subscribe
from agents_runtime.errors import RemoteError
from tests.mcp.provider import HOST, Provider, Quirks, callback_fields

URL = f"https://{HOST}/mcp"
FRAME = "cf_agent_mcp_servers"
APP = "https://app.test"


class Clerk(Agent):
    @callable
    async def join(self, **options):
        return await self.add_mcp_server("work", URL, callback_host=APP, id="work", **options)

    @callable
    async def use(self, tool):
        result = await self.mcp.call_tool("work", tool)
        return result["content"][0]["text"]

    async def leave(self):
        await self.remove_mcp_server("work")

    async def keys(self):
        return [key for key, _ in self.ctx.storage.kv.list({"prefix": f"/{self.name}/"})]


class Office(Agent):
    async def hire(self, name):
        return (await (await self.sub_agent(Clerk, name)).join())["auth_url"]

    async def ask(self, name, tool):
        return await (await self.sub_agent(Clerk, name)).use(tool)


class Careless(Clerk):
    def create_mcp_oauth_provider(self, callback_url) -> Any:
        return {"client_id": "mine"}


class Guided(Clerk):
    def create_mcp_oauth_provider(self, callback_url):
        return McpOAuthClient(success_redirect="/in?x=1", error_redirect="https://app.test/out?x=1#top")


class Lost(Clerk):
    def create_mcp_oauth_provider(self, callback_url):
        return McpOAuthClient(success_redirect="javascript:alert(1)", error_redirect="//evil.test")


class Popup(Clerk):
    def create_mcp_oauth_provider(self, callback_url):
        return McpOAuthClient(respond=self.close_window)

    async def close_window(self, consent):
        return Response(f"{consent.server_id}: {consent.error}")


class Known(Clerk):
    def create_mcp_oauth_provider(self, callback_url):
        assert callback_url == f"{APP}/agents/known/ada/callback"
        return McpOAuthClient(client_id="mine", client_secret="s3cret")


def hired(runtime, quirks=None, cls=Clerk):
    """An agent, and the provider it will be let in by."""
    provider = Provider(quirks, lambda: runtime.now_ms / 1000)
    runtime.serve_http(HOST, provider.serve)
    return runtime.get(cls, "ada"), provider


async def come_back(runtime, url):
    """The browser, at the callback; returns where it is sent, and what is shown."""
    answer = await runtime.fetch(url)
    return answer.status, answer.headers.get("location"), await answer.text()


async def joined(runtime, quirks=None, cls=Clerk):
    agent, provider = hired(runtime, quirks, cls)
    added = await agent.join()
    assert added["state"] == "authenticating", added
    back = await provider.consent(added["auth_url"])
    assert await come_back(runtime, back) == (302, APP, "")
    await runtime.settle()
    return agent, provider


async def state_of(agent):
    server = (await agent.get_mcp_servers())["servers"]["work"]
    return server["state"], server["auth_url"], server["error"]


@pytest.mark.parametrize("modern", [False, True])
async def test_from_the_server_to_the_answer_of_a_tool(runtime, modern):
    agent, provider = hired(runtime, Quirks(modern=modern))
    added = await agent.join()
    assert added["id"] == "work"
    assert added["state"] == "authenticating"
    assert callback_fields(added["auth_url"])["redirect_uri"] == f"{APP}/agents/clerk/ada/callback"
    assert await state_of(agent) == ("authenticating", added["auth_url"], None)
    assert await agent.join() == added
    back = await provider.consent(added["auth_url"])
    assert await come_back(runtime, back) == (302, APP, "")
    await runtime.settle()
    assert await state_of(agent) == ("ready", None, None)
    assert await agent.use("whoami") == "whoami done"
    assert (await agent.get_mcp_servers())["tools"][0]["name"] == "whoami"


async def test_clients_are_told(runtime):
    agent, provider = hired(runtime)
    client = await runtime.connect(agent)
    auth_url = (await client.call("join"))["auth_url"]
    await come_back(runtime, await provider.consent(auth_url))
    await runtime.settle()
    assert await client.call("use", "whoami") == "whoami done"
    frames = [frame["mcp"]["servers"].get("work") for frame in client.frames if frame["type"] == FRAME]
    told = [(server["state"], server["auth_url"]) for server in frames if server]
    assert ("authenticating", auth_url) in told
    assert told[-1] == ("ready", None)


async def test_an_expired_token_is_refreshed_without_anybody(runtime):
    agent, provider = await joined(runtime)
    for _ in range(2):
        await runtime.advance(seconds=3601)
        assert await agent.use("whoami") == "whoami done"
    kinds = [seen.fields["grant_type"] for seen in provider.requests_to("/token")]
    assert kinds == ["authorization_code", "refresh_token", "refresh_token"]


async def test_a_tool_that_needs_more_asks_for_more(runtime):
    agent, provider = await joined(runtime)
    with pytest.raises(RemoteError):
        await agent.use("purge")
    state, auth_url, _ = await state_of(agent)
    assert state == "authenticating"
    assert callback_fields(auth_url)["scope"] == "basic admin"
    assert await come_back(runtime, await provider.consent(auth_url)) == (302, APP, "")
    await runtime.settle()
    assert await agent.use("purge") == "purge done"
    assert await agent.use("whoami") == "whoami done"
    assert provider.calls == ["purge", "whoami"]


async def test_a_tool_that_needs_more_does_not_end_the_call_of_another(runtime):
    agent, provider = await joined(runtime)
    going_on = asyncio.Event()

    async def slow(request):
        answer = await provider.serve(request)
        if provider.calls == ["whoami"]:
            await going_on.wait()
        return answer

    runtime.serve_http(HOST, slow)
    calling = asyncio.ensure_future(agent.use("whoami"))
    await runtime.settle()
    runtime.serve_http(HOST, provider.serve)
    with pytest.raises(RemoteError):
        await agent.use("purge")
    assert (await state_of(agent))[0] == "authenticating"
    going_on.set()
    assert await calling == "whoami done"


async def test_a_tool_that_is_never_content_does_not_stop_the_others(runtime):
    agent, provider = await joined(runtime, Quirks(always_forbids=True))
    for _ in range(3):
        with pytest.raises(RemoteError, match="asks for authorization"):
            await agent.use("purge")
        _, auth_url, _ = await state_of(agent)
        await come_back(runtime, await provider.consent(auth_url))
        await runtime.settle()
    with pytest.raises(RemoteError, match="granted all it asked for 3 times"):
        await agent.use("purge")
    assert (await state_of(agent))[0] == "ready"
    provider.quirks.always_forbids = False
    assert await agent.use("whoami") == "whoami done"


async def test_a_revoked_grant_asks_the_person_again(runtime):
    agent, provider = await joined(runtime)
    await runtime.advance(seconds=60)
    provider.revoke()
    with pytest.raises(RemoteError):
        await agent.use("whoami")
    state, auth_url, _ = await state_of(agent)
    assert state == "authenticating"
    await come_back(runtime, await provider.consent(auth_url))
    await runtime.settle()
    assert await agent.use("whoami") == "whoami done"


async def test_a_person_who_says_no(runtime):
    agent, provider = hired(runtime)
    auth_url = (await agent.join())["auth_url"]
    status, location, _ = await come_back(runtime, await provider.consent(auth_url, approves=False))
    assert (status, location) == (302, APP)
    assert (await state_of(agent))[1] is None
    assert (await agent.join())["state"] == "authenticating"


@pytest.mark.parametrize("iss", ["https://evil.test", None])
async def test_an_answer_of_somebody_else_is_refused(runtime, iss):
    agent, provider = hired(runtime, Quirks(iss=iss))
    auth_url = (await agent.join())["auth_url"]
    await come_back(runtime, await provider.consent(auth_url))
    assert not provider.requests_to("/token")
    assert (await state_of(agent))[0] != "ready"


async def test_forged_replayed_and_late_callbacks_change_nothing_and_tell_nothing(runtime):
    agent, provider = hired(runtime)
    auth_url = (await agent.join())["auth_url"]
    back = await provider.consent(auth_url)
    fields = callback_fields(back)
    callback = f"{APP}/agents/clerk/ada/callback"
    forged = [
        f"{callback}?state=forged.work&code={fields['code']}",
        f"{callback}?state={fields['state']}&state=x.work&code=x",
        f"{callback}?state={fields['state'].partition('.')[0]}.other&code=x",
        f"{callback}/more?{back.partition('?')[2]}",
        back.replace("https://app.test", "https://evil.test"),
    ]
    for url in forged:
        _, location, text = await come_back(runtime, url)
        assert fields["code"] not in f"{location}{text}"
        assert await state_of(agent) == ("authenticating", auth_url, None)
    assert not provider.requests_to("/token")
    await come_back(runtime, back)
    await runtime.settle()
    status, location, text = await come_back(runtime, back)
    assert (status, text) == (302, "")
    assert "code" not in str(location)
    assert (await state_of(agent))[0] == "ready"
    assert len(provider.requests_to("/token")) == 1
    await agent.leave()
    auth_url = (await agent.join())["auth_url"]
    back = await provider.consent(auth_url)
    await runtime.advance(minutes=11)
    await come_back(runtime, back)
    assert len(provider.requests_to("/token")) == 1
    again = await agent.join()
    assert again["auth_url"] != auth_url


async def test_a_server_that_is_removed_leaves_nothing(runtime):
    agent, provider = await joined(runtime)
    assert await agent.keys()
    await agent.leave()
    assert await agent.keys() == []
    assert (await agent.join())["state"] == "authenticating"
    assert len(provider.clients) == 2


async def test_a_client_registered_by_hand(runtime):
    agent, provider = hired(runtime, Quirks(extra={"registration_endpoint": None}), Known)
    callback = f"{APP}/agents/known/ada/callback"
    provider.clients["mine"] = {"client_id": "mine", "client_secret": "s3cret", "redirect_uris": [callback]}
    added = await agent.join()
    await come_back(runtime, await provider.consent(added["auth_url"]))
    await runtime.settle()
    assert await agent.use("whoami") == "whoami done"


@pytest.mark.parametrize(
    ("cls", "success", "failure"),
    [
        (Guided, (302, "/in?x=1"), (302, "https://app.test/out?x=1&error=the%20authorization%20server%20refused")),
        (Lost, (302, APP), (302, APP)),
        (Popup, (200, None), (200, None)),
    ],
)
async def test_where_the_browser_is_sent(runtime, cls, success, failure):
    agent, provider = hired(runtime, cls=cls)
    auth_url = (await agent.join())["auth_url"]
    status, location, text = await come_back(runtime, await provider.consent(auth_url, approves=False))
    assert (status, location and location[: len(failure[1])]) == failure
    assert location is None or "#top" in location or cls is Lost
    assert cls is not Popup or text.startswith("work: the authorization server refused consent: access_denied")
    auth_url = (await agent.join())["auth_url"]
    status, location, text = await come_back(runtime, await provider.consent(auth_url))
    assert (status, location) == success
    assert cls is not Popup or text == "work: None"


async def test_an_authorization_server_that_must_not_be_followed_fails_the_server_with_its_reason(runtime):
    agent, _ = hired(runtime, Quirks(extra={"code_challenge_methods_supported": None}))
    with pytest.raises(RemoteError, match="PKCE"):
        await agent.join()


async def test_a_sub_agent_is_let_in_at_an_address_of_its_own(runtime):
    provider = Provider(None, lambda: runtime.now_ms / 1000)
    runtime.serve_http(HOST, provider.serve)
    runtime.bind(Clerk)
    office = runtime.get(Office, "main")
    auth_url = await office.hire("a b")
    callback = f"{APP}/agents/office/main/sub/clerk/a%20b/callback"
    assert callback_fields(auth_url)["redirect_uri"] == callback
    back = await provider.consent(auth_url)
    assert back.startswith(callback + "?")
    assert await come_back(runtime, back) == (302, APP, "")
    await runtime.settle()
    assert await office.ask("a b", "whoami") == "whoami done"


async def test_a_provider_that_is_none_is_a_mistake_of_the_author(runtime):
    agent, _ = hired(runtime, cls=Careless)
    with pytest.raises(RemoteError, match="must return a McpOAuthClient"):
        await agent.join()


async def test_requests_at_once_refresh_once(runtime):
    agent, provider = await joined(runtime)
    await runtime.advance(seconds=3601)
    answers = await asyncio.gather(*(agent.use("whoami") for _ in range(8)))
    assert answers == ["whoami done"] * 8
    kinds = [seen.fields["grant_type"] for seen in provider.requests_to("/token")]
    assert kinds == ["authorization_code", "refresh_token"]


async def test_nothing_secret_is_told(runtime, caplog):
    caplog.set_level(logging.DEBUG)
    events = []
    unsubscribe = subscribe("all", lambda event: events.append(repr(event)))
    agent, provider = hired(runtime)
    client = await runtime.connect(agent)
    auth_url = (await client.call("join"))["auth_url"]
    secrets = []
    for _ in range(2):
        back = await provider.consent(auth_url)
        secrets += provider.secrets()
        await come_back(runtime, back)
        await runtime.settle()
        secrets += provider.secrets()
        await runtime.advance(seconds=60)
        provider.revoke()
        with pytest.raises(RemoteError):
            await client.call("use", "whoami")
        _, auth_url, _ = await state_of(agent)
    unsubscribe()
    told = json.dumps(client.frames) + json.dumps(await agent.get_mcp_servers()) + caplog.text + "".join(events)
    assert "mcp:client:authorize" in told
    assert len(secrets) >= 6
    for secret in secrets:
        assert secret not in told
