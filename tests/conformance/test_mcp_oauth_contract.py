"""A person lets an agent in at an MCP server, on every host, with the agent evicted between any two steps."""

from __future__ import annotations

import pytest

from tests.conformance.test_objects_contract import until
from tests.conformance.worlds import ORIGIN
from tests.mcp.provider import Provider, Quirks, callback_fields
from tests.workerd.rig import RemoteError

WITHIN_S = 8.0


async def evicted(world, name):
    await world.evict("CLERK", name)


async def consented(world, name, provider, auth_url):
    """Consent and come back."""
    back = await provider.consent(auth_url)
    await evicted(world, name)
    answer = await world.fetch(f"/agents/clerk/{name}/callback?{back.partition('?')[2]}")
    assert answer.status == 302, answer.text
    assert answer.headers["location"].rstrip("/") == origin_of(world)
    ready = await until(lambda: world.call("CLERK", name, "state_of"), "ready", seconds=WITHIN_S)
    assert ready == "ready"
    await evicted(world, name)


def origin_of(world):
    return world.rig.url.rstrip("/") if world.is_real else ORIGIN


@pytest.mark.parametrize("modern", [True, False])
async def test_a_person_lets_an_agent_in(world, name, modern):
    provider = Provider(Quirks(modern=modern))
    async with provider.listening() as url:
        joined = await world.call("CLERK", name, "join", url, origin_of(world))
        assert joined["state"] == "authenticating"
        nonce = callback_fields(joined["auth_url"])["state"].partition(".")[0]
        expected = ["client_info/", f"code_verifier/{nonce}"]
        assert await world.call("CLERK", name, "keys") == [
            *(f"client-1/{key}" for key in expected),
            *("oauth_discovery", "scope_attempts", f"state/{nonce}"),
        ]
        await evicted(world, name)
        assert await world.call("CLERK", name, "join", url, origin_of(world)) == joined
        await consented(world, name, provider, joined["auth_url"])
        assert await world.call("CLERK", name, "use", "whoami") == "whoami done"
        assert f"state/{nonce}" not in await world.call("CLERK", name, "keys")

        provider.expire_tokens()
        await evicted(world, name)
        assert await world.call("CLERK", name, "use", "whoami") == "whoami done"
        assert provider.requests_to("/token")[-1].fields["grant_type"] == "refresh_token"

        with pytest.raises(RemoteError, match="authorization"):
            await world.call("CLERK", name, "use", "purge")
        joined = await world.call("CLERK", name, "join", url, origin_of(world))
        assert callback_fields(joined["auth_url"])["scope"] == "basic admin"
        await consented(world, name, provider, joined["auth_url"])
        assert await world.call("CLERK", name, "use", "purge") == "purge done"
        assert len(provider.clients) == 1


async def test_forged_callbacks_change_nothing(world, name):
    provider = Provider()
    async with provider.listening() as url:
        joined = await world.call("CLERK", name, "join", url, origin_of(world))
        answer = await world.fetch(f"/agents/clerk/{name}/callback?state=forged.work&code=x")
        assert (answer.status, answer.text) == (302, "")
        assert await world.call("CLERK", name, "join", url, origin_of(world)) == joined
        assert not provider.requests_to("/token")
