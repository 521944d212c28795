"""The authorization at one server from the first refusal to the last refresh, each step by somebody new."""

import asyncio

import pytest

from agents_runtime.mcp.oauth.options import McpOAuthClient
from agents_runtime.mcp.oauth.outcomes import Authorized, Failed, Ignored, NeedsUser, Retry
from tests.mcp.oauth_world import CALLBACK, Killed, World, is_served
from tests.mcp.provider import Quirks, callback_fields


async def authorized(world, tool="whoami"):
    """Get in, as a person who consents."""
    outcome = await world.use(tool)
    assert isinstance(outcome, NeedsUser), outcome
    back = await world.provider.consent(outcome.auth_url)
    assert await world.come_back(back) == Authorized()
    return back


async def test_from_nothing_to_an_answer():
    world = World()
    outcome = await world.use()
    assert isinstance(outcome, NeedsUser)
    fields = callback_fields(outcome.auth_url)
    assert fields["scope"] == "basic"
    assert fields["resource"] == world.provider.mcp_url
    assert fields["redirect_uri"] == CALLBACK
    assert fields["state"].endswith(".srv")
    assert world.row.auth_url == outcome.auth_url
    assert await world.come_back(await world.provider.consent(outcome.auth_url)) == Authorized()
    assert world.row.auth_url is None
    assert is_served(await world.use())
    assert world.provider.calls == ["whoami"]


async def test_what_is_stored_when():
    world = World()
    outcome = await world.use()
    nonce = callback_fields(outcome.auth_url)["state"].partition(".")[0]
    stored = world.stored()
    assert set(stored) == {
        "client-1/client_info/",
        f"client-1/code_verifier/{nonce}",
        f"state/{nonce}",
        "oauth_discovery",
        "scope_attempts",
    }
    assert stored["oauth_discovery"]["authorizationServerUrl"] == "https://provider.test"
    assert stored["oauth_discovery"]["authorizationServerMetadata"]["token_endpoint"] == "https://provider.test/token"
    assert stored["oauth_discovery"]["resourceMetadata"]["resource"] == world.provider.mcp_url
    assert {"nonce": nonce, "serverId": "srv"}.items() <= stored[f"state/{nonce}"].items()
    assert len(stored[f"client-1/code_verifier/{nonce}"]["verifier"]) == 43
    await world.come_back(await world.provider.consent(outcome.auth_url))
    stored = world.stored()
    assert set(stored) == {"client-1/client_info/", "client-1/token", "scope_attempts"}
    token = stored["client-1/token"]
    assert token["issuer"] == "https://provider.test"
    assert (token["token_type"], token["scope"], token["expires_in"]) == ("Bearer", "basic", 3600)


async def test_an_expired_token_is_refreshed_and_the_refresh_token_rotates():
    world = World()
    await authorized(world)
    for _ in range(3):
        world.wait(3601)
        assert is_served(await world.use())
    used = [seen.fields["refresh_token"] for seen in world.provider.requests_to("/token")[1:]]
    assert len(set(used)) == 3
    assert len(world.provider.requests_to("/register")) == 1


async def test_a_refresh_token_that_is_not_renewed_stays():
    world = World(Quirks(rotates=False))
    await authorized(world)
    for _ in range(2):
        world.wait(3601)
        assert is_served(await world.use())
    assert len({seen.fields["refresh_token"] for seen in world.provider.requests_to("/token")[1:]}) == 1


async def test_a_refresh_that_is_refused_asks_the_person_again():
    world = World()
    await authorized(world)
    world.wait(3601)
    world.provider.revoke()
    assert isinstance(await world.use(), NeedsUser)
    assert "client-1/token" not in world.stored()
    assert len(world.provider.requests_to("/register")) == 1


async def test_a_refresh_that_fails_in_passing_keeps_the_tokens():
    world = World()
    await authorized(world)
    world.wait(3601)
    world.provider.quirks.fails["/token"] = 503
    failed = await world.use()
    assert failed == Failed("https://provider.test failed with status 503", is_passing=True)
    world.provider.quirks.fails.clear()
    assert is_served(await world.use())


async def test_a_registration_that_is_forgotten_is_made_anew():
    world = World()
    await authorized(world)
    world.wait(3601)
    world.provider.clients.clear()
    world.provider.revoke()
    await authorized(world)
    assert world.row.client_id == "client-4"
    assert is_served(await world.use())


async def test_a_server_that_refuses_fresh_tokens_does_not_go_round_in_circles():
    world = World()
    await authorized(world)
    world.wait(3601)
    world.provider.quirks.lifetime_s = 0
    assert isinstance(await world.use(), NeedsUser)
    assert len(world.provider.requests_to("/token")) == 2


async def test_a_token_that_was_replaced_meanwhile_is_noticed():
    world = World()
    await authorized(world)
    assert await world.challenge(sent={"authorization": "Bearer old"}) == Retry()
    assert await world.challenge(sent={}) == Retry()


async def test_more_scopes_are_added_to_those_that_were_granted():
    world = World()
    await authorized(world)
    outcome = await world.use("purge")
    assert callback_fields(outcome.auth_url)["scope"] == "basic admin"
    assert is_served(await world.use())  # what was granted before still counts
    back = await world.provider.consent(outcome.auth_url)
    assert await world.come_back(back, is_connected=True) == Authorized()
    assert is_served(await world.use("purge"))
    assert is_served(await world.use())


async def test_a_server_that_is_never_content_is_given_up_after_three_times():
    world = World(Quirks(always_forbids=True))
    await authorized(world)
    await authorized(world)
    await authorized(world)
    failed = await world.use()
    assert isinstance(failed, Failed)
    assert "3 times" in failed.reason
    assert len(world.provider.codes) + len(world.provider.requests_to("/token")) == 3


async def test_requests_that_need_the_same_consent_get_the_same_address():
    world = World()
    first, second = await world.use(), await world.use()
    assert first == second
    world.wait(6 * 60)
    third = await world.use()
    assert third.auth_url != first.auth_url
    assert await world.come_back(await world.provider.consent(first.auth_url)) == Authorized()


@pytest.mark.parametrize("listed", [["client_secret_basic"], ["client_secret_post"], ["none"], None])
async def test_every_way_to_authenticate(listed):
    world = World(Quirks(extra={"token_endpoint_auth_methods_supported": listed}))
    await authorized(world)
    (request,) = world.provider.requests_to("/token")
    way = (listed or ["none"])[0]
    assert ("authorization" in request.headers) == (way == "client_secret_basic")
    assert ("client_secret" in request.fields) == (way == "client_secret_post")
    assert ("client_id" in request.fields) == (way != "client_secret_basic")


async def test_a_client_that_describes_itself_does_not_register():
    document = "https://app.test/client.json"
    world = World(Quirks(extra={"client_id_metadata_document_supported": True}), McpOAuthClient(metadata_url=document))
    await authorized(world)
    assert world.row.client_id == document
    assert not world.provider.requests_to("/register")
    assert is_served(await world.use())


async def test_a_client_that_could_describe_itself_registers_where_that_is_not_understood():
    world = World(options=McpOAuthClient(metadata_url="https://app.test/client.json"))
    await authorized(world)
    assert world.row.client_id == "client-1"


async def test_a_client_registered_by_hand_keeps_its_secret_out_of_the_storage():
    options = McpOAuthClient(client_id="mine", client_secret="s3cret")
    world = World(Quirks(registers=False, extra={"registration_endpoint": None}), options)
    world.provider.clients["mine"] = {"client_id": "mine", "client_secret": "s3cret", "redirect_uris": [CALLBACK]}
    await authorized(world)
    assert is_served(await world.use())
    assert "s3cret" not in str(world.stored())
    assert "s3cret" not in repr(options)


async def test_a_client_acts_in_its_own_name():
    options = McpOAuthClient(client_id="mine", client_secret="s3cret", grant="client_credentials")
    world = World(options=options, callback_url=None)
    world.provider.clients["mine"] = {"client_id": "mine", "client_secret": "s3cret", "redirect_uris": []}
    assert is_served(await world.use())
    world.wait(3601)
    assert is_served(await world.use())
    assert is_served(await world.use("purge"))
    assert not world.provider.requests_to("/authorize")


async def test_a_client_proves_itself_with_assertions():
    async def sign(issuer):
        return f"signed for {issuer}"

    options = McpOAuthClient(client_id="mine", client_assertion=sign)
    world = World(Quirks(extra={"token_endpoint_auth_methods_supported": ["private_key_jwt"]}), options)
    world.provider.clients["mine"] = {"client_id": "mine", "redirect_uris": [CALLBACK]}
    await authorized(world)
    world.wait(3601)
    assert is_served(await world.use())
    for request in world.provider.requests_to("/token"):
        assert request.fields["client_assertion"] == "signed for https://provider.test"
        assert request.fields["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        assert "authorization" not in request.headers
    assert "signed" not in str(world.stored())


async def test_an_authorization_server_that_moves_gets_neither_tokens_nor_credentials():
    world = World()
    await authorized(world)
    world.wait(3601)
    world.provider.quirks.issuer_path = "/tenant"
    world.provider.quirks.server_path = "/.well-known/oauth-authorization-server/tenant"
    before = len(world.provider.seen)
    outcome = await world.use()
    assert isinstance(outcome, NeedsUser)
    later = [seen for seen in world.provider.seen[before:] if seen.path != "/mcp"]
    assert "client-1" not in str(later)
    assert "refresh" not in str([seen.fields for seen in later if seen.path != "/register"])
    assert world.row.client_id != "client-1"
    assert not [key for key in world.stored() if key.startswith("client-1/")]


async def test_a_client_that_describes_itself_takes_no_tokens_along_to_another_authorization_server():
    options = McpOAuthClient(metadata_url="https://app.test/client.json")
    world = World(Quirks(extra={"client_id_metadata_document_supported": True}), options)
    await authorized(world, "purge")
    await authorized(world, "purge")
    world.wait(3601)
    world.provider.quirks.issuer_path = "/tenant"
    world.provider.quirks.server_path = "/.well-known/oauth-authorization-server/tenant"
    before = len(world.provider.requests_to("/token"))
    outcome = await world.use()
    assert callback_fields(outcome.auth_url)["scope"] == "basic"
    assert len(world.provider.requests_to("/token")) == before
    assert not await world.authorization().headers()


async def test_offline_access_is_asked_for_where_there_is_such_a_thing():
    world = World(Quirks(extra={"scopes_supported": ["basic", "offline_access"]}))
    outcome = await world.use()
    fields = callback_fields(outcome.auth_url)
    assert fields["scope"] == "basic offline_access"
    assert fields["prompt"] == "consent"


async def test_a_server_of_2025_03_26_is_its_own_authorization_server():
    world = World(Quirks(resource_path=None, server_path=None, advertises_iss=False, iss=None))
    await authorized(world)
    assert is_served(await world.use())
    assert "resource" not in world.provider.requests_to("/token")[0].fields


async def given_up(world, act):
    """Stop waiting while the authorization server has granted something and its answer is under way."""
    world.held = asyncio.Event()
    waiting = asyncio.ensure_future(act)
    before = len(world.provider.requests_to("/token"))
    while len(world.provider.requests_to("/token")) == before:
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    world.held.set()
    await world.idle()


async def test_whoever_gives_up_waiting_does_not_lose_what_is_granted():
    world = World()
    outcome = await world.use()
    await given_up(world, world.come_back(await world.provider.consent(outcome.auth_url)))
    assert is_served(await world.use())
    world.wait(3601)
    await given_up(world, world.use())
    assert is_served(await world.use())
    assert len(world.provider.requests_to("/token")) == 2


async def test_a_server_under_another_id_keeps_what_was_granted_and_nobody_on_the_way():
    world = World()
    await authorized(world)
    outcome = await world.use("purge")
    store = world.authorization().store.move("ada", "other")
    assert store.tokens("client-1") is not None
    assert not world.stored()
    assert not store.all_pending()
    assert not [key for key in world.kv.keys("/ada/other/") if "verifier" in key]
    assert not world.authorization().is_redeemable(outcome.auth_url)


# Death


async def story(world):
    """The whole of it, as far as a restarted agent and a patient person get. Returns how often consent was given."""
    consents, back = 0, None
    while True:
        try:
            if back is not None:
                outcome = await world.resume() or await world.come_back(back)
                assert isinstance(outcome, Authorized | Ignored | Failed)
                back = None
            outcome = await world.use()
            if is_served(outcome):
                return consents
            assert isinstance(outcome, NeedsUser), outcome
            back = await world.provider.consent(outcome.auth_url)
            consents += 1
            await world.come_back(back)
            back = None
        except Killed:
            world.deadly = None


@pytest.mark.parametrize("dies_after", [False, True])
@pytest.mark.parametrize("deadly", range(1, 7))
async def test_death_at_any_request_is_survived(deadly, dies_after):
    world = World()
    world.deadly, world.dies_after = deadly, dies_after
    consents = await story(world)
    assert world.deadly is None or world.requests < deadly
    # Only a code that was redeemed while the tokens got lost has to be given again.
    assert consents == (2 if (deadly, dies_after) == (4, True) else 1)
    assert world.row.auth_url is None
    assert not [key for key in world.stored() if key.startswith("state/") or "code_verifier" in key]


async def test_a_story_takes_four_requests():
    world = World()
    await story(world)
    assert world.requests == 4


@pytest.mark.parametrize("dies_after", [False, True])
@pytest.mark.parametrize("deadly", range(1, 4))
async def test_death_while_refreshing_is_survived(deadly, dies_after):
    world = World()
    await authorized(world)
    world.wait(3601)
    world.requests, world.deadly, world.dies_after = 0, deadly, dies_after
    consents = await story(world)
    assert consents == (1 if (deadly, dies_after) == (3, True) else 0)


async def test_a_code_that_came_back_is_redeemed_in_the_next_life_without_the_person():
    world = World()
    outcome = await world.use()
    back = await world.provider.consent(outcome.auth_url)
    world.deadly = world.requests + 1
    with pytest.raises(Killed):
        await world.come_back(back)
    world.deadly = None
    assert await world.resume() == Authorized()
    assert is_served(await world.use())
    assert await world.resume() is None
