"""URLs as authorization needs them: compared exactly, and refused when a secret could leave over them unprotected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from agents_runtime.mcp.oauth.errors import OAuthError

MAX_URL_CHARS = 2_048

_DEFAULT_PORTS = {"http": 80, "https": 443}
_REFUSED = re.compile(r"[\x00-\x20\x7f\\<>\"^`{|}]")
_LOOPBACK_V4 = re.compile(r"127(?:\.\d{1,3}){3}")


@dataclass(frozen=True, slots=True)
class Url:
    """An absolute http(s) URL.

    Attributes:
        text: the URL as it was given.
        origin: scheme, host and port, in lower case, without a default port.
        host: the host in lower case, without brackets.
        path: the path as it was given; empty when there is none.
        query: the query without its question mark.
    """

    text: str
    origin: str
    host: str
    path: str
    query: str

    @property
    def is_loopback(self) -> bool:
        """Whether it leads to this machine."""
        host = self.host
        return host == "localhost" or host.endswith(".localhost") or host == "::1" or bool(_LOOPBACK_V4.fullmatch(host))

    @property
    def is_protected(self) -> bool:
        """Whether what is sent there cannot be read on the way."""
        return self.origin.startswith("https:") or self.is_loopback


def parse_url(text: object, what: str) -> Url:
    """Take a URL apart.

    Raises:
        OAuthError: it is no absolute http(s) URL, or one that different readers would understand differently.
    """
    if not isinstance(text, str) or not 0 < len(text) <= MAX_URL_CHARS or _REFUSED.search(text) or not text.isascii():
        raise OAuthError(f"{what} is no URL")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise OAuthError(f"{what} is no URL") from None
    host = (parts.hostname or "").lower()
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise OAuthError(f"{what} is no http(s) URL")
    if "@" in parts.netloc or "#" in text:
        raise OAuthError(f"{what} has a user name or a fragment")
    named = f"[{host}]" if ":" in host else host
    shown_port = "" if port is None or port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    return Url(text, f"{parts.scheme}://{named}{shown_port}", host, parts.path, parts.query)


def protected_url(text: object, what: str, server: Url) -> Url:
    """A URL of an authorization that may be called.

    It is https. Only a server on this machine, as in development, may have it on this machine and without https.

    Raises:
        OAuthError: it is not.
    """
    url = parse_url(text, what)
    if not url.is_protected or (url.is_loopback and not server.is_loopback):
        raise OAuthError(f"{what} must be an https URL of another machine, not {url.origin}")
    return url


def covers(resource: Url, server: Url) -> bool:
    """Whether a resource's identifier is that of a server, or of what the server is a part of."""
    if resource.origin != server.origin:
        return False
    prefix = resource.path.rstrip("/") + "/"
    return (server.path.rstrip("/") + "/").startswith(prefix) and resource.query in ("", server.query)


def with_query(url: Url, fields: Iterable[tuple[str, str]]) -> str:
    """A URL with more fields in its query."""
    return f"{url.text}{'&' if url.query else '?'}{urlencode(list(fields), quote_via=quote)}"


def form(fields: Mapping[str, str]) -> bytes:
    """Fields as the body of a form."""
    return urlencode(fields).encode()
