"""What the agent's author decides about the authorization at MCP servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from agents_runtime.errors import UsageError


@dataclass(frozen=True, slots=True)
class McpConsent:
    """What became of somebody who came back from an authorization server.

    Attributes:
        server_id: for which MCP server.
        error: why the agent was not let in, fit to be shown; None: it was.
    """

    server_id: str
    error: str | None


@dataclass(frozen=True, kw_only=True)
class McpOAuthClient:
    """How an agent introduces itself to authorization servers. Return one from `create_mcp_oauth_provider`.

    Without any setting the agent registers itself where an authorization server lets it.

    Attributes:
        name: what people read when they are asked for consent; the class's name if it is not given.
        uri: where people can read about the client; the origin of the callback if it is not given.
        client_id: the id of a client that was registered by hand. Bound to the first authorization server that it is
            used with, unless `issuer` names one.
        client_secret: its secret. It is never stored.
        client_assertion: in place of a secret (`private_key_jwt`): takes the issuer, may be async, returns a signed JWT
            whose `aud` that is, and whose `iss` and `sub` are `client_id`. Called for each request for tokens.
        issuer: the authorization server the client was registered with; no other is ever used with it.
        metadata_url: where the client's own metadata document is published; used as its id wherever that is understood.
        scopes: scopes to ask for, beside those that the server asks for.
        grant: `authorization_code` asks a person; `client_credentials` needs only a client with a secret or assertions.
        token_auth: how the client authenticates for tokens; found out if it is not given.
        success_redirect: where a browser is sent after consent, a path or a URL; the origin of the callback otherwise.
        error_redirect: where it is sent when that failed; `error=<reason>` is added to the query.
        respond: makes the answer to the browser itself, in place of the redirects: takes a `McpConsent`, may be async,
            returns a `workers.Response`.
        skip_issuer_check: accept metadata that names another issuer. It weakens the protection against mix-ups.
    """

    name: str | None = None
    uri: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    client_assertion: Callable[[str], str | Awaitable[str]] | None = field(default=None, repr=False)
    issuer: str | None = None
    metadata_url: str | None = None
    scopes: tuple[str, ...] = ()
    grant: Literal["authorization_code", "client_credentials"] = "authorization_code"
    token_auth: Literal["none", "client_secret_basic", "client_secret_post"] | None = None
    success_redirect: str | None = None
    error_redirect: str | None = None
    respond: Callable[[McpConsent], object] | None = field(default=None, repr=False)
    skip_issuer_check: bool = False

    def __post_init__(self) -> None:
        proves_itself = self.client_secret is not None or self.client_assertion is not None
        if proves_itself and self.client_id is None:
            raise UsageError("client_secret and client_assertion need the client_id that they belong to")
        if self.grant == "client_credentials" and not proves_itself:
            raise UsageError('grant="client_credentials" needs client_id, and client_secret or client_assertion')
        if self.metadata_url is not None and not _is_document_url(self.metadata_url):
            raise UsageError("metadata_url must be an https URL with a path, such as https://app.example/client.json")


def _is_document_url(text: str) -> bool:
    from agents_runtime.mcp.oauth.errors import OAuthError
    from agents_runtime.mcp.oauth.urls import parse_url

    try:
        url = parse_url(text, "metadata_url")
    except OAuthError:
        return False
    segments = url.path.split("/")
    return text.startswith("https://") and url.path not in ("", "/") and "." not in segments and ".." not in segments
