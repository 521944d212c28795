"""Which hosts and web pages may be talked to: against pages that reach a server through a name of their own.

A page can make its own name lead to your machine, and then talk to a server there as if it were its own. Such requests
bear that name in `Host` and `Origin`. An address in place of a name cannot be forged that way.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

Names: TypeAlias = "Collection[str] | Literal['*'] | None"
"""Host names without ports; "*" for all; None: what is safe without knowing more."""

WORKERS_DEV = ".workers.dev"


@lru_cache(maxsize=256)
def hostname_of(host: str) -> str | None:
    """The name in a `Host` header, without the port; None when it cannot be read."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return None
    return name if name and "@" not in host and "/" not in host else None


def is_local_name(name: str) -> bool:
    """Whether a name always means the own machine."""
    return name in ("localhost", "127.0.0.1", "::1") or name.endswith(".localhost")


def host_problem(host: str | None, allowed: Names, *, is_public: bool) -> str | None:
    """What is wrong with the `Host` of a request, None if nothing is.

    Args:
        host: the header.
        allowed: the names the server goes by.
        is_public: whether only requests for names of its own reach the server, as on Workers.
    """
    if allowed == "*" or (allowed is None and is_public):
        return None
    name = None if host is None else hostname_of(host)
    if name is None:
        return "Host header missing or malformed"
    if allowed is not None:
        return None if name in allowed or is_local_name(name) else _not_allowed("Host", name, "allowed_hosts")
    return None if is_local_name(name) or _is_address(name) else _not_allowed("Host", name, "allowed_hosts")


def origin_problem(
    origin: str | None, host: str | None, allowed: Names, allowed_hosts: Names, cors_origins: Collection[str]
) -> str | None:
    """What is wrong with the `Origin` of a request, None if nothing is or it comes from no page.

    Args:
        origin: the header.
        host: the `Host` header, accepted already.
        allowed: host names of pages.
        allowed_hosts: the names the server goes by.
        cors_origins: the origins that CORS names.
    """
    if origin is None or allowed == "*" or origin in cors_origins:
        return None
    try:
        name = urlsplit(origin).hostname
    except ValueError:
        name = None
    if name is None or "://" not in origin:
        return "Origin header malformed"
    known = set(allowed or ()) | (set(allowed_hosts or ()) if allowed_hosts != "*" else set[str]())
    own = None if host is None else hostname_of(host)
    is_own = name == own and (name.endswith(WORKERS_DEV) or _is_address(name))
    return None if is_local_name(name) or name in known or is_own else _not_allowed("Origin", name, "allowed_origins")


def _is_address(name: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _not_allowed(header: str, name: str, option: str) -> str:
    return f"{header} {name[:200]!r} is not allowed; list it in {option}"
