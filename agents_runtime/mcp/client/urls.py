"""Which addresses an agent may call for MCP: none inside the network it runs in, but this machine itself.

Only the text of an address is looked at, for names are resolved by the platform.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from agents_runtime.errors import UsageError

if TYPE_CHECKING:
    import ipaddress

MAX_URL_CHARS = 2_048
_METADATA_HOSTS = ("metadata.google.internal", "metadata.goog", "metadata")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_server_url(url: str) -> str:
    """Return `url` if an agent may call it.

    Raises:
        UsageError: it is no http(s) URL, has a user name or a fragment, or leads into a private network.
    """
    parts = _parts(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise UsageError(f"the URL of an MCP server starts with https:// or http://, unlike {url[:100]!r}")
    if parts.username is not None or parts.password is not None:
        raise UsageError("the URL of an MCP server has no user name in it: pass headers instead")
    if host in _METADATA_HOSTS or _is_private(host):
        raise UsageError(f"{host} is inside a private network, where agents do not call MCP servers")
    return url


def _parts(url: object) -> SplitResult:
    if not isinstance(url, str) or len(url) > MAX_URL_CHARS or any(char <= " " or char == "\x7f" for char in url):
        raise UsageError(f"the URL of an MCP server is a text of at most {MAX_URL_CHARS:,} characters without blanks")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"{url[:100]!r} is no URL: {error}") from error
    return parts


def _is_private(host: str) -> bool:
    import ipaddress
    import socket

    if _is_ambiguous(host):
        return True
    try:
        # As the operating system and browsers read it: also 127.1, 0x7f000001 and 2130706433.
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
    if isinstance(address, ipaddress.IPv6Address):
        address = _inside(address) or address
    if address.is_loopback:
        return False
    return not address.is_global or address.is_multicast


_is_ambiguous = re.compile(r"[0-9.]*(?:^|\.)0[0-9]+(?:\.[0-9.]*)?").fullmatch
"""An IPv4 address with a part that some read as octal and some as decimal."""


def _inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The older address that an address of one of the ways of transition leads to."""
    import ipaddress

    if address in ipaddress.IPv6Network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL."""
    parts = _parts(url)
    return f"{parts.scheme}://{_host_of(parts)}"


def normalized(url: str) -> str:
    """A URL such that two spellings of one address are equal: host in lower case, usual port and fragment dropped."""
    parts = _parts(url)
    return parts._replace(netloc=_host_of(parts), path=parts.path or "/", fragment="").geturl()


def _host_of(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    port = parts.port
    return host if port is None or port == _DEFAULT_PORTS.get(parts.scheme) else f"{host}:{port}"


def redirect_target(url: str, location: str | None) -> str | None:
    """Where a redirect leads if it stays at its host, and None if it may not be followed."""
    from urllib.parse import urljoin

    if not location:
        return None
    try:
        target = check_server_url(urljoin(url, location))
    except (UsageError, ValueError):
        return None
    here, there = _parts(url), _parts(target)
    is_upgrade = (here.scheme, there.scheme) == ("http", "https") and here.port is None and there.port is None
    same = origin_of(url) == origin_of(target) or (is_upgrade and here.hostname == there.hostname)
    return target if same else None
