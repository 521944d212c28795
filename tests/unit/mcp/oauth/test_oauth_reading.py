"""Reading what strangers write: headers, addresses, documents, callbacks. Nothing they write breaks the reader."""

from __future__ import annotations

import re
import string
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agents_runtime.mcp.oauth.callback import (
    check_issuer,
    is_callback_to,
    make_state,
    read_callback,
    split_state,
)
from agents_runtime.mcp.oauth.challenge import Challenge, parse_challenges, read_challenge, split_scopes
from agents_runtime.mcp.oauth.credentials import Client, Tokens, read_client, read_tokens, stored_tokens
from agents_runtime.mcp.oauth.discovery import Discovery, stored_discovery
from agents_runtime.mcp.oauth.errors import OAuthError, known_code, readable
from agents_runtime.mcp.oauth.metadata import (
    AuthorizationServer,
    ProtectedResource,
    read_resource,
    read_server,
    resource_urls,
    server_urls,
)
from agents_runtime.mcp.oauth.pkce import challenge_of, make_verifier
from agents_runtime.mcp.oauth.urls import covers, parse_url, with_query

TOKEN = st.text(string.ascii_letters + string.digits + "-._~", min_size=1, max_size=12)
SCOPE = st.text([chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\'], min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=30), inner, max_size=4),
    max_leaves=12,
)
MCP = parse_url("https://mcp.test/mcp", "it")


# Headers


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, Challenge()),
        ("", Challenge()),
        ("Bearer", Challenge()),
        ('Bearer scope="a b", resource_metadata="https://x/y"', Challenge("https://x/y", ("a", "b"))),
        ('bearer SCOPE = "a",error=insufficient_scope', Challenge(None, ("a",), "insufficient_scope")),
        ('Basic realm="x", Bearer error="invalid_token"', Challenge(None, None, "invalid_token")),
        ('Basic realm="Bearer scope=\\"evil\\"", Bearer scope="good"', Challenge(None, ("good",))),
        ("Negotiate abc==, Bearer error=x", Challenge(None, None, "x")),
        ('Bearer realm="a, b", scope="c"', Challenge(None, ("c",))),
        ('Bearer scope="a", scope="b"', Challenge(None, ("a",))),
        ('Bearer scope=""', Challenge()),
        ('Bearer scope="a\\"b c"', Challenge(None, ("c",))),
        ('Bearer scope="unfinished', Challenge()),
        ('scope="a"', Challenge()),
        ('Bearer, Bearer scope="second"', Challenge()),
        ("DPoP error=x", Challenge()),
    ],
)
def test_challenges(header, found):
    assert read_challenge(header) == found


@given(st.text(max_size=300) | st.text(' ,="\\Bearer', max_size=200))
@example('Bearer a="' + "\\" * 500)
@example("a," * 4000)
@example("=" * 8000)
@example("a" * 20_000)
@example(" " * 20_000)
def test_no_header_breaks_the_reader(header):
    assert isinstance(parse_challenges(header), list)
    challenge = read_challenge(header)
    assert challenge.scopes is None or all(scope and " " not in scope for scope in challenge.scopes)


@given(st.dictionaries(TOKEN.map(str.lower), st.text(string.printable, max_size=40), min_size=1, max_size=5), TOKEN)
def test_what_was_quoted_is_read_back(parameters, scheme):
    escaped = {name: re.sub(r'(["\\])', r"\\\1", value) for name, value in parameters.items()}
    quoted = [f'{name}="{value}"' for name, value in escaped.items()]
    header = f"Basic dXNlcg==, {scheme} " + " , ".join(quoted)
    assert parse_challenges(header) == [("basic", {}), (scheme.lower(), parameters)]


@given(st.lists(SCOPE, max_size=10))
def test_scopes_keep_their_order_and_come_once(scopes):
    assert split_scopes(" ".join(scopes)) == tuple(dict.fromkeys(scopes))


# Addresses


@given(st.text(max_size=60) | st.text(":/?#[]@!%.\\ httpsexample0123456789", max_size=60))
def test_no_address_breaks_the_reader(text):
    try:
        url = parse_url(text, "it")
    except OAuthError:
        return
    assert url.origin.startswith(("http://", "https://"))
    assert not covers(url, MCP) or url.origin == MCP.origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://A.test:443/x", "https://a.test"),
        ("http://a.test:80", "http://a.test"),
        ("https://a.test:8443?q", "https://a.test:8443"),
        ("http://[::1]:5/x", "http://[::1]:5"),
    ],
)
def test_origins(text, origin):
    assert parse_url(text, "it").origin == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "ftp://a",
        "https://",
        "https:///x",
        "https://a b",
        "https://a\n",
        "https://u@a",
        "https://a#",
        "https://ä.test",
        "https://a:99999",
        "https://[::1",
        "https://a\\b",
        "//a",
        "https://a/" + "x" * 3000,
        None,
        5,
    ],
)
def test_addresses_that_are_none(text):
    with pytest.raises(OAuthError):
        parse_url(text, "it")


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("localhost.evil.test", False),
        ("127.0.0.1.evil.test", False),
        ("10.0.0.1", False),
        ("a127.0.0.1", False),
    ],
)
def test_this_machine(host, is_loopback):
    assert parse_url(f"http://{host}/", "it").is_loopback is is_loopback


@given(st.lists(st.tuples(TOKEN, st.text(max_size=30)), max_size=5), st.sampled_from(["", "?a=b", "?a=b&c"]))
def test_fields_are_added_to_a_query(fields, query):
    try:
        text = with_query(parse_url("https://a.test/x" + query, "it"), fields)
    except UnicodeEncodeError:
        return
    assert parse_qsl(urlsplit(text).query, keep_blank_values=True)[-len(fields) :] == fields or not fields


# Documents


def test_where_metadata_is():
    assert resource_urls(MCP, None) == [
        "https://mcp.test/.well-known/oauth-protected-resource/mcp",
        "https://mcp.test/.well-known/oauth-protected-resource",
    ]
    assert resource_urls(parse_url("https://mcp.test", "it"), None) == [
        "https://mcp.test/.well-known/oauth-protected-resource"
    ]
    assert resource_urls(MCP, "https://mcp.test/elsewhere.json") == ["https://mcp.test/elsewhere.json"]
    assert server_urls(parse_url("https://as.test/t/", "it")) == [
        "https://as.test/.well-known/oauth-authorization-server/t",
        "https://as.test/.well-known/openid-configuration/t",
        "https://as.test/t/.well-known/openid-configuration",
    ]
    assert server_urls(parse_url("https://as.test", "it")) == [
        "https://as.test/.well-known/oauth-authorization-server",
        "https://as.test/.well-known/openid-configuration",
    ]


@given(JSON)
def test_no_document_breaks_a_reader(document):
    for read in (
        lambda: read_resource(document, MCP),
        lambda: read_server(document, MCP),
        lambda: read_client(document, "i"),
        lambda: read_tokens(document, "i"),
    ):
        with pytest.raises(OAuthError):
            read()
    assert stored_tokens(document) is None
    assert stored_discovery(document, MCP.text) is None


URL = st.builds("https://{}.test/{}".format, st.text(string.ascii_lowercase, min_size=1, max_size=8), TOKEN)
LIST = st.none() | st.lists(SCOPE, max_size=4, unique=True).map(tuple)


SERVER = st.builds(AuthorizationServer, URL, URL, URL, st.none() | URL, LIST, LIST, LIST, st.booleans(), st.booleans())


@given(SERVER, LIST)
def test_what_was_found_out_is_stored_and_read_back(server, scopes):
    resource = ProtectedResource(MCP.text, (server.issuer,), scopes)
    for found in (Discovery(server, server.issuer, resource, "x"), Discovery(server, server.issuer, None, None)):
        assert stored_discovery(found.as_json(), MCP.text) == found
    assert stored_discovery(Discovery(server, server.issuer, resource, None).as_json(), "https://other.test/") is None


def test_what_another_sdk_stored_is_read():
    found = stored_discovery(
        {
            "authorizationServerUrl": "https://as.test/",
            "resourceMetadataUrl": "https://mcp.test/.well-known/oauth-protected-resource",
            "resourceMetadata": {"resource": "https://mcp.test/", "authorization_servers": ["https://as.test/"]},
            "authorizationServerMetadata": {
                "issuer": "https://as.test",
                "authorization_endpoint": "https://as.test/a",
                "token_endpoint": "https://as.test/t",
                "response_types_supported": ["code"],
            },
        },
        MCP.text,
    )
    assert found is not None
    assert found.server.token_endpoint == "https://as.test/t"
    tokens = stored_tokens({"access_token": "a", "token_type": "bearer", "scope": "x y", "issuer": "https://as.test"})
    assert tokens == Tokens("a", None, ("x", "y"), "https://as.test")
    client = read_client({"client_id": "c", "client_secret": "s", "client_secret_expires_at": 0, "issuer": "i"})
    assert client == Client("c", "i", "s")


SECRET = st.text([chr(code) for code in range(0x20, 0x7F)], min_size=1, max_size=30)


@given(SECRET, st.none() | SECRET, LIST, URL, st.none() | st.integers(0, 2**50), st.none() | st.integers(0, 2**31 - 1))
def test_tokens_are_stored_and_read_back(access, refresh, scopes, issuer, renewed_ms, expires_in_s):
    tokens = Tokens(access, refresh, scopes or (), issuer, renewed_ms, expires_in_s)
    assert stored_tokens(tokens.as_json()) == tokens


@pytest.mark.parametrize(
    ("given_s", "read_s"),
    [(5, 5), (5.9, 5), ("60", 60), (-1, 0), ("x", None), (True, None), (None, None), (2**40, None)],
)
def test_lifetimes(given_s, read_s):
    document = {"access_token": "a", "token_type": "BEARER", "expires_in": given_s}
    assert read_tokens(document, "i").expires_in_s == read_s


# Callbacks


@given(st.text(max_size=100) | st.text("?&=%stateocd.", max_size=100))
def test_no_callback_breaks_the_reader(text):
    for url in (text, "https://app.test/callback?" + text):
        found = read_callback(url)
        assert found is None or split_state(make_state(found.nonce, found.server_id)) == (found.nonce, found.server_id)
        assert is_callback_to(url, "https://app.test/callback") in (True, False)


NONCE = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=30)


@given(NONCE, NONCE, st.text(min_size=1, max_size=40), st.none() | st.text(max_size=40))
def test_a_callback_is_read_back(nonce, server_id, code, iss):
    fields = {"state": make_state(nonce, server_id), "code": code} | ({} if iss is None else {"iss": iss})
    try:
        query = urlencode(fields)
    except UnicodeEncodeError:
        return
    found = read_callback(f"https://app.test/callback?{query}")
    assert found is not None
    assert (found.nonce, found.server_id, found.code, found.issuer) == (nonce, server_id, code, iss)


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://app.test/cb?state=a.b", True),
        ("https://APP.test:443/cb", True),
        ("https://app.test/cb/", False),
        ("http://app.test/cb", False),
        ("https://app.test:1/cb", False),
        ("https://app.test/", False),
        ("https://app.test@evil.test/cb", False),
        ("/cb", False),
    ],
)
def test_a_callback_comes_in_at_its_own_address(url, is_one):
    assert is_callback_to(url, "https://app.test/cb") is is_one


@given(st.text(max_size=30), st.booleans())
def test_issuers_are_compared_as_texts(named, names_itself):
    server = AuthorizationServer("https://as.test", "a", "t", names_itself=names_itself)
    if named == "https://as.test":
        check_issuer(server, "https://as.test", named)
    else:
        with pytest.raises(OAuthError):
            check_issuer(server, "https://as.test", named)


@given(st.binary(min_size=32, max_size=32))
def test_verifiers(data):
    verifier = make_verifier(lambda size: data[:size])
    assert len(verifier) == len(challenge_of(verifier)) == 43
    assert set(verifier) <= set(string.ascii_letters + string.digits + "-_")


def test_the_example_of_the_rfc():
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@given(st.text(max_size=600) | JSON)
def test_texts_of_strangers_are_short_and_printable(text):
    shown = readable(text)
    assert len(shown) <= 203
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in shown)
    assert known_code(text) == "unknown_error"
