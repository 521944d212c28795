"""What an agent holds for one authorization server: who it is there, and its tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeGuard, cast

from agents_runtime.mcp.oauth.challenge import split_scopes
from agents_runtime.mcp.oauth.errors import OAuthError

if TYPE_CHECKING:
    from agents_runtime._core.jsonx import Json

TokenAuth: TypeAlias = Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]

MAX_CLIENT_ID_CHARS = 1_024
MAX_SECRET_CHARS = 16_384

TOKEN_AUTHS: tuple[TokenAuth, ...] = ("client_secret_basic", "client_secret_post", "none")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_DIGITS = re.compile(r"[0-9]{1,11}")
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class Client:
    """Who the agent is at one authorization server.

    Attributes:
        issuer: the authorization server; None for what another SDK stored before it knew.
        token_auth: how it was told to authenticate.
        secret_expires_ms: when its secret ends; None: never.
        redirects: the callbacks it was registered with; None: unknown.
    """

    client_id: str
    issuer: str | None
    secret: str | None = field(default=None, repr=False)
    token_auth: TokenAuth | None = None
    secret_expires_ms: int | None = None
    redirects: tuple[str, ...] | None = None

    def as_json(self) -> dict[str, Json]:
        """The registration, as it is stored."""
        found: dict[str, Json] = {"client_id": self.client_id, "issuer": self.issuer}
        if self.secret is not None:
            found["client_secret"] = self.secret
            found["client_secret_expires_at"] = (self.secret_expires_ms or 0) // 1000
        if self.token_auth is not None:
            found["token_endpoint_auth_method"] = self.token_auth
        if self.redirects is not None:
            found["redirect_uris"] = list(self.redirects)
        return found

    def is_usable(self, issuer: str, callback_url: str | None, now_ms: int) -> bool:
        """Whether it is known at an authorization server, now, and for a callback."""
        return (
            self.issuer == issuer
            and (self.secret_expires_ms is None or self.secret_expires_ms > now_ms)
            and (self.redirects is None or callback_url is None or callback_url in self.redirects)
        )


def read_client(document: object, issuer: str | None = None) -> Client:
    """Read the answer to a registration, or what `Client.as_json` made.

    Args:
        issuer: who answered; the stored one otherwise.

    Raises:
        OAuthError: it is neither.
    """
    if not isinstance(document, dict):
        raise OAuthError("the registration was answered with no JSON object")
    fields = cast("dict[str, object]", document)
    client_id, secret = fields.get("client_id"), fields.get("client_secret")
    if not isinstance(client_id, str) or len(client_id) > MAX_CLIENT_ID_CHARS or not _VISIBLE.fullmatch(client_id):
        raise OAuthError("the registration was answered without a usable client id")
    if secret is not None and not _is_secret(secret):
        raise OAuthError("the registration was answered with an unusable secret")
    stored, expires, method = fields.get("issuer"), fields.get("client_secret_expires_at"), None
    for known in TOKEN_AUTHS:
        method = known if fields.get("token_endpoint_auth_method") == known else method
    redirects = fields.get("redirect_uris")
    return Client(
        client_id,
        issuer or (stored if isinstance(stored, str) else None),
        secret,
        method,
        int(expires * 1000) if _is_number(expires) and expires > 0 else None,
        tuple(str(url) for url in cast("list[object]", redirects)[:100]) if isinstance(redirects, list) else None,
    )


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an authorization server granted.

    Attributes:
        scopes: what was granted.
        issuer: who granted it.
        renewed_ms: when it replaced a token that was refused; None if a person consented to it.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    scopes: tuple[str, ...]
    issuer: str | None
    renewed_ms: int | None = None
    expires_in_s: int | None = None

    def as_json(self) -> dict[str, Json]:
        """The tokens, as they are stored."""
        found: dict[str, Json] = {"access_token": self.access_token, "token_type": "Bearer", "issuer": self.issuer}
        if self.refresh_token is not None:
            found["refresh_token"] = self.refresh_token
        if self.expires_in_s is not None:
            found["expires_in"] = self.expires_in_s
        if self.scopes:
            found["scope"] = " ".join(self.scopes)
        if self.renewed_ms is not None:
            found["renewed_at"] = self.renewed_ms
        return found


def read_tokens(
    document: object,
    issuer: str,
    *,
    renewed_ms: int | None = None,
    asked: tuple[str, ...] = (),
    previous: Tokens | None = None,
) -> Tokens:
    """Read the answer to a request for tokens.

    Args:
        asked: the scopes that were asked for: granted unless the answer says otherwise.
        previous: what is refreshed: its refresh token stays unless there is a new one.

    Raises:
        OAuthError: it is none, or of a kind that is not understood.
    """
    if not isinstance(document, dict):
        raise OAuthError("the request for tokens was answered with no JSON object")
    fields = cast("dict[str, object]", document)
    access, refresh = fields.get("access_token"), fields.get("refresh_token")
    if not _is_secret(access):
        raise OAuthError("the request for tokens was answered without a usable token")
    if str(fields.get("token_type", "")).lower() != "bearer":
        raise OAuthError("the request for tokens was answered with tokens that are not bearer tokens")
    scope, expires = fields.get("scope"), fields.get("expires_in")
    if isinstance(expires, str) and _DIGITS.fullmatch(expires):
        expires = int(expires)
    kept = None if previous is None else previous.refresh_token
    return Tokens(
        access,
        refresh if _is_secret(refresh) else kept,
        split_scopes(scope) if isinstance(scope, str) else asked,
        issuer,
        renewed_ms,
        max(0, int(expires)) if _is_number(expires) and expires < 2**31 else None,
    )


def stored_tokens(value: object) -> Tokens | None:
    """What `Tokens.as_json` made, also by another SDK; None if it is not that."""
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, object]", value)
    issuer, renewed = fields.get("issuer"), fields.get("renewed_at")
    try:
        found = read_tokens(fields, "")
    except OAuthError:
        return None
    named = issuer if isinstance(issuer, str) else None
    renewed_ms = int(renewed) if _is_number(renewed) else None
    return Tokens(found.access_token, found.refresh_token, found.scopes, named, renewed_ms, found.expires_in_s)


def _is_secret(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= MAX_SECRET_CHARS and bool(_PRINTABLE.fullmatch(value))


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
