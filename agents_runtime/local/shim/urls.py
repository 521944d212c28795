"""URLs as the platform writes them: checked, and brought into one spelling."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote

_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}
_split = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)", re.DOTALL).fullmatch
_parts = re.compile(r"([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL).fullmatch
_bad_host = re.compile(r"[\x00-\x20\"#%/:<>?@\[\\\]^`{|}\x7f]").search
_is_number = re.compile(r"\d+|0[xX][0-9A-Fa-f]*").fullmatch
# The common case, which is in its normal spelling already.
_is_normal = re.compile(
    r"https?://(?:[a-z][a-z0-9\-]*(?:\.[a-z][a-z0-9\-]*)*|127\.0\.0\.1)(?::(?!80/|443/|0)[1-5]?\d{1,4})?"
    r"(?:/(?!\.|%2[eE])[A-Za-z0-9_.~:=,@%\-]*)+(?:\?[A-Za-z0-9_.~:=,@%&+/\-]*)?"
).fullmatch
_dot = re.compile(r"\.|%2e", re.IGNORECASE)
_CONTROLS_AND_SPACE = "".join(map(chr, range(33)))
# What may stay as it is. "%" stays, so that what is encoded already is not encoded twice.
_USER_SAFE = "!$%&'()*+,-.:_~"
_PATH_SAFE = "!$%&'()*+,-./:;=@[]\\_|~"
_QUERY_SAFE = "!$%&()*+,-./:;=?@[]\\^_`{|}~"
_FRAGMENT_SAFE = "!#$%&'()*+,-./:;=?@[]\\^_{|}~"


def normal_url(text: object) -> str:
    """The absolute URL in its normal spelling.

    Scheme and host in lower case, international names in punycode, no default port, no dot segments,
    and percent-encoding where a URL needs it. A URL without a host, such as `data:...`, is left as it is.

    Raises:
        TypeError: it is no text, not absolute, or cannot be a URL.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected a URL, got {type(text).__name__}")
    if _is_normal(text):
        return text
    match = _split(re.sub(r"[\t\r\n]", "", text.strip(_CONTROLS_AND_SPACE)))
    if match is None:
        raise TypeError(f"invalid URL {text!r}: it must be absolute, like https://example.com/path")
    scheme, rest = match[1].lower(), match[2]
    if scheme not in _DEFAULT_PORTS:
        return f"{scheme}:{rest}"
    parts = _parts(_with_slashes(rest).lstrip("/"))
    assert parts is not None  # every group may be empty, so anything matches
    authority, path, query, fragment = (part or "" for part in parts.groups())
    try:
        place = _authority(authority, scheme)
    except ValueError as exc:
        raise TypeError(f"invalid URL {text!r}: {exc}") from None
    encoded = _encoded(_without_dots(path or "/"), _PATH_SAFE)
    return f"{scheme}://{place}{encoded}{_encoded(query, _QUERY_SAFE)}{_encoded(fragment, _FRAGMENT_SAFE)}"


def _encoded(part: str, safe: str) -> str:
    return quote(part, safe=safe, errors="surrogatepass") if part else ""


def _with_slashes(rest: str) -> str:
    """A backslash before the query counts as a slash."""
    cut = min((at for at in (rest.find("?"), rest.find("#")) if at >= 0), default=len(rest))
    return rest[:cut].replace("\\", "/") + rest[cut:]


def _authority(authority: str, scheme: str) -> str:
    credentials, _, place = authority.rpartition("@")
    colon = place.find(":", place.rfind("]") + 1)
    host, port = (place, "") if colon < 0 else (place[:colon], place[colon + 1 :])
    if port and not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"{port!r} is no port number")
    port = str(int(port)) if port else ""
    shown = "" if port in ("", _DEFAULT_PORTS[scheme]) else f":{port}"
    return f"{_credentials(credentials)}{_host(host)}{shown}"


def _credentials(text: str) -> str:
    user, _, password = text.partition(":")
    known = f"{user}:{password}" if password else user
    return f"{_encoded(known, _USER_SAFE)}@" if known else ""


@lru_cache(maxsize=256)
def _host(host: str) -> str:
    if host.startswith("["):
        return _ip6(host)
    host = unquote(host)
    if not host.isascii():
        labels = [label if label.isascii() else label.encode("idna").decode() for label in host.split(".")]
        host = ".".join(labels)
    if not host or _bad_host(host):
        raise ValueError(f"{host!r} is no host name")
    host = host.lower()
    return _ip4(host) if _is_number(host.rstrip(".").rpartition(".")[2]) else host


def _ip4(host: str) -> str:
    """An IPv4 address, also in the old spellings with hexadecimal or fewer numbers."""
    import socket

    try:
        return socket.inet_ntoa(socket.inet_aton(host.removesuffix(".")))
    except OSError:
        raise ValueError(f"{host!r} is no IPv4 address") from None


def _ip6(host: str) -> str:
    try:
        import ipaddress

        if not host.endswith("]"):
            raise ValueError
        address = ipaddress.IPv6Address(host[1:-1])
        if address.ipv4_mapped is not None:  # spelled with dots by some versions of Python, never by the platform
            high, low = divmod(int(address.ipv4_mapped), 1 << 16)
            return f"[::ffff:{high:x}:{low:x}]"
        return f"[{address.compressed}]"
    except ValueError:
        raise ValueError(f"{host!r} is no IPv6 address") from None


def _without_dots(path: str) -> str:
    """The path with `.` and `..` resolved, also when the dots are percent-encoded."""
    kept: list[str] = []
    *before, last = path.split("/")[1:]
    for part in before:
        plain = _dot.sub(".", part)
        if plain == "..":
            if kept:
                kept.pop()
        elif plain != ".":
            kept.append(part)
    plain = _dot.sub(".", last)
    if plain == ".." and kept:
        kept.pop()
    kept.append("" if plain in (".", "..") else last)
    return "/" + "/".join(kept)
