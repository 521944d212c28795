"""What servers publish about themselves: protected resources (RFC 9728) and authorization servers (RFC 8414, OIDC).

Reading is strict where a lie would move a secret, and lenient about everything that is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agents_runtime.mcp.oauth.challenge import split_scopes
from agents_runtime.mcp.oauth.errors import OAuthError
from agents_runtime.mcp.oauth.urls import Url, covers, parse_url, protected_url

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json

MAX_LISTED = 200
"""So many items of a published list count."""

_RESOURCE = "/.well-known/oauth-protected-resource"
_OAUTH = "/.well-known/oauth-authorization-server"
_OIDC = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """What an MCP server says about itself.

    Attributes:
        resource: its identifier, exactly as published.
        authorization_servers: who issues tokens for it; empty if it does not say.
        scopes: the scopes of ordinary use; None if it does not say.
    """

    resource: str
    authorization_servers: tuple[str, ...]
    scopes: tuple[str, ...] | None

    def as_json(self) -> dict[str, Json]:
        """The document, as it is stored."""
        found: dict[str, Json] = {"resource": self.resource}
        found["authorization_servers"] = list(self.authorization_servers)
        if self.scopes is not None:
            found["scopes_supported"] = list(self.scopes)
        return found


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """What an authorization server says about itself. The lists are None where it does not say."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str | None = None
    scopes: tuple[str, ...] | None = None
    challenge_methods: tuple[str, ...] | None = None
    token_auth_methods: tuple[str, ...] | None = None
    takes_metadata_documents: bool = False
    names_itself: bool = False
    """Whether every answer it gives through the browser names it (`iss`, RFC 9207)."""

    def as_json(self) -> dict[str, Json]:
        """The document, as it is stored."""
        lists = {
            "scopes_supported": self.scopes,
            "code_challenge_methods_supported": self.challenge_methods,
            "token_endpoint_auth_methods_supported": self.token_auth_methods,
        }
        return {
            "issuer": self.issuer,
            "authorization_endpoint": self.authorization_endpoint,
            "token_endpoint": self.token_endpoint,
            **({} if self.registration_endpoint is None else {"registration_endpoint": self.registration_endpoint}),
            "response_types_supported": ["code"],
            **{name: list(values) for name, values in lists.items() if values is not None},
            "client_id_metadata_document_supported": self.takes_metadata_documents,
            "authorization_response_iss_parameter_supported": self.names_itself,
        }


def resource_urls(server: Url, hint: str | None) -> list[str]:
    """Where a server's description may be, in order. A hint that leads to another origin is refused.

    Raises:
        OAuthError: the hint is no URL of the server's own origin.
    """
    if hint is not None:
        if parse_url(hint, "the address of the resource's metadata").origin != server.origin:
            raise OAuthError("the server describes itself at another origin")
        return [hint]
    path = server.path.rstrip("/")
    query = f"?{server.query}" if server.query else ""
    urls = [f"{server.origin}{_RESOURCE}{path}{query}", f"{server.origin}{_RESOURCE}"]
    return list(dict.fromkeys(urls))


def server_urls(issuer: Url) -> list[str]:
    """Where an authorization server's description may be, in order."""
    path = issuer.path.rstrip("/")
    if not path:
        return [f"{issuer.origin}{_OAUTH}", f"{issuer.origin}{_OIDC}"]
    return [f"{issuer.origin}{_OAUTH}{path}", f"{issuer.origin}{_OIDC}{path}", f"{issuer.origin}{path}{_OIDC}"]


def read_resource(document: object, server: Url) -> ProtectedResource:
    """Read a server's description.

    Raises:
        OAuthError: it is none, or that of another resource.
    """
    fields = _fields(document, "the resource's metadata")
    identifier = fields.get("resource")
    if not isinstance(identifier, str):
        raise OAuthError("the resource's metadata names no resource")
    if not covers(parse_url(identifier, "the resource's identifier"), server):
        raise OAuthError("the resource's metadata is that of another server")
    listed = _texts(fields, "authorization_servers") or ()
    return ProtectedResource(identifier, listed, _scopes(fields))


def read_server(document: object, server: Url) -> AuthorizationServer:
    """Read the description of an authorization server of the MCP server `server`.

    Raises:
        OAuthError: it is none, or has an address that must not be called.
    """
    fields = _fields(document, "the authorization server's metadata")
    named = fields.get("issuer")
    if not isinstance(named, str):
        raise OAuthError("the authorization server's metadata names no issuer")
    return AuthorizationServer(
        named,
        protected_url(fields.get("authorization_endpoint"), "the authorization endpoint", server).text,
        protected_url(fields.get("token_endpoint"), "the token endpoint", server).text,
        None
        if fields.get("registration_endpoint") is None
        else protected_url(fields["registration_endpoint"], "the registration endpoint", server).text,
        _scopes(fields),
        _texts(fields, "code_challenge_methods_supported"),
        _texts(fields, "token_endpoint_auth_methods_supported"),
        fields.get("client_id_metadata_document_supported") is True,
        fields.get("authorization_response_iss_parameter_supported") is True,
    )


def check_named(described: AuthorizationServer, issuer: Url, *, is_own: bool) -> None:
    """Check that a description is that of the issuer whose address it was found by.

    Args:
        is_own: the MCP server names no authorization server, so it is its own: under any path of its origin.

    Raises:
        OAuthError: it is that of another one.
    """
    named = described.issuer
    if named.removesuffix("/") == issuer.text.removesuffix("/"):
        return
    if not is_own or parse_url(named, "the issuer").origin != issuer.origin:
        raise OAuthError("the authorization server's metadata is that of another issuer")


def assumed_server(server: Url) -> AuthorizationServer:
    """The authorization server of an MCP server of 2025-03-26 that publishes nothing: itself, at the usual paths."""
    at = server.origin
    return AuthorizationServer(at, f"{at}/authorize", f"{at}/token", f"{at}/register", challenge_methods=("S256",))


def _fields(document: object, what: str) -> Mapping[str, object]:
    if not isinstance(document, dict):
        raise OAuthError(f"{what} is no JSON object")
    return cast("dict[str, object]", document)


def _texts(fields: Mapping[str, object], name: str) -> tuple[str, ...] | None:
    values = fields.get(name)
    if not isinstance(values, list):
        return None
    return tuple(value for value in cast("list[object]", values)[:MAX_LISTED] if isinstance(value, str))


def _scopes(fields: Mapping[str, object]) -> tuple[str, ...] | None:
    values = _texts(fields, "scopes_supported")
    return None if values is None else split_scopes(" ".join(values))
