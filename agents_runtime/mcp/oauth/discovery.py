"""Finding out who may authorize at an MCP server, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agents_runtime.mcp.oauth.errors import OAuthError
from agents_runtime.mcp.oauth.metadata import (
    AuthorizationServer,
    ProtectedResource,
    assumed_server,
    check_named,
    read_resource,
    read_server,
    resource_urls,
    server_urls,
)
from agents_runtime.mcp.oauth.urls import Url, parse_url, protected_url

if TYPE_CHECKING:
    from collections.abc import Collection

    from agents_runtime._core.jsonx import Json
    from agents_runtime.mcp.oauth.challenge import Challenge
    from agents_runtime.mcp.oauth.wire import Wire


@dataclass(frozen=True, slots=True)
class Discovery:
    """Who authorizes at an MCP server.

    Attributes:
        server: the authorization server.
        server_url: the address it was found by.
        resource: what the MCP server says about itself; None for one of 2025-03-26, which says nothing.
        resource_url: where it says so.
    """

    server: AuthorizationServer
    server_url: str
    resource: ProtectedResource | None
    resource_url: str | None

    def as_json(self) -> dict[str, Json]:
        """What was found, as it is stored."""
        found: dict[str, Json] = {
            "authorizationServerUrl": self.server_url,
            "authorizationServerMetadata": self.server.as_json(),
        }
        if self.resource is not None:
            found["resourceMetadata"] = self.resource.as_json()
        if self.resource_url is not None:
            found["resourceMetadataUrl"] = self.resource_url
        return found


def stored_discovery(value: object, mcp_url: str) -> Discovery | None:
    """What `as_json` made, also by another SDK; None if it is not that or does not belong to the server."""
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, object]", value)
    server_url, resource_url = fields.get("authorizationServerUrl"), fields.get("resourceMetadataUrl")
    try:
        mcp = parse_url(mcp_url, "the server's address")
        issuer = parse_url(server_url, "the authorization server's address")
        stored = fields.get("authorizationServerMetadata")
        server = assumed_server(mcp) if stored is None else read_server(stored, mcp)
        described = fields.get("resourceMetadata")
        resource = None if described is None else read_resource(described, mcp)
    except OAuthError:
        return None
    return Discovery(server, issuer.text, resource, resource_url if isinstance(resource_url, str) else None)


async def discover(
    wire: Wire, mcp_url: str, challenge: Challenge, *, known: Collection[str] = (), checks_issuer: bool = True
) -> Discovery:
    """Ask an MCP server, and the authorization server it names, about themselves.

    Args:
        known: issuers to choose from when the server names several; the first one named otherwise.

    Raises:
        OAuthError: what they say must not be followed.
        OAuthUnavailable: one of them cannot be asked now.
    """
    mcp = parse_url(mcp_url, "the server's address")
    resource, resource_url = await _find_resource(wire, mcp, challenge.resource_metadata)
    named = resource.authorization_servers if resource is not None else ()
    chosen = next((issuer for issuer in named if issuer in known), named[0] if named else mcp.origin)
    issuer = protected_url(chosen, "the authorization server's address", mcp)
    for url in server_urls(issuer):
        answer = await wire.get(url)
        if answer.is_ok and answer.body is not None:
            server = read_server(answer.body, mcp)
            if checks_issuer:
                check_named(server, issuer, is_own=not named)
            return Discovery(_with_proof(server), chosen, resource, resource_url)
    if named:
        raise OAuthError(f"the authorization server {issuer.origin} publishes no metadata")
    return Discovery(assumed_server(mcp), chosen, resource, resource_url)


async def _find_resource(wire: Wire, mcp: Url, hint: str | None) -> tuple[ProtectedResource | None, str | None]:
    for url in resource_urls(mcp, hint):
        answer = await wire.get(url)
        if answer.is_ok and (answer.body is not None or hint is not None):
            return read_resource(answer.body, mcp), url
    if hint is not None:
        raise OAuthError("the server describes itself where nothing is")
    return None, None


def _with_proof(server: AuthorizationServer) -> AuthorizationServer:
    if "S256" not in (server.challenge_methods or ()):
        raise OAuthError("the authorization server does not support PKCE with S256, so codes could be stolen")
    return server
