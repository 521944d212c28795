"""The requests of an authorization, as data: registration, the address people are sent to, and requests for tokens."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus

from agents_runtime.mcp.oauth.credentials import TOKEN_AUTHS, Client, TokenAuth
from agents_runtime.mcp.oauth.errors import OAuthError
from agents_runtime.mcp.oauth.pkce import challenge_of
from agents_runtime.mcp.oauth.urls import parse_url, with_query

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json
    from agents_runtime.mcp.oauth.challenge import Challenge
    from agents_runtime.mcp.oauth.discovery import Discovery
    from agents_runtime.mcp.oauth.metadata import AuthorizationServer
    from agents_runtime.mcp.oauth.options import McpOAuthClient

OFFLINE = "offline_access"
ASSERTION: Final = "private_key_jwt"


@dataclass(frozen=True, slots=True)
class Form:
    """A request for tokens."""

    fields: dict[str, str] = field(repr=False)
    headers: dict[str, str] = field(repr=False)


def choose_scopes(
    found: Discovery, challenge: Challenge, granted: tuple[str, ...], options: McpOAuthClient
) -> tuple[str, ...]:
    """The scopes to ask for: what is needed now, what was granted before, and what the author wants.

    Needed is what the challenge names; if it names nothing, what the server lists for ordinary use. `offline_access` is
    added where the authorization server has it, since without it there is no refreshing.
    """
    listed = found.resource.scopes if found.resource is not None else None
    needed = challenge.scopes if challenge.scopes is not None else listed or ()
    scopes = dict.fromkeys((*granted, *needed, *options.scopes))
    if scopes and OFFLINE in (found.server.scopes or ()) and options.grant == "authorization_code":
        scopes[OFFLINE] = None
    return tuple(scopes)


def given_client(server: AuthorizationServer, known: Client | None, options: McpOAuthClient) -> Client | None:
    """The client that the author registered by hand, or that describes itself; None if it has to register.

    Args:
        known: what is stored under the author's client id.

    Raises:
        OAuthError: the author's client belongs to another authorization server.
    """
    if options.client_id is not None:
        bound = options.issuer or (None if known is None else known.issuer)
        if bound is not None and bound != server.issuer:
            raise OAuthError(
                "the client was registered with another authorization server than the one that the server names now: "
                "register a client there and change create_mcp_oauth_provider"
            )
        way: TokenAuth | None = options.token_auth if options.client_assertion is None else ASSERTION
        return Client(options.client_id, server.issuer, options.client_secret, way)
    if options.metadata_url is not None and server.takes_metadata_documents:
        return Client(options.metadata_url, server.issuer, token_auth="none")
    return None


def client_document(options: McpOAuthClient, name: str, callback_url: str) -> dict[str, Json]:
    """What a client tells about itself: when it registers, and in its metadata document."""
    callback = parse_url(callback_url, "the callback")
    return {
        "client_name": options.name or name,
        "client_uri": options.uri or callback.origin,
        "redirect_uris": [callback_url],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "native" if callback.is_loopback else "web",
        "token_endpoint_auth_method": "none",
    }


def registration(
    server: AuthorizationServer, options: McpOAuthClient, name: str, callback_url: str, scopes: tuple[str, ...]
) -> dict[str, Json]:
    """The document to register with."""
    document = client_document(options, name, callback_url)
    offered = server.token_auth_methods
    if offered is not None and "none" not in offered:
        document["token_endpoint_auth_method"] = next((way for way in TOKEN_AUTHS if way in offered), "none")
    if scopes:
        document["scope"] = " ".join(scopes)
    return document


def authorization_url(
    found: Discovery, client: Client, callback_url: str, state: str, verifier: str, scopes: tuple[str, ...]
) -> str:
    """Where to send a person for consent."""
    fields = [
        ("response_type", "code"),
        ("client_id", client.client_id),
        ("redirect_uri", callback_url),
        ("state", state),
        ("code_challenge", challenge_of(verifier)),
        ("code_challenge_method", "S256"),
    ]
    if scopes:
        fields.append(("scope", " ".join(scopes)))
    if OFFLINE in scopes:
        fields.append(("prompt", "consent"))
    if found.resource is not None:
        fields.append(("resource", found.resource.resource))
    return with_query(parse_url(found.server.authorization_endpoint, "the authorization endpoint"), fields)


def code_form(found: Discovery, client: Client, code: str, verifier: str, callback_url: str) -> Form:
    """Ask for tokens with a code."""
    fields = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": callback_url}
    return _authenticated(found, client, fields)


def refresh_form(found: Discovery, client: Client, refresh_token: str) -> Form:
    """Ask for tokens with a refresh token. The scopes stay those that were granted."""
    return _authenticated(found, client, {"grant_type": "refresh_token", "refresh_token": refresh_token})


def assertion_fields(assertion: str) -> dict[str, str]:
    """What proves a client by a signed JWT."""
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {"client_assertion_type": kind, "client_assertion": assertion}


def own_form(found: Discovery, client: Client, scopes: tuple[str, ...]) -> Form:
    """Ask for tokens in the client's own name."""
    scope = {"scope": " ".join(scopes)} if scopes else {}
    return _authenticated(found, client, {"grant_type": "client_credentials", **scope})


def token_auth(server: AuthorizationServer, client: Client) -> TokenAuth:
    """How a client authenticates for tokens.

    Raises:
        OAuthError: in no way that the authorization server takes.
    """
    offered = server.token_auth_methods
    if client.token_auth == ASSERTION:
        return ASSERTION
    if client.token_auth is not None and (offered is None or client.token_auth in offered or not offered):
        wanted: TokenAuth = client.token_auth
    elif client.secret is None:
        wanted = "none"
    else:
        wanted = _first_of(offered)
    if wanted != "none" and client.secret is None:
        raise OAuthError("the authorization server wants a secret that the client does not have")
    return wanted


def _first_of(offered: tuple[str, ...] | None) -> TokenAuth:
    for way in TOKEN_AUTHS:
        if offered is None or way in offered:
            return way
    return "client_secret_post"


def _authenticated(found: Discovery, client: Client, fields: Mapping[str, str]) -> Form:
    given = dict(fields)
    if found.resource is not None:
        given["resource"] = found.resource.resource
    way = token_auth(found.server, client)
    headers: dict[str, str] = {}
    if way == "client_secret_basic":
        pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret or '')}"
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    else:
        given["client_id"] = client.client_id
    if way == "client_secret_post" and client.secret is not None:
        given["client_secret"] = client.secret
    return Form(given, headers)
