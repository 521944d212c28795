"""URLs as the platform writes them: checked, and brought into one spelling."""

from __future__ import annotations

import re
from urllib.parse import quote

_DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}
_split = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)", re.DOTALL).fullmatch
_parts = re.compile(r"([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL).fullmatch
_bad_host = re.compile(r"[\x00-\x20\"#%/:<>?@\[\\\]^`{|}\x7f]").search
_plain = re.compile(
    r"https?://[a-z0-9\-]+(?:\.[a-z\-][a-z0-9\-]*)*(?::(?!80/|443/|0)\d{1,4})?/[A-Za-z0-9_/~:=,@\-]*"
).fullmatch
_dots = re.compile(r"(?:\.|%2e)", re.IGNORECASE)
# What may stay as it is. "%" stays, so that what is encoded already is not encoded twice.
_PATH_SAFE = "!$%&'()*+,-./:;=@[]\\^_|~"
_QUERY_SAFE = "!$%&()*+,-./:;=?@[]\\^_`{|}~"
_FRAGMENT_SAFE = "!#$%&'()*+,-./:;=?@[]\\^_{|}~"


def normal_url(text: object) -> str:
    """The absolute http(s) URL in its normal spelling.

    Scheme and host in lower case, international names in punycode, no default port, no dot segments,
    and percent-encoding where a URL needs it.

    Raises:
        TypeError: it is no text, not absolute, or cannot be a URL.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected a URL, got {type(text).__name__}")
    if _plain(text):
        return text
    match = _split(re.sub(r"[\t\r\n]", "", text.strip("".join(map(chr, range(33))))))
    if match is None:
        raise TypeError(f"invalid URL {text!r}: it must be absolute, like https://example.com/path")
    scheme, rest = match[1].lower(), match[2]
    if scheme not in _DEFAULT_PORTS:
        raise TypeError(f"invalid URL {text!r}: expected http:// or https://, got {scheme}:")
    parts = _parts(_slashes(rest).lstrip("/"))
    assert parts is not None  # every group may be empty, so anything matches
    authority, path, query, fragment = (part or "" for part in parts.groups())
    return "".join(
        (
            scheme,
            "://",
            _authority(authority, scheme, text),
            quote(_without_dots(path or "/"), safe=_PATH_SAFE),
            quote(query, safe=_QUERY_SAFE) if query != "?" else "?",
            quote(fragment, safe=_FRAGMENT_SAFE),
        )
    )


def _slashes(rest: str) -> str:
    """A backslash before the query counts as a slash."""
    cut = min((at for at in (rest.find("?"), rest.find("#")) if at >= 0), default=len(rest))
    return rest[:cut].replace("\\", "/") + rest[cut:]


def _authority(authority: str, scheme: str, text: str) -> str:
    credentials, _, place = authority.rpartition("@")
    bracket = place.rfind("]")
    colon = place.find(":", bracket + 1)
    host, port = (place, "") if colon < 0 else (place[:colon], place[colon + 1 :])
    if port and (not port.isascii() or not port.isdigit() or int(port) > 65535):
        raise TypeError(f"invalid URL {text!r}: {port!r} is no port number")
    port = str(int(port)) if port else ""
    shown = "" if port in ("", _DEFAULT_PORTS[scheme]) else f":{port}"
    prefix = f"{quote(credentials, safe='!$%&()*+,-.:_~')}@" if credentials else ""
    return f"{prefix}{_host(host, text)}{shown}"


def _host(host: str, text: str) -> str:
    from urllib.parse import unquote

    if host.startswith("["):
        return _ip6(host, text)
    host = unquote(host)
    if not host.isascii():
        try:
            host = ".".join(
                label.encode("idna").decode() if not label.isascii() else label for label in host.split(".")
            )
        except UnicodeError:
            raise TypeError(f"invalid URL {text!r}: {host!r} is no host name") from None
    if not host or _bad_host(host):
        raise TypeError(f"invalid URL {text!r}: {host!r} is no host name")
    host = host.lower()
    return _ip4(host, text) if host.rstrip(".").rpartition(".")[2].isdigit() else host


def _ip4(host: str, text: str) -> str:
    import ipaddress

    try:
        return str(ipaddress.IPv4Address(host.rstrip(".")))
    except ValueError:
        raise TypeError(f"invalid URL {text!r}: {host!r} is no IPv4 address") from None


def _ip6(host: str, text: str) -> str:
    import ipaddress

    try:
        if not host.endswith("]"):
            raise ValueError("no closing bracket")
        return f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
    except ValueError:
        raise TypeError(f"invalid URL {text!r}: {host!r} is no IPv6 address") from None


def _without_dots(path: str) -> str:
    """The path with `.` and `..` resolved, also when the dots are percent-encoded."""
    segments: list[str] = []
    parts = path.split("/")[1:]
    for at, part in enumerate(parts):
        last = at == len(parts) - 1
        match _dots.sub(".", part):
            case ".":
                if last:
                    segments.append("")
            case "..":
                if segments:
                    segments.pop()
                if last:
                    segments.append("")
            case _:
                segments.append(part)
    return "/" + "/".join(segments)
