"""What must not be believed, followed or told: each with the reason, and with nothing sent that could be stolen."""

import asyncio
import json

import pytest

from agents_runtime.errors import UsageError
from agents_runtime.mcp.oauth.callback import STATE_LIFETIME_MS
from agents_runtime.mcp.oauth.options import McpOAuthClient
from agents_runtime.mcp.oauth.outcomes import Authorized, Failed, Ignored, NeedsUser
from tests.mcp.oauth_world import CALLBACK, World, is_served
from tests.mcp.provider import Quirks, callback_fields

WELL_KNOWN = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource/mcp"


async def sent_away(world):
    outcome = await world.use()
    assert isinstance(outcome, NeedsUser), outcome
    return await world.provider.consent(outcome.auth_url)


async def reason_of(world):
    """Why nobody was asked, without anything having been registered or stored that could be used."""
    outcome = await world.use()
    assert isinstance(outcome, Failed), outcome
    assert not world.provider.requests_to("/token")
    assert world.row.auth_url is None
    return outcome.reason


# Metadata


@pytest.mark.parametrize(
    "resource",
    [
        "https://evil.test/mcp",
        "https://provider.test/other",
        "https://provider.test/mc",
        "https://provider.test/mcp/deeper",
        "http://provider.test/mcp",
        "https://provider.test:8443/mcp",
        "https://provider.test@evil.test/mcp",
        "https://provider.test/mcp#x",
        "https://provider.test/mcp?other=1",
        "provider.test/mcp",
        "",
    ],
)
async def test_the_metadata_of_another_resource_is_refused(resource):
    world = World(Quirks(resource=resource) if resource else Quirks(bodies={RESOURCE: b'{"authorization_servers":[]}'}))
    assert "resource" in await reason_of(world)
    assert not world.provider.requests_to("/register")


@pytest.mark.parametrize("resource", ["https://provider.test", "https://provider.test/", "https://PROVIDER.test/mcp/"])
async def test_the_metadata_of_what_the_server_is_a_part_of_is_taken_and_sent_as_published(resource):
    outcome = await World(Quirks(resource=resource)).use()
    assert callback_fields(outcome.auth_url)["resource"] == resource


async def test_a_hint_to_another_origin_is_refused():
    world = World(Quirks(resource_path="@evil.test/metadata"))
    assert await reason_of(world)
    world = World(Quirks(resource_path=".evil.test/metadata"))
    assert "another origin" in await reason_of(world)
    assert len(world.provider.seen) == 1


async def test_a_hint_to_nothing_is_refused():
    world = World(Quirks(fails={RESOURCE: 404}))
    assert "where nothing is" in await reason_of(world)


@pytest.mark.parametrize("issuer", ["https://evil.test", "https://provider.test/x", "http://provider.test"])
async def test_the_metadata_of_another_issuer_is_refused(issuer):
    assert "another issuer" in await reason_of(World(Quirks(issuer=issuer)))


async def test_a_server_that_is_its_own_authorization_server_may_call_it_by_any_path():
    world = World(Quirks(resource_path=None, issuer="https://provider.test/oauth"))
    assert await world.come_back(await sent_away(world)) == Authorized()
    assert "another issuer" in await reason_of(World(Quirks(resource_path=None, issuer="https://evil.test/oauth")))


async def test_the_metadata_of_another_issuer_is_taken_if_the_author_says_so():
    world = World(Quirks(issuer="https://provider.test/x"), McpOAuthClient(skip_issuer_check=True))
    assert await world.come_back(await sent_away(world)) == Authorized()
    assert world.stored()["client-1/token"]["issuer"] == "https://provider.test/x"


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("code_challenge_methods_supported", None, "PKCE"),
        ("code_challenge_methods_supported", ["plain"], "PKCE"),
        ("code_challenge_methods_supported", "S256", "PKCE"),
        ("authorization_endpoint", None, "authorization endpoint"),
        ("authorization_endpoint", "http://provider.test/authorize", "https"),
        ("authorization_endpoint", "javascript:alert(1)", "http"),
        ("authorization_endpoint", "https://user:word@provider.test/", "user name"),
        ("token_endpoint", "http://provider.test/token", "https"),
        ("token_endpoint", "http://127.0.0.1/token", "another machine"),
        ("token_endpoint", "https://localhost/token", "another machine"),
        ("token_endpoint", 5, "no URL"),
        ("registration_endpoint", "http://[::1]/register", "another machine"),
        ("registration_endpoint", None, "register one by hand"),
    ],
)
async def test_an_authorization_server_that_is_not_safe_is_refused(field, value, reason):
    assert reason in await reason_of(World(Quirks(extra={field: value})))


async def test_a_server_on_this_machine_may_have_everything_on_this_machine():
    world = World(base="http://localhost:5000")
    assert await world.come_back(await sent_away(world)) == Authorized()


async def test_an_authorization_server_that_publishes_nothing_is_refused():
    assert "publishes no metadata" in await reason_of(World(Quirks(server_path=None)))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"', b"[" * 100_000, b"\xff", b'{"issuer": 5}', b"NaN"])
@pytest.mark.parametrize("path", [WELL_KNOWN, RESOURCE])
async def test_metadata_that_is_none_is_refused(path, body):
    assert await reason_of(World(Quirks(bodies={path: body})))


@pytest.mark.parametrize("path", [WELL_KNOWN, RESOURCE])
async def test_megabytes_are_not_read(path):
    world = World(Quirks(bodies={path: b" " * 300_000}))
    outcome = await world.use()
    assert outcome == Failed("https://provider.test could not be asked (FetchFailed)", is_passing=True)


@pytest.mark.parametrize("path", [WELL_KNOWN, RESOURCE])
async def test_redirects_to_strange_hosts_are_not_followed(path):
    for target in (
        "https://evil.test/",
        "http://provider.test/",
        "//evil.test/x",
        "https://provider.test:1/",
        "\\evil",
    ):
        world = World(Quirks(redirects={path: target}))
        assert await reason_of(world)
        assert not world.strangers


async def test_redirects_within_an_origin_are_followed_but_not_in_circles():
    world = World(Quirks(redirects={RESOURCE: "/moved"}, bodies={}))
    world.provider.quirks.bodies["/moved"] = json.dumps(world.provider._resource_metadata()).encode()
    assert isinstance(await world.use(), NeedsUser)
    world = World(Quirks(redirects={RESOURCE: RESOURCE}))
    assert "in circles" in await reason_of(world)


@pytest.mark.parametrize("path", ["/token", "/register"])
async def test_what_carries_secrets_is_never_redirected(path):
    world = World()
    back = await sent_away(world) if path == "/token" else ""
    world.provider.quirks.redirects[path] = "/elsewhere"
    outcome = await (world.come_back(back) if path == "/token" else world.use())
    assert isinstance(outcome, Failed)
    assert "redirects a request" in outcome.reason
    assert not world.provider.requests_to("/elsewhere")


async def test_addresses_that_the_agent_must_not_call_are_not_called():
    world = World(Quirks(extra={"token_endpoint": "https://10.0.0.1/token"}))
    world.forbidden = ("10.0.0.1",)
    failed = await world.come_back(await sent_away(world))
    assert failed == Failed("https://10.0.0.1 is an address that agents do not call")


async def test_a_server_that_cannot_be_reached_may_be_later():
    world = World(Quirks(extra={"registration_endpoint": "https://gone.test/register?key=secret"}))
    assert await world.use() == Failed("https://gone.test could not be asked (FetchFailed)", is_passing=True)


# Registration


async def test_a_registration_that_is_refused_says_why():
    refusal = {"error": "invalid_redirect_uri", "error_description": "only\x00https\x1b[31m " + "x" * 500}
    reason = await reason_of(World(Quirks(refuses_registration=refusal)))
    assert reason.startswith(
        "the authorization server refused the registration: invalid_redirect_uri (only https [31m x"
    )
    assert reason.isprintable()
    assert len(reason) < 320


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"client_id": ""},
        {"client_id": 5},
        {"client_id": "a b"},
        {"client_id": "a\r\nx: y"},
        {"client_id": "x" * 1025},
        {"client_id": "a", "client_secret": "s\n"},
        {"client_id": "a", "client_secret": 5},
        [],
    ],
)
async def test_a_registration_that_is_none_is_refused(answer):
    world = World(Quirks(bodies={"/register": json.dumps(answer).encode()}))
    assert "registration" in await reason_of(world)


async def test_a_client_id_too_long_for_a_key_is_refused():
    world = World(Quirks(bodies={"/register": json.dumps({"client_id": "x" * 1024}).encode()}))
    assert isinstance(await world.use(), NeedsUser)


async def test_a_client_of_another_authorization_server_is_not_used():
    options = McpOAuthClient(client_id="mine", client_secret="s", issuer="https://other.test")
    world = World(options=options)
    assert "another authorization server" in await reason_of(world)
    world = World(options=McpOAuthClient(client_id="mine", client_secret="s"))
    world.provider.clients["mine"] = {"client_id": "mine", "client_secret": "s", "redirect_uris": [CALLBACK]}
    assert await world.come_back(await sent_away(world)) == Authorized()
    world.wait(3601)
    world.provider.quirks.issuer_path = "/t"
    world.provider.quirks.server_path = WELL_KNOWN + "/t"
    before = len(world.provider.requests_to("/token"))
    failed = await world.use()
    assert "another authorization server" in failed.reason
    assert len(world.provider.requests_to("/token")) == before


async def test_nobody_can_be_asked_without_an_address_to_come_back_to():
    world = World(callback_url=None)
    assert "callback_host" in await reason_of(world)


def test_options_that_cannot_work_are_refused():
    for given in (
        {"client_secret": "s"},
        {"grant": "client_credentials"},
        {"grant": "client_credentials", "client_id": "a"},
        {"metadata_url": "http://app.test/client.json"},
        {"metadata_url": "https://app.test"},
        {"metadata_url": "https://app.test/"},
        {"metadata_url": "https://app.test/a/../b"},
        {"metadata_url": "https://app.test/a#b"},
    ):
        with pytest.raises(UsageError):
            McpOAuthClient(**given)  # type: ignore[arg-type] # the point of it


# Callbacks


@pytest.mark.parametrize("iss", ["https://evil.test", "https://provider.test/", "HTTPS://provider.test", "", None])
async def test_an_answer_of_another_issuer_is_refused_before_the_code_is_sent(iss):
    world = World(Quirks(iss=iss))
    failed = await world.come_back(await sent_away(world))
    assert isinstance(failed, Failed)
    assert not world.provider.requests_to("/token")
    assert world.row.auth_url is None
    assert not [key for key in world.stored() if "code_verifier" in key or key.startswith("state/")]


async def test_an_issuer_that_was_not_promised_is_compared_all_the_same():
    world = World(Quirks(iss="https://evil.test", advertises_iss=False))
    assert isinstance(await world.come_back(await sent_away(world)), Failed)
    world = World(Quirks(iss=None, advertises_iss=False))
    assert await world.come_back(await sent_away(world)) == Authorized()


async def test_what_another_issuer_says_went_wrong_is_not_repeated():
    world = World(Quirks(iss="https://evil.test"))
    outcome = await world.use()
    back = await world.provider.consent(outcome.auth_url, approves=False)
    failed = await world.come_back(back)
    assert "denied" not in failed.reason
    assert "said no" not in failed.reason


async def test_a_person_who_says_no():
    world = World()
    outcome = await world.use()
    back = await world.provider.consent(outcome.auth_url, approves=False)
    reason = "the authorization server refused consent: access_denied (The person said no)"
    assert await world.come_back(back) == Failed(reason)
    assert await world.come_back(back) == Ignored(await ignored(world))


async def ignored(world):
    return (await world.come_back(f"{CALLBACK}?state=x.srv&code=y")).reason


async def test_forged_callbacks_change_nothing():
    world = World()
    back = await sent_away(world)
    fields = callback_fields(back)
    nonce = fields["state"].partition(".")[0]
    before = world.stored()
    for query in (
        "",
        "code=x",
        "state=&code=x",
        f"state={nonce}&code=x",
        f"state=.srv&code={fields['code']}",
        f"state=forged.srv&code={fields['code']}",
        f"state={nonce}.other&code={fields['code']}",
        f"state={nonce}.srv.srv&code={fields['code']}",
        f"state={nonce}.srv&state={nonce}.srv&code={fields['code']}",
        f"state={nonce}.srv&code=x&code={fields['code']}",
        "state=../client-1/token.srv&code=x",
        "state=" + "x" * 20_000,
        "&".join(f"a{number}=b" for number in range(100)),
    ):
        outcome = await world.come_back(f"{CALLBACK}?{query}")
        assert isinstance(outcome, Ignored), query
        assert nonce not in outcome.reason
    assert world.stored() == before
    assert not world.provider.requests_to("/token")
    assert await world.come_back(back) == Authorized()


async def test_a_callback_counts_once():
    world = World()
    back = await sent_away(world)
    assert await world.come_back(back) == Authorized()
    token = world.stored()["client-1/token"]
    assert isinstance(await world.come_back(back), Ignored)
    assert await world.come_back(back, is_connected=True) == Authorized(is_new=False)
    assert world.stored()["client-1/token"] == token
    assert len(world.provider.requests_to("/token")) == 1


async def test_two_callbacks_at_once_redeem_one_code():
    world = World()
    back = await sent_away(world)
    outcomes = await asyncio.gather(world.come_back(back), world.come_back(back))
    assert Authorized() in outcomes
    assert len(world.provider.requests_to("/token")) <= 2
    assert is_served(await world.use())


async def test_another_code_for_a_state_whose_code_is_known_is_ignored():
    world = World()
    back = await sent_away(world)
    world.provider.quirks.fails["/token"] = 503
    assert (await world.come_back(back)).is_passing
    other = back.replace(callback_fields(back)["code"], "stolen")
    assert await world.come_back(other) == Ignored("another answer to the same question came first")
    world.provider.quirks.fails.clear()
    assert await world.come_back(back) == Authorized()


async def test_a_callback_that_comes_too_late_is_forgotten():
    world = World()
    back = await sent_away(world)
    world.wait(STATE_LIFETIME_MS / 1000 + 1)
    assert isinstance(await world.come_back(back), Ignored)
    assert not [key for key in world.stored() if "code_verifier" in key or key.startswith("state/")]
    assert isinstance(await world.use(), NeedsUser)


async def test_a_callback_while_connected_is_consumed_without_being_redeemed():
    world = World()
    first = await sent_away(world)
    world.wait(6 * 60)
    second = await sent_away(world)
    assert await world.come_back(second) == Authorized()
    assert await world.come_back(first, is_connected=True) == Authorized(is_new=False)
    assert len(world.provider.requests_to("/token")) == 1
    assert not [key for key in world.stored() if key.startswith("state/")]


async def test_a_callback_with_neither_code_nor_error_ends_the_attempt():
    world = World()
    back = await sent_away(world)
    outcome = await world.come_back(back.replace("code=", "kode="))
    assert isinstance(outcome, Failed)
    assert isinstance(await world.come_back(back), Ignored)


async def test_a_code_is_not_sent_to_an_authorization_server_that_came_later():
    world = World()
    back = await sent_away(world)
    world.wait(6 * 60)
    world.provider.quirks.issuer_path = "/t"
    world.provider.quirks.server_path = WELL_KNOWN + "/t"
    await sent_away(world)
    assert isinstance(await world.come_back(back), Failed)
    assert not world.provider.requests_to("/token")


async def test_people_who_never_come_back_are_forgotten():
    world = World()
    for _ in range(15):
        await sent_away(world)
        world.wait(5 * 60)
    assert len([key for key in world.stored() if key.startswith("state/")]) <= 3
    for _ in range(30):
        world.row.note(world.row.client_id, None)
        await sent_away(world)
    assert len([key for key in world.stored() if key.startswith("state/")]) == 10
    assert len([key for key in world.stored() if "code_verifier" in key]) == 10


# Tokens


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"access_token": "", "token_type": "Bearer"},
        {"access_token": "a\r\nx-admin: 1", "token_type": "Bearer"},
        {"access_token": "é", "token_type": "Bearer"},
        {"access_token": 5, "token_type": "Bearer"},
        {"access_token": "x" * 20_000, "token_type": "Bearer"},
        {"access_token": "a"},
        {"access_token": "a", "token_type": "DPoP"},
    ],
)
async def test_tokens_that_are_none_are_refused(answer):
    world = World()
    back = await sent_away(world)
    world.provider.quirks.bodies["/token"] = json.dumps(answer).encode()
    failed = await world.come_back(back)
    assert isinstance(failed, Failed)
    assert "client-1/token" not in world.stored()
    assert world.row.auth_url is None


async def test_nothing_secret_is_told():
    """The provider quotes what it was sent in every error; none of that reaches a reason."""
    world = World(Quirks(extra={"token_endpoint_auth_methods_supported": ["client_secret_post"]}))
    back = await sent_away(world)
    code = callback_fields(back)["code"]
    verifier = next(value["verifier"] for key, value in world.stored().items() if "code_verifier" in key)
    secrets = [code, verifier, *world.provider.secrets()]
    assert any(secret.startswith("client-secret") for secret in secrets)
    world.provider.codes.clear()
    told = [repr(await world.come_back(back))]
    assert "invalid_grant" in told[0]
    await world.come_back(await sent_away(world))
    secrets += world.provider.secrets()
    world.wait(3601)
    world.provider.revoke()
    told.append(repr(await world.use()))
    told.append(repr(world.authorization().store.tokens("client-1")))
    told.append(repr(world.authorization().store.client("client-1")))
    told += [repr(pending) for pending in world.authorization().store.all_pending()]
    for secret in secrets:
        assert secret not in " ".join(told)


async def test_a_refusal_that_is_no_challenge_is_left_alone():
    world = World(Quirks(fails={"/mcp": 403}))
    outcome = await world.use()
    assert outcome.status == 403
    assert not world.requests
